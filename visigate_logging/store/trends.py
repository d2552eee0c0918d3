"""Trends and bursts: whether errors rise or fall in a period, and when they came in bursts.

What the rule for bursts remembers of each group is kept in the index, so that hours that are past are not counted
again; counts that change later (a record that was late, or whose clock was wrong) have it begin anew for that group.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from visigate_logging.insight.bursts import Burst, BurstRule
from visigate_logging.insight.trends import trend_of
from visigate_logging.store.counts import EVERYTHING
from visigate_logging.store.facets import Filter, facets_of, roots_of
from visigate_logging.store.groups import Facet, Tally, all_facets, count_groups, known_days
from visigate_logging.store.names import group_names
from visigate_logging.store.times import HOUR, QUARTER, Period, from_micros

PER_HOUR = HOUR // QUARTER
KEPT = 24 * 400
"""Hours for which bursts are remembered."""
NEVER = -(1 << 40)
HOURS = (
    f"WITH asked (id, begin) AS (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)) "  # noqa: S608 -- names of ours
    f"SELECT facet, quarter / {PER_HOUR} AS hour, sum(n) FROM asked CROSS JOIN tally ON tally.facet = asked.id "
    f"WHERE quarter >= begin * {PER_HOUR} AND quarter < ? * {PER_HOUR} GROUP BY facet, hour"
)

Hours = dict[int, dict[int, int]]
"""Counts by group and hour; the group EVERYTHING is all of them."""


def find_trends(db: sqlite3.Connection, period: Period, key: str | None) -> dict[str, Any]:
    """See :meth:`ErrorStore.trends`."""
    facets = all_facets(db, facets_of(db, Filter({"group": key})))
    tallies = count_groups(db, period, facets)
    courses = courses_of(db, period, facets, tallies, everything=not key)
    names = group_names(db, key)
    groups = [
        {"key": names[number].key, "title": names[number].title} | course
        for number, course in courses.items()
        if number in names and (key or number in tallies)
    ]
    total = {} if key else {"total": courses[EVERYTHING]}
    return total | {"groups": sorted(groups, key=lambda g: (-g["count"], g["key"]))}


def courses_of(
    db: sqlite3.Connection,
    period: Period,
    facets: Mapping[int, Facet],
    tallies: Mapping[int, Tally],
    *,
    everything: bool = False,
) -> dict[int, dict[str, Any]]:
    """Return the course of each group: its counts, its trend, its bursts.

    Args:
        db: the index.
        period: the period.
        facets: whose groups are asked for.
        tallies: their counts in the period.
        everything: whether all errors together are asked for as well, as the group EVERYTHING.
    """
    bursts = bursts_of(db, facets, period, everything=everything)
    totals, known = _totals(db, facets), known_days(db, period)
    daily = {group: tallies[group].daily if group in tallies else [0] * period.days for group in totals}
    if everything:
        totals[EVERYTHING] = sum(totals.values())
        daily[EVERYTHING] = [sum(day) for day in zip([0] * period.days, *daily.values(), strict=True)]
    trends = {group: trend_of(tuple(days[:-1]), known) for group, days in daily.items()}  # today is not over
    return {
        group: {
            "count": sum(days),
            "total": totals[group],
            "daily": list(days),
            "trend": trends[group].direction,
            "p": trends[group].p,
            "bursts": [_told(burst, period) for burst in bursts.get(group, ())],
        }
        for group, days in daily.items()
    }


def _totals(db: sqlite3.Connection, facets: Mapping[int, Facet]) -> dict[int, int]:
    """Return all errors that were ever counted, by group."""
    found = dict.fromkeys((facet.grp for facet in facets.values()), 0)
    wanted = orjson.dumps(list(facets)).decode()
    for facet, n in db.execute(
        "SELECT facet, sum(n) FROM daily WHERE facet IN (SELECT value FROM json_each(?)) GROUP BY facet", (wanted,)
    ):
        found[facets[facet].grp] += n
    return found


def _told(burst: Burst, period: Period) -> dict[str, Any]:
    return {
        "start": from_micros(burst.hour * HOUR, period.tz).isoformat(),
        "hours": burst.hours,
        "count": burst.errors,
        "expected": round(burst.expected, 3),
        "score": round(burst.score, 2),
    }


def bursts_of(
    db: sqlite3.Connection, facets: Mapping[int, Facet], period: Period, *, everything: bool = False
) -> dict[int, list[Burst]]:
    """Return the bursts in a period by group, up to the hour that is not over yet.

    Args:
        db: the index.
        facets: whose groups are asked for.
        period: the period.
        everything: whether all errors together are asked for as well, as the group EVERYTHING.
    """
    groups = {facet.grp for facet in facets.values()} | ({EVERYTHING} if everything else set())
    now, first = period.now // HOUR, period.limits[0] // HOUR
    version = _version(db)
    sql = "SELECT grp, upto, rule, bursts FROM burst_state WHERE grp IN (SELECT value FROM json_each(?))"
    states = {row[0]: row[1:] for row in db.execute(sql, (orjson.dumps(list(groups)).decode(),))}
    past = _hours(db, facets, {group: states[group][0] if group in states else NEVER for group in groups}, now)
    current = _hours(db, facets, dict.fromkeys(groups, now), now + 1)
    found, changed = {}, []
    for group in groups:
        _, rule, bursts = states.get(group, (NEVER, None, "[]"))
        told = [Burst(*burst) for burst in orjson.loads(bursts)]
        fresh = sorted(past.get(group, {}).items())
        if fresh or group not in states:
            rule, more = _go_on(rule, fresh)
            told = [burst for burst in [*told, *more] if burst.hour > now - KEPT]
            changed.append((group, now, rule, orjson.dumps([list(burst) for burst in told]).decode()))
        if group in current:
            _, more = _go_on(rule, current[group].items())
            told += more
        if told := [burst for burst in told if burst.hour + burst.hours > first]:
            found[group] = told
    _remember(db, changed, [(now, group) for group in groups & states.keys() if states[group][0] < now], version)
    return found


def bursting(db: sqlite3.Connection, period: Period, keys: Iterable[str], since: int) -> set[str]:
    """Return which groups have had a burst that began after a time; see :meth:`ErrorStore.bursting`."""
    roots = roots_of(db, keys)
    facets = {number: facet for number, facet in all_facets(db).items() if facet.grp in roots.values()}
    bursts = bursts_of(db, facets, period)
    return {key for key, root in roots.items() if any(one.hour * HOUR > since for one in bursts.get(root, ()))}


def _go_on(remembered: str | None, hours: Iterable[tuple[int, int]]) -> tuple[str, list[Burst]]:
    rule = BurstRule.from_list(orjson.loads(remembered)) if remembered else BurstRule()
    bursts = [burst for hour, n in hours if (burst := rule.see(hour, n))]
    return orjson.dumps(rule.to_list()).decode(), bursts


def _hours(db: sqlite3.Connection, facets: Mapping[int, Facet], begins: Mapping[int, int], end: int) -> Hours:
    """Return the counts of the hours of groups, each from its own beginning up to one end."""
    asked = {number: begins[facet.grp] for number, facet in facets.items()}
    if EVERYTHING in begins:
        asked[EVERYTHING] = begins[EVERYTHING]
    found: Hours = {}
    for facet, hour, n in db.execute(HOURS, (orjson.dumps([*asked.items()]).decode(), end)):
        own = found.setdefault(facets[facet].grp if facet else EVERYTHING, {})
        own[hour] = own.get(hour, 0) + n
    return found


def _version(db: sqlite3.Connection) -> int:
    """Return what is another after somebody else has written."""
    (version,) = db.execute("PRAGMA data_version").fetchone()
    return int(version)


def _remember(
    db: sqlite3.Connection,
    changed: Sequence[tuple[int, int, str, str]],
    quiet: Sequence[tuple[int, int]],
    version: int,
) -> None:
    """Keep what has been worked out, and until when groups were quiet, unless somebody else has written meanwhile."""
    if not (changed or quiet):
        return
    with suppress(sqlite3.OperationalError):
        db.execute("BEGIN IMMEDIATE")
        try:
            if _version(db) == version:
                db.executemany("INSERT OR REPLACE INTO burst_state VALUES (?, ?, ?, ?)", changed)
                db.executemany("UPDATE burst_state SET upto = ? WHERE grp = ?", quiet)
        finally:
            db.execute("COMMIT")
