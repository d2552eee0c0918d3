"""Groups: errors that belong together, how often and since when."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError
from visigate_logging.insight.trends import trend_of
from visigate_logging.store.facets import Filter, facets_of
from visigate_logging.store.statistics import cells
from visigate_logging.store.times import QUARTER, Period, from_micros

__all__ = ["Group", "GroupPage", "all_facets", "count_groups", "find_groups", "known_days", "varying"]

RANKS = {"CRITICAL": 5, "ERROR": 4, "WARNING": 3, "INFO": 2, "DEBUG": 1}


@dataclass(frozen=True)
class Group:
    """One group over a period of days.

    Args:
        key: the fingerprint.
        title: type and message of its latest error.
        culprit: the line that names it.
        type, module, category: of most of its errors in the period.
        severity: the worst in the period.
        count: errors in the period.
        first_seen, last_seen: of all its errors, also before the period.
        daily: errors on each day of the period, the oldest first.
        latest: the id of its latest error.
        new: whether it was first seen in the period.
        trend: whether it rises or falls over the whole days of the period: ``rising``, ``falling``, ``steady``, or
            ``too few days`` to say.
    """

    key: str
    title: str
    culprit: str
    type: str
    module: str
    category: str
    severity: str
    count: int
    first_seen: datetime
    last_seen: datetime
    daily: tuple[int, ...]
    latest: str
    new: bool
    trend: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, times as ISO 8601."""
        return asdict(self) | {
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
        }


@dataclass(frozen=True)
class GroupPage:
    """Some groups, and what to pass as ``cursor`` for those after them; None when there are no more."""

    groups: Sequence[Group]
    cursor: str | None = None

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Group:
        return self.groups[number]


class Tally:
    """Counts of one group in the period."""

    def __init__(self, days: int) -> None:
        self.daily = [0] * days
        self.facets = Counter[int]()


class Facet(NamedTuple):
    """The words that a count is of; the names are the index's columns."""

    grp: int
    type: str
    module: str
    category: str
    severity: str


def all_facets(db: sqlite3.Connection, only: Iterable[int] | None = None) -> dict[int, Facet]:
    """What the counts of the index are of, by number.

    Args:
        db: the index.
        only: these; None for all.
    """
    columns = ", ".join(Facet._fields[1:])
    sql = f"SELECT facet.id, coalesce(grp.heir, grp.id), {columns} FROM facet JOIN grp ON grp.id = facet.grp"  # noqa: S608 -- fields of ours
    if only is not None:
        sql += " WHERE facet.id IN (SELECT value FROM json_each(?))"
    values = () if only is None else (orjson.dumps(list(only)).decode(),)
    return {row[0]: Facet(*row[1:]) for row in db.execute(sql, values)}


def find_groups(
    db: sqlite3.Connection,
    period: Period,
    asked: Filter,
    *,
    limit: int,
    order: str = "last",
    text: str | None = None,
    cursor: str | None = None,
) -> GroupPage:
    """See :meth:`ErrorStore.groups`."""
    facets = all_facets(db, facets_of(db, asked))
    tallies = count_groups(db, period, facets)
    places = [
        (tallies[group].facets.total() if order == "count" else last, group)
        for group, last, title, culprit in db.execute("SELECT id, last, title, culprit FROM grp")
        if group in tallies and (not text or text.casefold() in f"{title}\n{culprit}".casefold())
    ]
    places.sort(reverse=True)
    if cursor:
        after = _parse(cursor)
        places = [place for place in places if place < after]
    known = known_days(db, period)
    shown = [_group(db, group, tallies[group], facets, period, known) for _, group in places[:limit]]
    value, last = places[limit - 1] if len(places) > limit else (None, None)
    return GroupPage(shown, None if value is None else f"{value}-{last}")


def _parse(cursor: str) -> tuple[int, int]:
    try:
        value, group = cursor.rsplit("-", 1)
        return int(value), int(group)
    except ValueError as error:
        raise StoreError(f"{cursor!r} is not a cursor; take the one that the page before gave") from error


def count_groups(db: sqlite3.Connection, period: Period, facets: Mapping[int, Facet]) -> dict[int, Tally]:
    """Counts of each group with errors in a period, as far as they are of some facets."""
    found: dict[int, Tally] = {}
    tallies: dict[int, Tally] = {}
    for facet, day, n in cells(db, period.limits, by_day=period.tz is None, facets=facets):
        tally = tallies.get(facet)
        if tally is None:
            if facet not in facets:
                continue
            group = facets[facet].grp
            tally = tallies[facet] = found.get(group) or found.setdefault(group, Tally(period.days))
        tally.daily[day] += n
        tally.facets[facet] += n
    return found


def known_days(db: sqlite3.Connection, period: Period) -> int:
    """Return of how many whole days of a period there is a log."""
    (first,) = db.execute("SELECT min(quarter) FROM tally WHERE facet = 0").fetchone()
    return 0 if first is None else sum(limit >= first * QUARTER for limit in period.limits[:-2])


def _group(
    db: sqlite3.Connection, number: int, tally: Tally, facets: Mapping[int, Facet], period: Period, known: int
) -> Group:
    key, title, culprit, first, last, latest = db.execute(
        "SELECT key, title, culprit, first, last, latest FROM grp WHERE id = ?", (number,)
    ).fetchone()
    usual = facets[max(tally.facets, key=tally.facets.__getitem__)]
    return Group(
        key=key,
        title=title,
        culprit=culprit,
        type=usual.type,
        module=usual.module,
        category=usual.category,
        severity=max((facets[f].severity for f in tally.facets), key=lambda s: RANKS.get(s, 0)),
        count=tally.facets.total(),
        first_seen=from_micros(first, period.tz),
        last_seen=from_micros(last, period.tz),
        daily=tuple(tally.daily),
        latest=latest,
        new=first >= period.limits[0],
        trend=trend_of(tuple(tally.daily[:-1]), known).direction,  # today is not over
    )


def varying(records: Sequence[ErrorDetail], most: int = 5) -> dict[str, dict[str, int]]:
    """What differs between the errors of a group: of each field with several values the most frequent."""
    fields = (
        "error_message",
        "message",
        "severity",
        "host",
        "process",
        "thread",
        "line",
        "release",
        "service",
    )
    values: dict[str, Counter[str]] = {name: Counter(str(getattr(r, name)) for r in records) for name in fields}
    for name in {name for r in records for name in r.additional_info}:
        values[f"additional_info.{name}"] = Counter(str(r.additional_info.get(name, "—")) for r in records)
    return {name: dict(seen.most_common(most)) for name, seen in sorted(values.items()) if len(seen) > 1}
