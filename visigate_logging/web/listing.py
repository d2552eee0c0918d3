"""The list: what is asked of the store for it, and what its template gets."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from visigate_logging.detail.plain import plain
from visigate_logging.insight.bursts import FEWEST
from visigate_logging.present.words import meant
from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.decisions import decisions_path
from visigate_logging.web.charts import stacked
from visigate_logging.web.query import PERIODS, SORTS, STATES, Query, askable
from visigate_logging.web.recoveries import Recoveries

ROWS = 50
DAYS = 30
CHOICES = 100
"""Values offered for one filter."""
RECENT = timedelta(days=1)
SAME = timedelta(minutes=1)
"""By how much the last errors of groups may differ that are shown as one incident."""
MOST_EXPORTED = 10_000
"""Errors of one CSV file."""


class Listing:
    """What lists of groups and of single errors show.

    Args:
        store: the errors.
        recoveries: what was mended.
    """

    def __init__(self, store: ErrorStore, recoveries: Recoveries) -> None:
        self._store = store
        self._recoveries = recoveries

    def asked(self, args: Mapping[str, str]) -> tuple[Query, Mapping[str, list[str]]]:
        """Return what an address asks for, and the values that there are of what it can ask for."""
        known = {name: words for name, words in self._store.choices().items() if askable(name)}
        return Query.from_address(args, known), known

    def found(self, query: Query, known: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return what the template needs."""
        now = datetime.now(UTC)
        return {
            "query": query,
            "now": now,
            "periods": PERIODS,
            "sorts": SORTS,
            "states": STATES,
            "chart": None if query.is_narrow else self._chart(query),
            "choices": _choices(query, known),
            "unknown": list(_unknown(query, known)),
            **(self._groups(query, now) if query.view == "groups" else self._errors(query, now)),
        }

    def mark(self) -> tuple[object, ...]:
        """Return what is another as soon as there is something new to show."""
        newest = self._store.recent(1).records
        try:
            decided = decisions_path(self._store.path).stat().st_mtime_ns
        except OSError:  # nothing was decided yet
            decided = 0
        return newest[0].event_id if newest else "", decided

    def errors(self, query: Query) -> Iterator[Any]:
        """Return all errors that are asked for, the newest first, up to so many as one file may have."""
        cursor, left = None, MOST_EXPORTED
        since = query.begin(datetime.now(UTC))
        while left > 0:
            page = self._store.recent(
                min(left, 500),
                since=since,
                until=query.until,
                text=query.text or None,
                cursor=cursor,
                **query.words,
            )
            yield from page
            left, cursor = left - len(page), page.cursor
            if not cursor:
                return

    def _chart(self, query: Query) -> Any:
        if query.period == "24h":
            return stacked(self._store.timeline(hours=24, **query.words), "%H:%M")
        return stacked(self._store.timeline(days=PERIODS[query.period][1].days, **query.words), "%d %b")

    def _groups(self, query: Query, now: datetime) -> dict[str, Any]:
        begin, days = query.begin(now), PERIODS[query.period][1].days + (query.period == "24h")
        page = self._store.groups(
            ROWS,
            days=days if query.sort == "count" else DAYS,
            order=query.sort,
            text=query.text or None,
            cursor=query.cursor,
            state=None if query.state == "all" else query.state,
            first_since=now - RECENT if query.new else None,
            **query.words,
        )
        shown = [group for group in page if group.last_seen >= begin]
        # Ordered by when they were last seen, what is too old is followed by nothing newer.
        cursor = None if query.sort == "last" and len(shown) < len(page) else page.cursor
        is_mended = self._recoveries.mended()
        busy = [group.key for group in shown if sum(group.daily[-2:]) >= FEWEST]
        bursts = self._store.bursting(busy, now - RECENT)
        rows = [
            (group, sum(group.daily[-days:]), _marks(group, now, is_mended, bursts), is_with)
            for group, is_with in self._as_incidents(shown, query)
        ]
        span = "since yesterday" if query.period == "24h" else f"in {days} days"
        return _listed(groups=rows, cursor=cursor, counts=page.states, span=span)

    def _as_incidents(self, groups: Sequence[Group], query: Query) -> Iterator[tuple[Group, bool]]:
        """Return the groups, those that came with another right behind it, and whether they are such."""
        others = self._store.together(groups) if query.sort == "last" else {}
        left = {group.key: group for group in groups}
        while left:
            first = left.pop(next(iter(left)))
            yield first, False
            for key in others.get(first.key, ()):
                if key in left and first.last_seen - left[key].last_seen <= SAME:
                    yield left.pop(key), True

    def _errors(self, query: Query, now: datetime) -> dict[str, Any]:
        page = self._store.recent(
            ROWS,
            since=query.begin(now),
            until=query.until,
            text=query.text or None,
            cursor=query.cursor,
            **query.words,
        )
        return _listed(errors=page.records, cursor=page.cursor, searched_back_to=page.searched_back_to)


def _marks(group: Group, now: datetime, is_mended: Callable[[Group], bool], bursts: Container[str]) -> list[str]:
    marks = {
        "new": group.first_seen > now - RECENT,
        "rising": group.trend == "rising",
        "burst": group.key in bursts,
        "recovered": is_mended(group),
        "came back": group.state.regressed,
        group.state.name: group.state.name != "open",
    }
    return [mark for mark, holds in marks.items() if holds]


def _listed(**found: Any) -> dict[str, Any]:
    return {"groups": (), "errors": (), "cursor": None, "searched_back_to": None, "counts": {}, "span": ""} | found


def _choices(query: Query, known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return what to offer for each facet, as far as errors differ in it or one is asked for."""
    asked = query.words
    return {name: _offered(asked.get(name, ""), words) for name, words in known.items() if words != [""]}


def _offered(chosen: str, known: list[str]) -> list[str]:
    """Words for a filter, that which is set among them; those that no form could give back are left out."""
    words = known[:CHOICES] if not chosen or chosen in known[:CHOICES] else [chosen, *known[:CHOICES]]
    return [word for word in words if word == plain(word)]


def _unknown(query: Query, known: Mapping[str, list[str]]) -> Iterator[str]:
    """Say what is asked for that no error has, and what may be meant."""
    yield from query.problems
    for name, word in query.words.items():
        if name in known and word not in known[name]:
            yield f"No error has the {name} “{word}”{meant(word, known[name])}"
