"""What is made of the counts of groups: which come back, when they usually come, with what, and where only."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from visigate_logging.insight.company import comes_with, only_at
from visigate_logging.insight.recurrence import FEWEST_DAYS, recurrence, rounded
from visigate_logging.insight.rhythm import rhythm_of
from visigate_logging.store.facets import NAMES
from visigate_logging.store.groups import Facet, all_facets
from visigate_logging.store.times import DAY, QUARTER, Period, from_micros

__all__ = ["find_forecasts", "insights_of"]

LOOKED_BACK = 180
"""Days from which forecasts are made: what is older weighs less than 1/400."""
RHYTHM_DAYS = 60
BESIDE = 5_000_000
"""Microseconds before and after an error in which another is of the same incident."""
LOOKED_AT = 20
"""Errors of a group that others are looked for beside."""
RATE_DAYS = 30
COMMON = {"type", "module", "severity", "category"}
"""Facets that a group has one value of anyway."""


def find_forecasts(
    db: sqlite3.Connection, period: Period, within: int, only: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """See :meth:`ErrorStore.forecast`."""
    facets = all_facets(db)
    begin = (period.now - LOOKED_BACK * DAY) // QUARTER
    days = defaultdict[int, set[int]](set)
    for facet, start in db.execute("SELECT facet, start FROM daily WHERE start >= ?", (begin,)):
        if facet in facets and (only is None or facets[facet].grp in only):
            days[facets[facet].grp].add((period.now // QUARTER - start) * QUARTER // DAY)
    found = []
    for group, ago in days.items():
        if len(ago) >= FEWEST_DAYS:
            key, title, first = db.execute("SELECT key, title, first FROM grp WHERE id = ?", (group,)).fetchone()
            p = recurrence((max(0, n) for n in ago), max(0, (period.now - first) // DAY), within)
            found.append(
                {"key": key, "title": title, "within_days": within, "probability": rounded(p), "days": len(ago)}
            )
    return sorted(found, key=lambda f: (-f["probability"], -f["days"], f["key"]))


def insights_of(db: sqlite3.Connection, period: Period, key: str) -> dict[str, Any]:
    """Return ``forecast``, ``rhythm``, ``comes_with`` and ``only`` of a group; what is unknown is None or empty."""
    facets = all_facets(db)
    row = db.execute("SELECT coalesce(heir, id) FROM grp WHERE key = ?", (key,)).fetchone()
    own = [number for number, facet in facets.items() if row and facet.grp == row[0]]
    forecasts = find_forecasts(db, period, 7, [row[0]]) if row else []
    rhythm = rhythm_of(_hours_of_days(db, own, period), max(1, len({facet.grp for facet in facets.values()})))
    return {
        "forecast": {name: forecasts[0][name] for name in ("within_days", "probability")} if forecasts else None,
        "rhythm": rhythm._asdict() if rhythm else None,
        "comes_with": _company(db, own, facets, period),
        "only": _only(db, own, period),
    }


def _hours_of_days(db: sqlite3.Connection, own: Sequence[int], period: Period) -> list[tuple[int, int, int]]:
    begin = (period.now - RHYTHM_DAYS * DAY) // QUARTER
    found = Counter[tuple[int, int]]()
    for facet in own:
        for quarter, n in db.execute("SELECT quarter, n FROM tally WHERE facet = ? AND quarter >= ?", (facet, begin)):
            when = from_micros(quarter * QUARTER, period.tz)
            found[when.toordinal(), when.hour] += n
    return [(day, hour, n) for (day, hour), n in found.items()]


def _company(
    db: sqlite3.Connection, own: Sequence[int], facets: Mapping[int, Facet], period: Period
) -> list[dict[str, Any]]:
    """Groups that come within seconds of most of the latest errors, each of an incident of its own."""
    wanted = orjson.dumps(list(own)).decode()
    times: list[int] = []
    sql = "SELECT at FROM record WHERE facet IN (SELECT value FROM json_each(?)) AND at < ? ORDER BY at DESC LIMIT 1"
    before = period.now + DAY
    while len(times) < LOOKED_AT and (row := db.execute(sql, (wanted, before)).fetchone()):
        times.append(row[0])
        before = row[0] - 2 * BESIDE
    mine = {facets[facet].grp for facet in own}
    seen = Counter[int]()
    for at in times:
        rows = db.execute("SELECT DISTINCT facet FROM record WHERE at BETWEEN ? AND ?", (at - BESIDE, at + BESIDE))
        seen.update({facets[facet].grp for (facet,) in rows if facet in facets} - mine)
    if not seen:
        return []
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
        row[0]: dict(zip(columns, row[2:], strict=True)) | orjson.loads(row[1])
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
