"""Statistics and groups against a count in plain Python, over midnights and daylight-saving changes."""

import os
import random
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records import detail, uuid7, write
from visigate_logging.store.store import ErrorStore
from visigate_logging.store.times import from_micros, midnight

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]
CHANGES = [  # a day on which each of them changes its clocks, and one on which none does
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 6, 15, 0, tzinfo=UTC),
]
WORDS = {
    "error_types": "error_type",
    "modules": "module",
    "categories": "category",
    "severities": "severity",
    "hosts": "host",
    "processes": "process",
}
few = st.sampled_from
records_strategy = st.lists(
    st.tuples(st.integers(-6 * 86400, 3 * 86400), few("AB"), few("xyz"), few(["ERROR", "CRITICAL"]), few("12")),
    max_size=60,
)


def make(change, drawn):
    """Records around a change, a few of them to the microsecond on a quarter of an hour."""
    records = []
    for number, (seconds, kind, module, severity, group) in enumerate(drawn):
        when = change + timedelta(seconds=seconds - seconds % 900 if number % 3 == 0 else seconds)
        records.append(
            {
                "timestamp": when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "error_type": kind,
                "error_message": f"message {number}",
                "module": module,
                "severity": severity,
                "category": kind.lower(),
                "host": f"host {module}",
                "process": severity.lower(),
                "fingerprint": f"v1:{group}",
                "event_id": uuid7(when, number),
                "at": when,
            }
        )
    return records


def expected_statistics(records, now, days, tz):
    today = now.astimezone(tz).date()
    dates = [today - timedelta(days=n) for n in reversed(range(days))]
    counted = [r for r in records if r["at"].astimezone(tz).date() in dates]
    answer = {name: dict(Counter(r[field] for r in counted)) for name, field in WORDS.items()}
    by_day = Counter(r["at"].astimezone(tz).date() for r in counted)
    by_hour = Counter(r["at"].astimezone(tz).hour for r in counted)
    return answer | {
        "total_errors": len(counted),
        "daily_counts": {day.isoformat(): by_day[day] for day in dates},
        "hours": {f"{hour:02}": by_hour[hour] for hour in range(24)},
    }


def expected_groups(records, now, days, tz):
    today = now.astimezone(tz).date()
    dates = [today - timedelta(days=n) for n in reversed(range(days))]
    answer = {}
    for key in {r["fingerprint"] for r in records}:
        own = [r for r in records if r["fingerprint"] == key]
        by_day = Counter(r["at"].astimezone(tz).date() for r in own)
        daily = tuple(by_day[day] for day in dates)
        if sum(daily):
            times = [r["at"] for r in own]
            new = min(times).astimezone(tz).date() >= dates[0]
            answer[key] = (sum(daily), daily, min(times).timestamp(), max(times).timestamp(), new)
    return answer


@contextmanager
def local_zone(name):
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def compare(zone, change, drawn, days, hours):
    """Ask a store for the zone, once as the local one and once as one given; in steps, as a log grows."""
    records = make(change, drawn)
    random.Random(hours).shuffle(records)
    now, tz = change + timedelta(hours=hours), ZoneInfo(zone)
    with tempfile.TemporaryDirectory() as directory, local_zone(zone):
        log = Path(directory) / "details.jsonl"
        log.touch()
        with ErrorStore(log, clock=now.timestamp) as store:
            for part in (records[: len(records) // 2], records[len(records) // 2 :]):
                with log.open("ab") as stream:
                    stream.writelines(orjson.dumps(r, default=str) + b"\n" for r in part)
                store.recent(1)
            wanted = expected_statistics(records, now, days, tz)
            assert store.statistics(days).items() >= wanted.items()
            assert store.statistics(days, tz).items() >= wanted.items()
            for given_zone in (None, tz):
                with ErrorStore(log, tz=given_zone, clock=now.timestamp) as other:
                    found = {
                        g.key: (g.count, g.daily, g.first_seen.timestamp(), g.last_seen.timestamp(), g.new)
                        for g in other.groups(days=days)
                    }
                assert found == expected_groups(records, now, days, tz)


@settings(max_examples=60, deadline=None)
@given(few(ZONES), few(CHANGES), records_strategy, st.integers(1, 9), st.integers(-6, 60))
def test_counts_are_those_of_a_plain_count(zone, change, drawn, days, hours):
    compare(zone, change, drawn, days, hours)


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1), date(2026, 6, 1)])
@pytest.mark.parametrize("given", [True, False])
def test_a_day_begins_with_its_first_moment_even_where_clocks_change_at_midnight(day, given):
    with local_zone("America/Havana"):
        tz = ZoneInfo("America/Havana") if given else None
        at = midnight(day, tz)
        assert from_micros(at, tz).date() == day
        assert from_micros(at - 1, tz).date() == day - timedelta(days=1)


@pytest.mark.stress
@settings(max_examples=3000, deadline=None)
@given(few(ZONES), few(CHANGES), records_strategy, st.integers(1, 9), st.integers(-6, 60))
def test_counts_are_those_of_a_plain_count_in_thousands_of_logs(zone, change, drawn, days, hours):
    compare(zone, change, drawn, days, hours)


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-03-29T12:00:00", 1), ("2026-10-25T12:00:00", 2)],  # days of 23 and of 25 hours in Berlin
)
def test_today_ends_at_its_own_midnight_however_long_it_is(tmp_path, now, expected):
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(now).replace(tzinfo=berlin)
    late = [noon.replace(hour=23, minute=30).astimezone(UTC), noon.replace(hour=23, minute=59).astimezone(UTC)]
    after = [(noon + timedelta(days=1)).replace(hour=0, minute=15).astimezone(UTC)]
    times = [*late[: expected - 1], noon.astimezone(UTC), *after]
    log = tmp_path / "details.jsonl"
    write(log, *(detail(n, when) for n, when in enumerate(times)))
    with ErrorStore(log, tz=berlin, clock=noon.timestamp) as store:
        assert store.statistics(1)["total_errors"] == expected
