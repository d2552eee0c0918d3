"""What the store makes of counts: kept in the index, right after late records, and told of one group."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest

from tests.records import NOON, detail, uuid7, write
from visigate_logging.store import trends
from visigate_logging.store.index import index_path
from visigate_logging.store.store import ErrorStore


def open_store(log):
    return ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=2)).timestamp)


@pytest.fixture
def log(tmp_path):
    """A group with an error each second night at three, and a swarm of today."""
    log = tmp_path / "details.jsonl"
    nights = [NOON.replace(hour=3) - timedelta(days=2 * n) for n in range(12)]
    write(log, *(detail(n, when, fingerprint="nightly") for n, when in enumerate(nights)))
    write(
        log, *(detail(100 + n, when + timedelta(seconds=2), fingerprint="follows") for n, when in enumerate(nights))
    )
    write(log, detail(300, NOON - timedelta(days=9), fingerprint="swarm"))
    write(log, *(detail(400 + n, NOON + timedelta(seconds=n), fingerprint="swarm") for n in range(30)))
    return log


def test_hours_that_are_past_are_not_counted_again(log, monkeypatch):
    with open_store(log) as store:
        before = store.trends(30)
        asked, seen = [], trends._hours

        def counted(db, facets, begins, end):
            asked.extend(begins.values())
            return seen(db, facets, begins, end)

        monkeypatch.setattr(trends, "_hours", counted)
        assert store.trends(30) == before
    assert all(begin >= int(NOON.timestamp()) // 3600 for begin in asked)


def test_a_late_record_is_taken_into_account(log):
    swarm = [
        detail(900 + n, NOON - timedelta(days=3) + timedelta(seconds=n), fingerprint="nightly") for n in range(40)
    ]
    with open_store(log) as store:
        assert {g["key"]: len(g["bursts"]) for g in store.trends()["groups"]}["nightly"] == 0
        write(log, *swarm)
        found = {g["key"]: g["bursts"] for g in store.trends()["groups"]}["nightly"]
        assert [burst["count"] for burst in found] == [40]
    index_path(log).unlink()
    with open_store(log) as store:
        assert {g["key"]: g["bursts"] for g in store.trends()["groups"]}["nightly"] == found, "as if never kept"


def test_what_somebody_writes_while_it_is_worked_out_is_not_missed(log, monkeypatch):
    late = [
        detail(900 + n, NOON - timedelta(days=3) + timedelta(seconds=n), fingerprint="nightly") for n in range(40)
    ]
    go_on = trends._go_on

    with open_store(log) as store, open_store(log) as other:

        def meanwhile(remembered, hours):
            if late:
                write(log, *late)
                late.clear()
                other.recent(1)
            return go_on(remembered, hours)

        monkeypatch.setattr(trends, "_go_on", meanwhile)
        store.trends()
        found = {g["key"]: g["bursts"] for g in store.trends()["groups"]}["nightly"]
        assert [burst["count"] for burst in found] == [40]


def test_what_is_kept_survives_a_process_and_is_small(log):
    with open_store(log) as store:
        found = store.trends(30)
    with sqlite3.connect(index_path(log)) as db:
        sizes = [len(rule) for (rule,) in db.execute("SELECT rule FROM burst_state")]
    db.close()
    assert len(sizes) == 4
    assert max(sizes) < 2000
    with open_store(log) as store:
        assert store.trends(30) == found


def test_a_group_tells_when_it_comes_with_what_and_whether_again(log):
    with open_store(log) as store:
        found = store.group("nightly")
        orjson.dumps({name: found[name] for name in ("forecast", "rhythm", "comes_with", "only")})
        assert (found["rhythm"]["begin"], found["rhythm"]["of"]) == (3, 12)
        assert [other["key"] for other in found["comes_with"]] == ["follows"]
        assert found["forecast"] == {"within_days": 7, "probability": 0.9}
        assert store.group("swarm")["forecast"] is None
        assert {f["key"] for f in store.forecast()} == {"nightly", "follows"}


def test_only_one_of_several_hosts_is_told(tmp_path):
    log = tmp_path / "details.jsonl"
    records = [detail(n, NOON + timedelta(seconds=n)) for n in range(60)]
    write(log, *(replace(r, host=f"h{n % 3}", fingerprint="all") for n, r in enumerate(records)))
    write(log, *(detail(n, NOON, fingerprint="one", host="h1", event_id=uuid7(NOON, 500 + n)) for n in range(9)))
    with open_store(log) as store:
        assert store.group("one")["only"] == {"host": "h1"}
        assert store.group("all")["only"] == {}


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
@pytest.mark.parametrize("day", [-1, 0, 1, 2])
def test_a_day_of_23_or_25_hours_is_no_change(tmp_path, change, day):
    zone = ZoneInfo("Europe/Berlin")
    now = (change + timedelta(days=day + 1)).replace(tzinfo=zone) + timedelta(hours=1)
    begin = now - timedelta(days=31)
    hours = int((now - begin).total_seconds()) // 3600
    records = (detail(n, begin.astimezone(UTC) + timedelta(hours=n), fingerprint="hourly") for n in range(hours))
    log = write(tmp_path / "details.jsonl", *records)
    with ErrorStore(log, tz=zone, clock=now.timestamp) as store:
        (group,) = store.trends(30)["groups"]
        assert set(group["daily"][1:-1]) <= {23, 24, 25}
        assert (group["trend"], group["bursts"]) == ("steady", [])
