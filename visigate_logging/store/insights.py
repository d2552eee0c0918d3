"""What is made of the counts of groups: which come back, when they usually come, with what, and where only."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta, tzinfo
from functools import lru_cache
from typing import Any

import orjson

from visigate_logging.insight.correlation import comes_with, only_at
from visigate_logging.insight.recurrence import FEWEST_DAYS, recurrence, rounded
from visigate_logging.insight.rhythm import rhythm_of
from visigate_logging.store.facets import NAMES, NONE, Filter, facets_of
from visigate_logging.store.groups import all_facets
from visigate_logging.store.times import DAY, HOUR, QUARTER, Period, from_micros

__all__ = ["find_forecasts", "insights_of"]

LOOKED_BACK = 180
"""Days from which forecasts are made: what is older weighs less than 1/400."""
RHYTHM_DAYS = 60
BESIDE = 5_000_000
"""Microseconds before and after an error in which another is of the same incident."""
LOOKED_AT = 20
"""Errors of a group that others are looked for beside."""
MOST_READ = 400
RATE_DAYS = 30
COMMON = {"type", "module", "severity", "category"}
"""Facets that a group has one value of anyway."""


def find_forecasts(
    db: sqlite3.Connection, period: Period, within: int, only: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """See :meth:`ErrorStore.forecast`; with ``only``, of the groups of these facets."""
    facets = all_facets(db, only)
    begin = (period.now - LOOKED_BACK * DAY) // QUARTER
    days = defaultdict[int, set[int]](set)
    sql, values = "SELECT facet, start FROM daily WHERE start >= ?", [begin, orjson.dumps(list(facets)).decode()]
    few = " AND facet IN (SELECT value FROM json_each(?))" if only is not None else ""
    for facet, start in db.execute(sql + few, values if few else values[:1]):
        if facet in facets:
            days[facets[facet].grp].add((period.now // QUARTER - start) * QUARTER // DAY)
    found = []
    for group, ago in days.items():
        if len(ago) >= FEWEST_DAYS:
            key, title, first = db.execute(
                "SELECT key, title, (SELECT min(first) FROM family WHERE root = grp.id) FROM grp WHERE id = ?",
                (group,),
            ).fetchone()
            p = recurrence((max(0, n) for n in ago), max(0, (period.now - first) // DAY), within)
            found.append(
                {"key": key, "title": title, "within_days": within, "probability": rounded(p), "days": len(ago)}
            )
    return sorted(found, key=lambda f: (-f["probability"], -f["days"], f["key"]))


def insights_of(db: sqlite3.Connection, period: Period, key: str) -> dict[str, Any]:
    """Return ``forecast``, ``rhythm``, ``comes_with`` and ``only`` of a group; what is unknown is None or empty."""
    own = facets_of(db, Filter({"group": key})) or []
    forecasts = find_forecasts(db, period, 7, own)
    (groups,) = db.execute("SELECT count(*) FROM family WHERE id = root").fetchone()
    rhythm = rhythm_of(_hours_of_days(db, own, period), groups)
    return {
        "forecast": {name: forecasts[0][name] for name in ("within_days", "probability")} if forecasts else None,
        "rhythm": rhythm._asdict() if rhythm else None,
        "comes_with": _company(db, own, period),
        "only": _only(db, own, period),
    }


def _hours_of_days(db: sqlite3.Connection, own: Sequence[int], period: Period) -> list[tuple[int, int, int]]:
    now = period.now // HOUR
    begin, aside = (period.now - RHYTHM_DAYS * DAY) // QUARTER, _offset(now, period.tz) % HOUR // QUARTER
    found = Counter[tuple[int, int]]()
    sql = (
        "SELECT (quarter + ?) / 4, sum(n) FROM json_each(?) AS own CROSS JOIN tally ON facet = own.value "
        "AND quarter >= ? GROUP BY 1"
    )
    for hour, n in db.execute(sql, (aside, orjson.dumps(list(own)).decode(), begin)):
        local = hour + _offset(hour, period.tz) // HOUR
        found[local // 24, local % 24] += n
    return [(day, hour, n) for (day, hour), n in found.items()]


@lru_cache(10_000)
def _offset(hour: int, tz: tzinfo | None) -> int:
    """Return by how many microseconds a zone is ahead of UTC in an hour since 1970."""
    offset = from_micros(hour * HOUR, tz).utcoffset()
    return offset // timedelta(microseconds=1) if offset else 0


def _company(db: sqlite3.Connection, own: Sequence[int], period: Period) -> list[dict[str, Any]]:
    """Groups that come within seconds of most of the latest errors, each of an incident of its own."""
    wanted = orjson.dumps(list(own)).decode()
    times: list[int] = []
    sql = "SELECT at FROM record WHERE facet IN (SELECT value FROM json_each(?)) AND at < ? ORDER BY at DESC LIMIT ?"
    for (at,) in db.execute(sql, (wanted, period.now + DAY, MOST_READ)):
        if len(times) < LOOKED_AT and (not times or at < times[-1] - 2 * BESIDE):
            times.append(at)
    beside = [
        {row[0] for row in db.execute("SELECT DISTINCT facet FROM record WHERE at BETWEEN ? AND ?", span)} - set(own)
        for span in ((at - BESIDE, at + BESIDE) for at in times)
    ]
    if not any(beside):
        return []
    facets = all_facets(db)
    seen = Counter(group for numbers in beside for group in {facets[number].grp for number in numbers})
    rates = defaultdict[int, float](float)
    begin = (period.now - RATE_DAYS * DAY) // QUARTER
    for facet, n in db.execute("SELECT facet, sum(n) FROM daily WHERE start >= ? GROUP BY facet", (begin,)):
        if facet in facets:
            rates[facets[facet].grp] += n / (RATE_DAYS * 86_400)
    found = comes_with(seen, len(times), rates, 2 * BESIDE / 1e6)
    names = "SELECT key, title FROM grp WHERE id = ?"
    return [dict(zip(("key", "title"), db.execute(names, (group,)).fetchone(), strict=True)) for group in found]


def _only(db: sqlite3.Connection, own: Sequence[int], period: Period) -> dict[str, str]:
    """Facets of which all errors of the group in the period have one value, though others have others."""
    begin, mine = period.limits[0] // QUARTER, set(own)
    columns = [name for name in NAMES if name not in COMMON]
    words = {
        row[0]: dict(zip(columns, row[2:], strict=True)) | (orjson.loads(row[1]) if row[1] != NONE else {})
        for row in db.execute(f"SELECT id, own, {', '.join(columns)} FROM facet")  # noqa: S608 -- names of ours
    }
    of_own = defaultdict[str, Counter[str]](Counter)
    of_all = defaultdict[str, Counter[str]](Counter)
    for facet, n in db.execute("SELECT facet, sum(n) FROM daily WHERE start >= ? GROUP BY facet", (begin,)):
        for name, value in words.get(facet, {}).items():
            of_all[name][value] += n
            if facet in mine:
                of_own[name][value] += n
    return only_at({name: list(values.items()) for name, values in of_own.items()}, of_all)
