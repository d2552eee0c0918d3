"""Groups: errors that belong together, how often and since when."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from operator import add
from typing import Any, NamedTuple

import orjson

from visigate_logging.exceptions import StoreError
from visigate_logging.insight.trends import trend_of
from visigate_logging.store.facets import Filter, facets_of
from visigate_logging.store.names import GroupName, group_names
from visigate_logging.store.states import Decided
from visigate_logging.store.statistics import spans_of
from visigate_logging.store.times import QUARTER, Period, from_micros, micros
from visigate_logging.triage.states import OPEN, RANKS, STATES, State


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
        state: open, resolved or muted, and by which decision.
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
    state: State = OPEN

    def to_dict(self) -> dict[str, Any]:
        """Plain values, times as ISO 8601."""
        return asdict(self) | {
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
        }


@dataclass(frozen=True)
class GroupPage:
    """Some groups.

    Args:
        groups: in the order that was asked for.
        cursor: what to pass as ``cursor`` for those after them; None when there are no more.
        states: how many groups are in each state, of all that the other filters let through.
    """

    groups: Sequence[Group]
    cursor: str | None = None
    states: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Group:
        return self.groups[number]


Place = tuple[int, int]
"""What groups are ordered by, and the number of one."""


class Tally(NamedTuple):
    """Counts of one group in the period: by day, and by facet."""

    daily: list[int]
    facets: dict[int, int]


class Facet(NamedTuple):
    """The words that a count is of; the names are the index's columns."""

    grp: int
    type: str
    module: str
    category: str
    severity: str


def all_facets(db: sqlite3.Connection, only: Iterable[int] | None = None) -> dict[int, Facet]:
    """Return what the counts of the index are of, by number.

    Args:
        db: the index.
        only: these; None for all.
    """
    columns = ", ".join(Facet._fields[1:])
    sql = f"SELECT facet.id, root, {columns} FROM facet JOIN family ON family.id = facet.grp"  # noqa: S608 -- fields of ours
    if only is not None:
        sql += " WHERE facet.id IN (SELECT value FROM json_each(?))"
    values = () if only is None else (orjson.dumps(list(only)).decode(),)
    return {row[0]: Facet(*row[1:]) for row in db.execute(sql, values)}


class Wanted(NamedTuple):
    """Which groups of those that a filter lets through, and in which order; see :meth:`ErrorStore.groups`."""

    limit: int
    order: str = "last"
    text: str | None = None
    cursor: str | None = None
    state: str | None = None
    first_since: datetime | None = None


def find_groups(db: sqlite3.Connection, period: Period, asked: Filter, decided: Decided, wanted: Wanted) -> GroupPage:
    """See :meth:`ErrorStore.groups`."""
    limit, order, text, cursor, state, first_since = wanted
    _check(state, order)
    facets = all_facets(db, facets_of(db, asked))
    tallies = count_groups(db, period, facets)
    named = {
        group: name
        for group, name in group_names(db).items()
        if group in tallies
        and (not text or text.casefold() in f"{name.title}\n{name.culprit}".casefold())
        and (first_since is None or name.first >= micros(first_since))
    }
    states = decided.states(named)
    counted = Counter(states.get(group, OPEN).name for group in named)
    places = [
        (ORDERS[order](name, tallies[group], facets), group)
        for group, name in named.items()
        if state is None or states.get(group, OPEN).name == state
    ]
    page, more = _page_of(places, limit, cursor)
    known = known_days(db, period)
    shown = [
        group_of(named[group], tallies[group], facets, period, known, states.get(group, OPEN)) for _, group in page
    ]
    return GroupPage(shown, more, {name: counted[name] for name in STATES})


def _check(state: str | None, order: str) -> None:
    if state not in (None, *STATES):
        raise StoreError(f"no group can be {state!r}; possible are {', '.join(STATES)}")
    if order not in ORDERS:
        raise StoreError(f"groups are not ordered by {order!r}; possible are {', '.join(ORDERS)}")


def _page_of(places: Sequence[Place], limit: int, cursor: str | None) -> tuple[Sequence[Place], str | None]:
    """Return the first places behind a cursor, and the cursor of those after them."""
    after = _parse(cursor) if cursor else None
    found = sorted((place for place in places if after is None or place < after), reverse=True)
    return found[:limit], "{}-{}".format(*found[limit - 1]) if len(found) > limit else None


def _parse(cursor: str) -> tuple[int, int]:
    try:
        value, group = cursor.rsplit("-", 1)
        return int(value), int(group)
    except ValueError as error:
        raise StoreError(f"{cursor!r} is not a cursor; take the one that the page before gave") from error


def count_groups(db: sqlite3.Connection, period: Period, facets: Mapping[int, Facet]) -> dict[int, Tally]:
    """Return the counts of each group with errors in a period, as far as they are of some facets."""
    found: dict[int, Tally] = {}
    for number, days in spans_of(db, period.limits, by_day=period.tz is None, facets=facets).items():
        tally = found.setdefault(facets[number].grp, Tally([0] * period.days, {}))
        tally.daily[:] = map(add, tally.daily, days)
        tally.facets[number] = sum(days)
    return found


def known_days(db: sqlite3.Connection, period: Period) -> int:
    """Return of how many whole days of a period there is a log."""
    (first,) = db.execute("SELECT min(quarter) FROM tally WHERE facet = 0").fetchone()
    return 0 if first is None else sum(limit >= first * QUARTER for limit in period.limits[:-2])


def group_of(
    name: GroupName, tally: Tally, facets: Mapping[int, Facet], period: Period, known: int, state: State
) -> Group:
    """Return a group over a period in which it has errors.

    Args:
        name: what it is called.
        tally: its counts.
        facets: what they are of.
        period: the period.
        known: of how many days of it there is a log.
        state: what was decided.
    """
    usual = facets[max(tally.facets, key=tally.facets.__getitem__)]
    return Group(
        key=name.key,
        title=name.title,
        culprit=name.culprit,
        type=usual.type,
        module=usual.module,
        category=usual.category,
        severity=_worst(tally, facets),
        count=sum(tally.daily),
        first_seen=from_micros(name.first, period.tz),
        last_seen=from_micros(name.last, period.tz),
        daily=tuple(tally.daily),
        latest=name.latest,
        new=name.first >= period.limits[0],
        trend=trend_of(tuple(tally.daily[:-1]), known).direction,  # today is not over
        state=state,
    )


def _worst(tally: Tally, facets: Mapping[int, Facet]) -> str:
    return max((facets[f].severity for f in tally.facets), key=lambda s: RANKS.get(s, 0))


ORDERS: dict[str, Callable[[GroupName, Tally, Mapping[int, Facet]], int]] = {
    "last": lambda name, _tally, _facets: name.last,
    "first": lambda name, _tally, _facets: name.first,
    "count": lambda _name, tally, _facets: sum(tally.daily),
    "severity": lambda name, tally, facets: RANKS.get(_worst(tally, facets), 0) * 10**17 + name.last,
}
"""By what groups can be ordered, the highest first; a severity stands before any time in microseconds."""
