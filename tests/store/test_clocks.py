"""A gate's clock is wrong until the network has set it; the reader works out when records really were."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.records import NOON, detail, uuid7, write
from visigate_logging.host import clock as host_clock
from visigate_logging.store import clocks
from visigate_logging.store.clocks import MOST_CLOCKS, date_groups
from visigate_logging.store.index import Index, prepared
from visigate_logging.store.store import ErrorStore
from visigate_logging.store.typed import about

BOOT, OTHER = "5f0c6d1e-8a7b-4c3d-9e2f-1a0b4c5d6e7f", "00000000-0000-4000-8000-000000000001"
EPOCHS = {
    "1970, as without a battery": datetime(1970, 1, 1, tzinfo=UTC),
    "2106, as of a clock chip that says anything": datetime(2106, 2, 7, tzinfo=UTC),
    "last year, as fake-hwclock has it": NOON - timedelta(days=365),
    "next month": NOON + timedelta(days=30),
    "twenty minutes ago": NOON - timedelta(minutes=20),
}


def at(seconds, number, begin=NOON, boot=BOOT, **fields):
    """A record made so many seconds after a boot that the clock has at ``begin``."""
    when = begin + timedelta(seconds=seconds)
    return detail(number, when, boot_id=boot, monotonic=float(seconds), **fields)


def open_store(log, later=timedelta(minutes=10), **options):
    return ErrorStore(log, tz=UTC, clock=(NOON + later).timestamp, **options)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "details.jsonl"


@pytest.mark.parametrize("wrong", EPOCHS)
def test_records_move_to_their_place_as_soon_as_the_boot_knows_the_right_time(log, wrong):
    begin = EPOCHS[wrong]
    write(log, at(0, 0, NOON - timedelta(hours=5), OTHER))  # an hour that nothing is wrong with
    write(log, *(at(60 * n, n, begin) for n in range(1, 4)))
    with open_store(log) as store:
        store.recent(10)  # nobody can know better yet
        write(log, at(300, 4))
        found = store.recent(10)
        assert [r.additional_info["attempt"] for r in found] == [4, 3, 2, 1, 0]
        assert [r.additional_info["attempt"] for r in store.recent(10, since=NOON)] == [4, 3, 2, 1]
        assert [about(r) for r in found] == ["", *(f"2026-05-04T12:0{n}:00Z" for n in (3, 2, 1)), ""]
        assert found[1].timestamp == at(180, 3, begin).timestamp, "what it says itself stays"
        (group,) = store.groups()
        assert (group.count, group.first_seen, group.last_seen) == (
            5,
            NOON - timedelta(hours=5),
            NOON + timedelta(seconds=300),
        )
        assert group.latest == found[0].event_id
        assert store.statistics(1)["total_errors"] == 5
        assert store.timeline(hours=1)[0]["total"] == 4
        for record in found:
            assert store.get(record.event_id).to_dict() == record.to_dict()
        assert store.neighbours(found[2]) == (found[3].event_id, found[1].event_id)
        assert store.check() == []


def test_when_many_clocks_are_put_right_at_once_their_group_is_looked_through_once(log, monkeypatch):
    """A collector's: the power comes back at a site, and the clock of each gate is right a minute later."""
    wrong = datetime(1970, 1, 1, tzinfo=UTC)
    dated = []
    monkeypatch.setattr(
        clocks, "date_groups", lambda index, facets: dated.append(facets) or date_groups(index, facets)
    )
    with open_store(log) as store:
        write(log, *(at(60, n, wrong, f"boot{n}") for n in range(20)))
        store.recent(1)
        dated.clear()
        write(log, *(at(120, 20 + n, NOON, f"boot{n}") for n in range(20)))
        found = store.recent(50)
        assert [about(r) for r in found[20:]] == ["2026-05-04T12:01:00Z"] * 20
        assert len(dated) == 1
        assert store.groups().groups[0].first_seen == NOON + timedelta(seconds=60)
        assert store.check() == []


