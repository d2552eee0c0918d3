"""The course of errors through a period: whether they rise or fall, and when they came in bursts."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from visigate_logging.store.groups import all_facets, count_groups
from visigate_logging.store.tally import EVERYTHING
from visigate_logging.store.times import HOUR, QUARTER, Period, from_micros
from visigate_logging.store.trends import HALF_LIFE, find_bursts, mann_kendall

__all__ = ["find_trends"]

HISTORY = 4 * HALF_LIFE
"""Hours before a period from which its bursts are judged: what is older weighs less than a sixteenth."""
OF = "FROM tally WHERE facet IN (SELECT value FROM json_each(:facets))"
TOTAL = f"SELECT coalesce(sum(n), 0) {OF}"
BY_HOUR = f"SELECT quarter / {HOUR // QUARTER} AS hour, sum(n) {OF} AND quarter >= :begin GROUP BY hour ORDER BY hour"


def find_trends(db: sqlite3.Connection, period: Period, key: str | None) -> dict[str, Any]:
    """See :meth:`ErrorStore.trends`."""
    facets = all_facets(db)
    tallies = count_groups(db, period, facets)
    own = defaultdict[int, list[int]](list)
    for facet, words in facets.items():
        own[words.grp].append(facet)
    found = []
    mine = "id = (SELECT coalesce(heir, id) FROM grp WHERE key = ?1)" if key else "heir IS NULL"
    for number, name, title in db.execute(f"SELECT id, key, title FROM grp WHERE {mine}", (key,) if key else ()):  # noqa: S608
        if number in tallies or key:
            daily = tallies[number].daily if number in tallies else [0] * period.days
            found.append({"key": name, "title": title} | _course(db, period, daily, own[number]))
    if key:
        return {"groups": found}
    everything = [sum(day) for day in zip([0] * period.days, *(t.daily for t in tallies.values()), strict=True)]
    return {
        "total": _course(db, period, everything, [EVERYTHING]),
        "groups": sorted(found, key=lambda g: (-g["count"], g["key"])),
    }


def _course(db: sqlite3.Connection, period: Period, daily: Sequence[int], facets: Sequence[int]) -> dict[str, Any]:
    """The course of the errors of some facets; today, which is not over, does not count for the trend."""
    begin = (period.limits[0] // HOUR - HISTORY) * HOUR // QUARTER
    asked = {"facets": json.dumps(facets), "begin": begin}
    trend = mann_kendall(daily[:-1])
    return {
        "count": sum(daily),
        "total": db.execute(TOTAL, asked).fetchone()[0],
        "daily": list(daily),
        "trend": trend.direction,
        "p": trend.p,
        "bursts": [
            {
                "start": from_micros(burst.hour * HOUR, period.tz).isoformat(),
                "count": burst.count,
                "expected": round(burst.expected, 3),
                "score": round(burst.score, 2),
            }
            for burst in find_bursts(db.execute(BY_HOUR, asked))
            if burst.hour * HOUR >= period.limits[0]
        ],
    }
