"""Trends and bursts: whether errors rise or fall in a period, and when they came in bursts.

What the rule for bursts remembers of each group is kept in the index, so that hours that are past are not counted
again; counts that change later (a record that was late, or whose clock was wrong) have it begin anew for that group.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from visigate_logging.insight.bursts import Burst, BurstRule
from visigate_logging.insight.trends import trend_of
from visigate_logging.store.counts import EVERYTHING
from visigate_logging.store.facets import Filter, facets_of
from visigate_logging.store.groups import Facet, all_facets, count_groups, known_days
from visigate_logging.store.times import HOUR, QUARTER, Period, from_micros

__all__ = ["bursts_of", "find_trends"]

PER_HOUR = HOUR // QUARTER
KEPT = 24 * 400
"""Hours for which bursts are remembered."""
HOURS = (
    f"SELECT facet, quarter / {PER_HOUR} AS hour, sum(n) FROM facets CROSS JOIN tally ON tally.facet = facets.id "  # noqa: S608 -- names of ours
    f"WHERE quarter >= :begin * {PER_HOUR} AND quarter < :end * {PER_HOUR} GROUP BY facet, hour"
)

Hours = dict[int, dict[int, int]]
"""Counts by group and hour; the group EVERYTHING is all of them."""


def find_trends(db: sqlite3.Connection, period: Period, key: str | None) -> dict[str, Any]:
    """See :meth:`ErrorStore.trends`."""
    facets = all_facets(db, facets_of(db, Filter({"group": key})))
    mine = "id = (SELECT root FROM family WHERE key = ?)" if key else "id = root"
    groups = db.execute(f"SELECT id, key, title FROM family WHERE {mine}", (key,) if key else ()).fetchall()  # noqa: S608 -- names of ours
    tallies = count_groups(db, period, facets)
    bursts = bursts_of(db, facets, period, everything=not key)
    totals = _totals(db, facets)
    known = known_days(db, period)

    def trend(number: int, daily: Sequence[int]) -> dict[str, Any]:
        verdict = trend_of(tuple(daily[:-1]), known)  # today is not over
        return {
            "count": sum(daily),
            "total": totals.get(number, 0),
            "daily": list(daily),
            "trend": verdict.direction,
            "p": verdict.p,
            "bursts": [_told(burst, period) for burst in bursts.get(number, ())],
        }

    found = [
        {"key": name, "title": title}
        | trend(number, tallies[number].daily if number in tallies else [0] * period.days)
        for number, name, title in groups
        if number in tallies or key
    ]
    if key:
        return {"groups": found}
    everything = [sum(day) for day in zip([0] * period.days, *(t.daily for t in tallies.values()), strict=True)]
    totals[EVERYTHING] = sum(totals.values())
    return {
        "total": trend(EVERYTHING, everything),
        "groups": sorted(found, key=lambda g: (-g["count"], g["key"])),
    }


def _totals(db: sqlite3.Connection, facets: Mapping[int, Facet]) -> dict[int, int]:
    """Return all errors that were ever counted, by group."""
    found = defaultdict[int, int](int)
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
    sql = "SELECT grp, upto, rule, bursts FROM burst_state WHERE grp IN (SELECT value FROM json_each(?))"
    states = {row[0]: row[1:] for row in db.execute(sql, (orjson.dumps(list(groups)).decode(),))}
    begin = min((states[group][0] for group in groups), default=now) if groups <= states.keys() else -(1 << 40)
    past = _hours(db, facets, begin, now, everything=everything)
    current = _hours(db, facets, now, now + 1, everything=everything)
    found, changed = {}, []
    for group in groups:
        upto, rule, bursts = states.get(group, (-(1 << 40), None, "[]"))
        told = [Burst(*burst) for burst in orjson.loads(bursts)]
        fresh = sorted((hour, n) for hour, n in past.get(group, {}).items() if hour >= upto)
        if fresh or group not in states:
            rule, more = _go_on(rule, fresh)
            told = [burst for burst in [*told, *more] if burst.hour > now - KEPT]
            changed.append((group, now, rule, orjson.dumps([list(burst) for burst in told]).decode()))
        if group in current:
            _, more = _go_on(rule, current[group].items())
            told += more
        if told := [burst for burst in told if burst.hour + burst.hours > first]:
            found[group] = told
    _remember(db, changed)
    return found


def _go_on(remembered: str | None, hours: Iterable[tuple[int, int]]) -> tuple[str, list[Burst]]:
    rule = BurstRule.from_list(orjson.loads(remembered)) if remembered else BurstRule()
    bursts = [burst for hour, n in hours if (burst := rule.see(hour, n))]
    return orjson.dumps(rule.to_list()).decode(), bursts


def _hours(db: sqlite3.Connection, facets: Mapping[int, Facet], begin: int, end: int, *, everything: bool) -> Hours:
    """Counts of the hours from one up to another."""
    asked = {"begin": begin, "end": end, "facets": orjson.dumps([*facets, *([EVERYTHING] * everything)]).decode()}
    found: Hours = {}
    sql = f"WITH facets (id) AS (SELECT value FROM json_each(:facets)) {HOURS}"  # noqa: S608 -- names of ours
    for facet, hour, n in db.execute(sql, asked):
        own = found.setdefault(facets[facet].grp if facet else EVERYTHING, {})
        own[hour] = own.get(hour, 0) + n
    return found


def _remember(db: sqlite3.Connection, changed: Sequence[tuple[int, int, str, str]]) -> None:
    """Keep what has been worked out, unless somebody else writes just now."""
    if not changed:
        return
    with suppress(sqlite3.OperationalError):
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT OR REPLACE INTO burst_state VALUES (?, ?, ?, ?)", changed)
        finally:
            db.execute("COMMIT")