def test_the_reader_of_the_same_boot_knows_better_than_the_record(log, monkeypatch):
    """The clock has been put right, but no error has come since: what happened a minute ago is found."""
    monkeypatch.setattr(host_clock, "clock", lambda: host_clock.Instant(BOOT, 600.0))
    write(log, at(540, 0, datetime(1970, 1, 1, tzinfo=UTC)))
    with open_store(log, timedelta(seconds=600)) as store:
        (record,) = store.recent(since=NOON + timedelta(minutes=5))
        assert about(record) == "2026-05-04T12:09:00Z"
    with ErrorStore(log, tz=UTC, clock=lambda: 600.0) as before:  # as long as its own clock is as wrong
        (record,) = before.recent(since=datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
        assert about(record) == ""


def test_without_any_right_clock_an_impossible_time_is_that_of_the_record_before(log):
    write(log, at(0, 0, boot=OTHER), at(50, 1, datetime(1970, 1, 1, tzinfo=UTC), "second"))
    write(log, at(3600, 2, boot=OTHER))
    write(log, at(60, 3, datetime(1970, 1, 1, tzinfo=UTC), "third"))
    with open_store(log, timedelta(hours=2)) as store:
        found = {r.additional_info["attempt"]: about(r) for r in store.recent(10, since=NOON)}
    assert found == {0: "", 1: "2026-05-04T12:00:00Z", 2: "", 3: "2026-05-04T13:00:00Z"}


def test_a_clock_that_is_slewed_or_drifts_is_no_wrong_clock(log):
    write(log, *(at(3600 * n, n, NOON - timedelta(days=2) + timedelta(seconds=2 * n)) for n in range(40)))
    with open_store(log) as store:
        assert not [r for r in store.recent(100) if about(r)]


def test_what_is_gone_keeps_its_place_when_others_move(log):
    write(log.with_name("details.jsonl.1"), at(5, 0, NOON - timedelta(days=2), OTHER))
    write(log, *(at(60 * n, n, datetime(1970, 1, 1, tzinfo=UTC)) for n in range(1, 4)))
    with open_store(log) as store:
        assert store.statistics(3)["total_errors"] == 1
        log.with_name("details.jsonl.1").unlink()
        store.recent(1)
        write(log, at(300, 4))
        assert store.statistics(3)["total_errors"] == 5
        (group,) = store.groups()
        assert (
            timedelta(0) <= NOON - timedelta(days=2) + timedelta(seconds=5) - group.first_seen < timedelta(minutes=15)
        )
        assert [b.isoformat() for b in (store._period(3).dates[0],)] == ["2026-05-02"]
        assert store.timeline(days=3)[0]["total"] == 1


@pytest.mark.parametrize("seconds", [None, "60", -1, True, 1e300, [1], {}])
def test_a_record_whose_seconds_are_none_stays_where_it_says(log, seconds):
    write(
        log,
        at(60, 0, NOON - timedelta(days=1)).to_json().replace(b'"monotonic":60.0', b'"monotonic":%s' % _json(seconds))
        + b"\n",
    )
    write(log, at(300, 1))
    with open_store(log) as store:
        assert [about(r) for r in store.recent()] == ["", ""]
        assert store.unreadable() == []


def _json(value):
    import orjson

    return orjson.dumps(value)


def test_a_boot_with_too_many_clocks_is_not_reasoned_about(log):
    write(log, *(at(60.0, n, NOON - timedelta(hours=n)) for n in range(3 * MOST_CLOCKS)))
    with open_store(log) as store:
        assert not [r for r in store.recent(200) if about(r)]
        assert store.check() == []


def test_pruning_goes_by_when_it_really_was(log):
    write(log.with_name("details.jsonl.1"), at(60, 0, datetime(2106, 1, 1, tzinfo=UTC)))
    write(log, at(300, 1))
    with open_store(log) as store:
        assert store.prune(NOON + timedelta(minutes=2)) == [log.with_name("details.jsonl.1")]


def test_an_id_says_when_the_clock_said_it_was(log):
    record = at(60, 1, datetime(1970, 1, 1, tzinfo=UTC))
    assert record.event_id == uuid7(datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 1)
    write(log, record, at(300, 2))
    statements = []
    with open_store(log) as store:
        store.recent()
        store._access._index.db.set_trace_callback(statements.append)
        assert about(store.get(record.event_id))
    assert not [s for s in statements if "WHERE tie" in s], "found without reading all of the index"


def test_an_index_without_clocks_has_none_to_settle():
    with closing(Index(prepared(), None)) as index:
        assert index.db.execute("SELECT count(*) FROM clock").fetchone() == (0,)
