"""What is made of the counts of groups: which come back, when they usually come, and with what."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson

from visigate_logging.insight.correlation import beside, comes_with
from visigate_logging.insight.recurrence import FEWEST_DAYS, recurrence, rounded
from visigate_logging.insight.rhythm import rhythm_of
from visigate_logging.store.differences import Counted
from visigate_logging.store.facets import roots_of
from visigate_logging.store.groups import Group, all_facets
from visigate_logging.store.search import find
from visigate_logging.store.times import DAY, HOUR, QUARTER, Period, from_micros

LOOKED_BACK = 180
"""Days from which forecasts are made: what is older weighs less than 1/400."""
RHYTHM_DAYS = 60
BESIDE = 5_000_000
"""Microseconds before and after an error in which another is of the same incident."""
LOOKED_AT = 20
"""Errors of a group that others are looked for beside."""
MOST_READ = 400
NEWEST = 1_000
"""Errors by which is judged which groups of a list come with one another."""


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


def insights_of(
    db: sqlite3.Connection, own: Sequence[int], counts: Mapping[int, Counted], period: Period
) -> dict[str, Any]:
    """Return ``forecast``, ``rhythm`` and ``comes_with`` of a group; what is unknown is None or empty.

    Args:
        db: the index.
        own: the facets of the group.
        counts: of all facets, in the period.
        period: the period.
    """
    forecasts = find_forecasts(db, period, 7, own)
    (groups,) = db.execute("SELECT count(*) FROM family WHERE id = root").fetchone()
    rhythm = rhythm_of(_hours_of_days(db, own, period), groups)
    return {
        "forecast": {name: forecasts[0][name] for name in ("within_days", "probability")} if forecasts else None,
        "rhythm": rhythm._asdict() if rhythm else None,
        "comes_with": _company(db, own, counts, period),
    }


def together(db: sqlite3.Connection, groups: Sequence[Group]) -> dict[str, list[str]]:
    """Return which of some groups come with one another, by key, as far as the newest errors tell."""
    roots, facets = roots_of(db, [group.key for group in groups]), all_facets(db)
    keys = {root: key for key, root in roots.items()}
    newest = db.execute("SELECT at, facet FROM record ORDER BY at DESC, tie DESC LIMIT ?", (NEWEST,))
    errors = [(at, facets[facet].grp) for at, facet in newest if facets[facet].grp in keys]
    seen, of = beside(errors[::-1], BESIDE)
    rates = {roots[group.key]: group.count / (len(group.daily) * DAY / 1e6) for group in groups}
    return {
        keys[root]: [keys[other] for other in comes_with(others, of[root], rates, 2 * BESIDE / 1e6)]
        for root, others in seen.items()
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


def _company(
    db: sqlite3.Connection, own: Sequence[int], counts: Mapping[int, Counted], period: Period
) -> list[dict[str, Any]]:
    """Groups that come within seconds of most of the latest errors, each of an incident of its own."""
    times: list[int] = []
    for at, *_ in islice(find(db, own, None, from_micros(period.now + DAY), None), MOST_READ):
        if not times or at < times[-1] - 2 * BESIDE:
            times.append(at)
        if len(times) == LOOKED_AT:
            break
    sql = (
        "SELECT DISTINCT time.value, facet FROM json_each(?) AS time CROSS JOIN record "
        "WHERE at BETWEEN time.value - ? AND time.value + ?"
    )
    others = [row for row in db.execute(sql, (orjson.dumps(times).decode(), BESIDE, BESIDE)) if row[1] not in own]
    facets = all_facets(db, {number for _, number in others})
    seen = Counter(group for _, group in {(at, facets[number].grp) for at, number in others})
    rates = defaultdict[int, float](float)
    for number, facet in facets.items():
        if number in counts:
            rates[facet.grp] += counts[number].n / (period.days * DAY / 1e6)
    found = comes_with(seen, len(times), rates, 2 * BESIDE / 1e6)
    names = "SELECT key, title FROM grp WHERE id = ?"
    return [dict(zip(("key", "title"), db.execute(names, (group,)).fetchone(), strict=True)) for group in found]
