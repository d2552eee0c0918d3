"""Counts in the index: for each quarter of an hour, and for each day of the local time zone."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from visigate_logging.store.index import Index
from visigate_logging.store.times import HOUR, QUARTER, from_micros, midnight, zone_name

EVERYTHING = 0
"""The facet that stands for all of them in the tally."""

PER_HOUR = HOUR // QUARTER

Counts = Mapping[tuple[int, int], int]
"""Numbers of records, or how they change, by facet and quarter of an hour since 1970."""


def count(index: Index, changes: Counts) -> None:
    """Add to the counts, or take away from them."""
    _forget_burst_states(index, changes)
    _add_days(index, changes)
    everything = Counter[tuple[int, int]]()
    for (_, quarter), n in changes.items():
        everything[EVERYTHING, quarter] += n
    _add(index, "tally (facet, quarter, n)", {**changes, **everything})


def _forget_burst_states(index: Index, changes: Counts) -> None:
    """Have what is remembered of a group begin anew where hours change that it has seen."""
    (upto,) = index.db.execute("SELECT max(upto) FROM burst_state").fetchone()
    first: dict[int, int] = {}
    for facet, quarter in changes:
        if upto is not None and quarter < upto * PER_HOUR:
            first[facet] = min(quarter, first.get(facet, quarter))
    for facet, quarter in first.items():
        sql = (
            "DELETE FROM burst_state WHERE upto * ? > ? AND grp IN "
            "(0, (SELECT root FROM facet JOIN family ON family.id = facet.grp WHERE facet.id = ?))"
        )
        index.db.execute(sql, (PER_HOUR, quarter, facet))


def _add(index: Index, table: str, changes: Counts) -> None:
    sql = f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"  # noqa: S608 -- names of ours
    index.db.executemany(sql, sorted((*key, n) for key, n in changes.items() if n))
    if min(changes.values(), default=0) < 0:
        index.db.execute(f"DELETE FROM {table.partition(' ')[0]} WHERE n <= 0")  # noqa: S608 -- names of ours


def _add_days(index: Index, changes: Counts) -> None:
    days = Counter[tuple[int, int]]()
    for (facet, quarter), n in changes.items():
        days[day_of(quarter), facet] += n
    _add(index, "daily (start, facet, n)", days)


@lru_cache(10_000)
def day_of(quarter: int) -> int:
    """Return the quarter with which the local day of a quarter begins."""
    return midnight(from_micros(quarter * QUARTER).date()) // QUARTER


def zone_moved(index: Index) -> bool:
    """Return whether the days in the index are of another time zone than the local one."""
    row = index.db.execute("SELECT value FROM meta WHERE key = 'zone'").fetchone()
    return row is None or row[0] != zone_name()


def recount_days(index: Index) -> None:
    """Count by day anew: the days of another time zone begin elsewhere."""
    day_of.cache_clear()
    index.db.execute("DELETE FROM daily")
    rows = index.db.execute("SELECT facet, quarter, n FROM tally WHERE facet != ?", (EVERYTHING,))
    _add_days(index, {(facet, quarter): n for facet, quarter, n in rows})
    index.db.execute("INSERT OR REPLACE INTO meta VALUES ('zone', ?)", (zone_name(),))
