"""Questions about groups, and decisions about them."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import UnknownEventError
from visigate_logging.host.clock import rfc3339
from visigate_logging.store.differences import compared, counted, differences, releases_of
from visigate_logging.store.facets import Filter, facets_of
from visigate_logging.store.groups import (
    Group,
    GroupPage,
    Wanted,
    all_facets,
    count_groups,
    find_groups,
    group_of,
    known_days,
)
from visigate_logging.store.insights import find_forecasts, insights_of
from visigate_logging.store.names import group_names
from visigate_logging.store.record_queries import RecordQueries
from visigate_logging.store.search import find, keys_beginning
from visigate_logging.store.states import Decided, prepare_decision, root_of
from visigate_logging.store.times import micros
from visigate_logging.store.trends import courses_of, find_trends
from visigate_logging.triage.decisions import Decision
from visigate_logging.triage.states import State

EVENTS = 50


class GroupQueries(RecordQueries):
    """Questions about groups; see :class:`~visigate_logging.store.store.ErrorStore`."""

    def groups(
        self,
        limit: int = 50,
        *,
        days: int = 30,
        order: str = "last",
        text: str | None = None,
        cursor: str | None = None,
        state: str | None = None,
        first_since: datetime | None = None,
        **words: str | None,
    ) -> GroupPage:
        """Return the groups with errors in the last days.

        Args:
            limit: at most so many.
            days: the period, today included.
            order: ``last`` for the latest seen first, ``first`` for the newest kind first, ``count`` for the most
                frequent in the period first, ``severity`` for the worst first.
            text: only those with it in title or culprit, in any case.
            cursor: from an earlier page: go on after it.
            state: ``open``, ``resolved`` or ``muted``; None for all.
            first_since: only those whose first error came then or later.
            words: as in :meth:`recent`; only errors with them count.

        Raises:
            StoreError: the log cannot be read, or the cursor or the state is none.
        """
        period, asked = self._period(days), Filter(words)
        wanted = Wanted(limit, order, text, cursor, state, first_since)

        def question(db: sqlite3.Connection) -> GroupPage:
            page = find_groups(db, period, asked, self._decided(db), wanted)
            return replace(page, groups=[self._with_latest(db, g) for g in page])

        return self._access.ask(question)

    def _with_latest(self, db: sqlite3.Connection, group: Group) -> Group:
        """Return a group with its latest error, which has to be looked up where records have been moved in time."""
        record = None if group.latest else self._newest(db, group.key)
        return replace(group, latest=record.event_id) if record else group

    def _newest(self, db: sqlite3.Connection, key: str) -> ErrorDetail | None:
        return self._access.read_one(next(find(db, facets_of(db, Filter({"group": key})), None, None, None), None))

    def group_key(self, part: str) -> str:
        """Return the key of the group that begins with some characters, before or behind the version of its rules.

        Args:
            part: such as ``v3:d79f0123456789ab``, ``v3:d79f`` or ``d79f``; what begins no key is returned as it is.

        Raises:
            UnknownEventError: several do.
        """
        found = self._access.ask(lambda db: keys_beginning(db, part))
        if len(found) > 1 and part not in found:
            raise UnknownEventError(f"several groups begin with {part!r}: {', '.join(found[:5])}")
        return part if part in found or not found else found[0]

    def group(self, key: str, *, days: int = 30, limit: int = EVENTS, cursor: str | None = None) -> dict[str, Any]:
        """One group: itself, its events, what differs between them, its trend and bursts.

        Args:
            key: its fingerprint.
            days: the period of its counts.
            limit: how many events.
            cursor: from an earlier page of events.

        Returns:
            ``group`` (a :class:`Group`, None when it had no error in the period), ``state``, ``history`` (decisions),
            ``total`` (all that were ever counted), ``events`` (a :class:`Page`), ``varying`` (what differs between
            these events), ``facets`` (counts by value of those that differ between all errors of the period),
            ``releases`` (when each was first seen), ``why`` (what its errors have in common, by which they are told
            from others), ``trend``, ``bursts``; ``forecast`` (``within_days``, ``probability``), ``rhythm``
            (``begin`` and ``end`` hour, on ``days`` ``of`` days), each None where nothing can be said; ``comes_with``
            (``key`` and ``title`` of groups whose errors come within seconds), ``only`` (facets of which its errors
            have but one value, though others have others).

        Raises:
            UnknownEventError: there is no such group.
        """
        return self._access.ask(lambda db: self._group(db, key, days, limit, cursor))

    def _group(self, db: sqlite3.Connection, key: str, days: int, limit: int, cursor: str | None) -> dict[str, Any]:
        names = group_names(db, key)
        if not names:
            raise UnknownEventError(f"no group in {self.path} has the key {key!r}")
        root, name = names.popitem()
        period, decided, events = self._period(days), self._decided(db), self.recent(limit, group=key, cursor=cursor)
        own = facets_of(db, Filter({"group": key})) or []
        facets = all_facets(db, own)
        tallies = count_groups(db, period, facets)
        course = courses_of(db, period, facets, tallies)[root]
        all_ = counted(db, period)
        in_period = tallies[root].facets if root in tallies else {}
        state = decided.state(root)
        found = group_of(name, tallies[root], facets, period, known_days(db, period), state) if in_period else None
        return insights_of(db, own, all_, period) | {
            "group": self._with_latest(db, found) if found else None,
            "state": state,
            "history": decided.history(root),
            "total": course["total"],
            "events": events,
            "varying": differences(events.records),
            **compared(in_period, all_),
            "releases": releases_of(db, own, self.tz),
            "why": dict(events[0].grouping) if events else {},
            "trend": course["trend"],
            "bursts": course["bursts"],
        }

    def trends(self, days: int = 30, group: str | None = None) -> dict[str, Any]:
        """Return whether errors rise or fall over the last whole days, and their bursts: ``total`` and ``groups``.

        Each has ``count`` and ``daily`` of the period, ``total`` (all that were ever counted), ``trend``
        (``rising``, ``falling``, ``steady``, ``too few days``) with its ``p``, and ``bursts``: ``start``, ``hours``,
        ``count``, ``expected``, ``score``.
        """
        period = self._period(days)
        return self._access.ask(lambda db: find_trends(db, period, group))

    def forecast(self, within: int = 7) -> list[dict[str, Any]]:
        """Return which groups are likely to come back, the likeliest first.

        Each has ``key``, ``title``, ``within_days``, ``probability`` in steps of a tenth, and ``days`` with errors,
        which are at least three.

        Args:
            within: days ahead.
        """
        return self._access.ask(lambda db: find_forecasts(db, self._period(1), within))

    def decide(
        self,
        action: str,
        key: str,
        *,
        who: str,
        note: str = "",
        release: str = "",
        until: datetime | None = None,
        more: int = 0,
        worse: bool = False,
        into: str = "",
        where: str = "",
    ) -> State:
        """Keep a decision about a group, in ``groups.jsonl`` beside the log, and return the state that follows.

        Args:
            action: ``resolve``, ``mute``, ``reopen``, ``note``, ``merge`` (into another), ``unmerge``,
                ``split`` (a part off), ``unsplit`` (merge the part into the whole again).
            key: the group's fingerprint; an older one leads to the same group.
            who: makes it.
            note: why.
            release: with ``resolve``: errors of earlier releases do not open it again.
            until: with ``mute``: until then; without ``until``, ``more`` and ``worse`` until it is reopened.
            more: with ``mute``: until so many more have come.
            worse: with ``mute``: until it is more severe, or more than twice as frequent in a day.
            into: with ``merge``: the group that it becomes part of.
            where: with ``split``: what the errors of the part have in common: ``FACET=VALUE``, ``message=TEXT`` or
                ``frame=TEXT``; later errors follow.

        Raises:
            UnknownEventError: there is no such group.
            DecisionError: it cannot be made so.
            StoreError: it cannot be kept.
        """
        ends = rfc3339(micros(until)) if until else ""
        asked = Decision("", "", who, action, key, note, release, ends, more, worse, into, where)

        def prepared(db: sqlite3.Connection) -> Decision:
            decisions = self._decisions.decisions()
            return prepare_decision(db, asked, decisions, lambda key: self._newest(db, key), self._period(1).now)

        made = self._access.ask(prepared)
        self._decisions.append([made])
        return self.state(made.into or made.key)

    def state(self, key: str) -> State:
        """Return the state of a group.

        Raises:
            UnknownEventError: there is no such group.
        """
        return self._access.ask(lambda db: self._decided(db).state(root_of(db, key)[0]))

    def history(self, key: str) -> list[Decision]:
        """Return all decisions about a group and those that are part of it, the oldest first.

        Raises:
            UnknownEventError: there is no such group.
        """
        return self._access.ask(lambda db: self._decided(db).history(root_of(db, key)[0]))

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions about groups, the oldest first."""
        return self._decisions.decisions()

    def take_in(self, decisions: Iterable[Decision]) -> int:
        """Keep decisions that were made elsewhere and are not known here, and return how many that were.

        Raises:
            StoreError: they cannot be kept.
        """
        known = {decision.id for decision in self.decisions()}
        fresh = [decision for decision in decisions if decision.id not in known]
        self._decisions.append(fresh)
        return len(fresh)

    def _decided(self, db: sqlite3.Connection) -> Decided:
        return Decided(db, self._decisions.decisions(), self._period(1).now)
