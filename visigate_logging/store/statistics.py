"""Counting: totals by day and by what records are searched by."""

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from visigate_logging.store.counts import EVERYTHING
from visigate_logging.store.facets import FACETS, NAMES, counts_of
from visigate_logging.store.times import HOUR, QUARTER, Period, from_micros


def count_errors(db: sqlite3.Connection, period: Period) -> dict[str, Any]:
    """See :meth:`ErrorStore.statistics`."""
    by_facet = spans_of(db, period.limits, by_day=period.tz is None)
    totals = {number: sum(days) for number, days in by_facet.items()}
    answer: dict[str, Any] = {"total_errors": sum(totals.values())}
    words = {row[0]: row[1:] for row in db.execute(f"SELECT id, {', '.join(NAMES)}, own FROM facet")}  # noqa: S608 -- names of ours
    for column, facet in enumerate(FACETS):
        answer[facet.counts] = counts_of((words[number][column], n) for number, n in totals.items())
    own = {number: orjson.loads(words[number][-1]) for number in totals}
    names = sorted({name for values in own.values() for name in values})
    answer["facets"] = {
        name: counts_of((values[name], totals[number]) for number, values in own.items() if name in values)
        for name in names
    }
    by_day = (sum(day) for day in zip([0] * period.days, *by_facet.values(), strict=True))
    answer["daily_counts"] = {day.isoformat(): n for day, n in zip(period.dates, by_day, strict=True)}
    answer["hours"] = _hours_of_day(db, period)
    return answer


def _hours_of_day(db: sqlite3.Connection, period: Period) -> dict[str, int]:
    hours = dict.fromkeys((f"{hour:02}" for hour in range(24)), 0)
    for quarter, n in db.execute(
        "SELECT quarter, n FROM tally WHERE facet = ? AND quarter >= ? AND quarter < ?",
        (EVERYTHING, period.limits[0] // QUARTER, period.limits[-1] // QUARTER),
    ):
        hours[f"{from_micros(quarter * QUARTER, period.tz).hour:02}"] += n
    return hours


def spans_of(
    db: sqlite3.Connection, limits: Sequence[int], *, by_day: bool, facets: Collection[int] | None = None
) -> dict[int, list[int]]:
    """Return how many errors there were in each span of time, by facet; without those of which there was none.

    Args:
        db: the index.
        limits: where the spans begin, and where the last one ends; whole quarters of an hour.
        by_day: whether the spans are days of the local time zone, which are counted already.
        facets: only these; None for all.
    """
    quarters = [limit // QUARTER for limit in limits]
    if by_day:
        sql = "SELECT facet, start, n FROM daily WHERE start >= ? AND start < ?"
    else:
        sql = (
            "SELECT tally.facet, quarter, n FROM facet CROSS JOIN tally ON tally.facet = facet.id "
            "WHERE quarter >= ? AND quarter < ?"
        )
    values: list[Any] = [quarters[0], quarters[-1]]
    if facets is not None:
        sql += " AND facet IN (SELECT value FROM json_each(?))"
        values.append(orjson.dumps(list(facets)).decode())
    numbers = {start: number for number, start in enumerate(quarters)}
    empty, found = [0] * (len(quarters) - 1), dict[int, list[int]]()
    for facet, start, n in db.execute(sql, values):
        spans = found.get(facet)
        if spans is None:
            spans = found[facet] = empty.copy()
        number = numbers.get(start)
        spans[bisect_right(quarters, start) - 1 if number is None else number] += n
    return found


def count_over_time(
    db: sqlite3.Connection, period: Period, *, hours: int = 0, facets: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """See :meth:`ErrorStore.timeline`; with ``hours``, these instead of the period's days."""
    end = (period.now // HOUR + 1) * HOUR
    limits = range(end - hours * HOUR, end + 1, HOUR) if hours else period.limits
    severity = dict(db.execute("SELECT id, severity FROM facet"))
    counts = [Counter[str]() for _ in limits[1:]]
    for facet, spans in spans_of(db, limits, by_day=period.tz is None and not hours, facets=facets).items():
        for span, n in enumerate(spans):
            if n:
                counts[span][severity[facet]] += n
    return [
        {"start": from_micros(limit, period.tz).isoformat(), "total": count.total(), "severities": dict(count)}
        for limit, count in zip(limits, counts, strict=False)
    ]


def count_totals(db: sqlite3.Connection, limit: int) -> dict[str, Any]:
    """See :meth:`ErrorStore.totals`."""
    kinds, types = Counter[tuple[str, str]](), Counter[str]()
    groups = Counter[str]()
    of_group: dict[str, tuple[str, int]] = {}
    rows = db.execute(
        "SELECT severity, category, type, own.key, own.last, (SELECT sum(n) FROM daily WHERE daily.facet = facet.id) "
        "FROM facet JOIN grp ON grp.id = facet.grp JOIN grp AS own ON own.id = coalesce(grp.heir, grp.id)"
    )
    for severity, category, kind, key, last, n in rows:
        kinds[severity, category] += n or 0
        types[kind] += n or 0
        groups[key] += n or 0
        of_group[key] = (kind, last)
    latest = sorted(of_group, key=lambda key: of_group[key][1], reverse=True)[:limit]
    return {
        "kinds": kinds.most_common(limit),
        "types": types.most_common(limit),
        "groups": [(key, of_group[key][0], groups[key]) for key in latest],
        "last": max((last for _, last in of_group.values()), default=0) / 1e6,
    }
