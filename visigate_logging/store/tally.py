"""Counts in the index: for each quarter of an hour, and for each day of the local time zone."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from visigate_logging.store.index import Index, Row
from visigate_logging.store.times import QUARTER, from_micros, midnight, zone_name

__all__ = ["EVERYTHING", "count", "recount_days", "zone_moved"]

EVERYTHING = 0
"""The facet that stands for all of them in the tally."""


def count(index: Index, rows: Iterable[Row]) -> None:
    """Add new rows to the counts."""
    tally = Counter([(row[5], row[0] // QUARTER) for row in rows])
    _add_days(index, ((facet, quarter, n) for (facet, quarter), n in tally.items()))
    for (_, quarter), n in list(tally.items()):
        tally[EVERYTHING, quarter] += n
    index.db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in tally.items()],
    )


def _add_days(index: Index, tally: Iterable[tuple[int, int, int]]) -> None:
    days: Counter[tuple[int, int]] = Counter()
    for facet, quarter, n in tally:
        days[_day_of(quarter), facet] += n
    index.db.executemany(
        "INSERT INTO daily VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in days.items()],
    )


@lru_cache(10_000)
def _day_of(quarter: int) -> int:
    """The quarter with which the local day of a quarter begins."""
    return midnight(from_micros(quarter * QUARTER).date()) // QUARTER


def zone_moved(index: Index) -> bool:
    """Whether the days in the index are of another time zone than the local one."""
    row = index.db.execute("SELECT value FROM meta WHERE key = 'zone'").fetchone()
    return row is None or row[0] != zone_name()


def recount_days(index: Index) -> None:
    """Count by day anew: the days of another time zone begin elsewhere."""
    _day_of.cache_clear()
    index.db.execute("DELETE FROM daily")
    _add_days(index, index.db.execute("SELECT * FROM tally WHERE facet != ?", (EVERYTHING,)))
    index.db.execute("INSERT OR REPLACE INTO meta VALUES ('zone', ?)", (zone_name(),))
