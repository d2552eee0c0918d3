"""States of groups by the index, and decisions about them: what each has to know of the errors there are."""

import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import DecisionError, UnknownEventError
from visigate_logging.host.clock import rfc3339
from visigate_logging.store.counts import day_of
from visigate_logging.store.facets import family_of
from visigate_logging.store.search import locate_in_time
from visigate_logging.store.times import QUARTER, from_micros, parse_timestamp
from visigate_logging.triage.decisions import ACTIONS, Decision, Merges
from visigate_logging.triage.splits import check_where, split_key
from visigate_logging.triage.states import OPEN, RANKS, Occurred, State, state_of

LONGEST_NOTE = 2000
LONGEST_NAME = 200
MOST_RELEASES = 50


class Decided:
    """The decisions about the groups of an index.

    Args:
        db: the index, which has followed them.
        decisions: in their order.
        now: microseconds since 1970.
    """

    def __init__(self, db: sqlite3.Connection, decisions: Sequence[Decision], now: int) -> None:
        self._db = db
        self._now = from_micros(now, UTC)
        self._decisions = decisions
        self._by_group: dict[int, list[Decision]] = {}
        keys = orjson.dumps(list({d.key for d in decisions})).decode()
        sql = "SELECT key, coalesce(heir, id) FROM grp WHERE key IN (SELECT value FROM json_each(?))"
        numbers = dict(db.execute(sql, (keys,))) if decisions else {}
        for decision in decisions:
            if decision.key in numbers:
                self._by_group.setdefault(numbers[decision.key], []).append(decision)

    def states(self, groups: Iterable[int]) -> dict[int, State]:
        """Return the states of those of some groups about which anything has been decided; all others are open."""
        return {group: self.state(group) for group in groups if group in self._by_group}

    def state(self, group: int) -> State:
        """Return the state of a group, by its number in the index."""
        decided = self._by_group.get(group)
        return state_of(decided, lambda decision: self._occurred(group, decision), self._now) if decided else OPEN

    def history(self, group: int) -> list[Decision]:
        """Return all decisions about a group and about those that are part of it, the oldest first."""
        sql = "SELECT key FROM family WHERE root = ?"
        keys = {key for (key,) in self._db.execute(sql, (group,))}
        return [decision for decision in self._decisions if decision.key in keys or decision.into in keys]

    def _occurred(self, group: int, decision: Decision) -> list[Occurred]:
        """Errors of a group that came after the newest which a decision knew."""
        place = locate_in_time(self._db, decision.event)
        at = place[0] if place else parse_timestamp(decision.last or decision.time)
        members = family_of(self._db, group)
        (last,) = self._db.execute(f"SELECT max(last) FROM grp WHERE id IN ({members})").fetchone()  # noqa: S608 -- names of ours
        if last <= at:
            return []
        facets = self._db.execute(f"SELECT id, severity, release FROM facet WHERE grp IN ({members})")  # noqa: S608 -- names of ours
        return [
            Occurred(day, severity, release, n)
            for facet, severity, release in facets.fetchall()
            for day, n in self._days(facet, at).items()
        ]

    def _days(self, facet: int, at: int) -> Counter[int]:
        """Return the errors of a facet after a time by day; of its own quarter of an hour those still in the log."""
        begin, days = at // QUARTER, Counter[int]()
        sql = "SELECT quarter, n FROM tally WHERE facet = ? AND quarter > ?"
        for quarter, n in self._db.execute(sql, (facet, begin)):
            days[day_of(quarter)] += n
        sql = "SELECT count(*) FROM record WHERE facet = ? AND at > ? AND at < ? AND NOT repeats"
        (n,) = self._db.execute(sql, (facet, at, (begin + 1) * QUARTER)).fetchone()
        if n:
            days[day_of(begin)] += n
        return days


def prepare_decision(
    db: sqlite3.Connection,
    asked: Decision,
    decisions: Sequence[Decision],
    newest: Callable[[str], ErrorDetail | None],
    now: int,
) -> Decision:
    """Return a decision with what it has to know of its group.

    Args:
        db: the index.
        asked: what was asked for, its key that of any group of the family.
        decisions: made so far.
        newest: finds the newest error of a group, by its key.
        now: microseconds since 1970.

    Raises:
        DecisionError: it cannot be made so.
        UnknownEventError: there is no such group.
    """
    from visigate_logging.detail.masking import mask  # which who only asks has no need of

    if asked.action == "unsplit":
        asked = _merged_back(asked, decisions)
    _check(asked)
    made = replace(
        asked,
        id=uuid.uuid4().hex,
        time=rfc3339(now),
        who=mask(" ".join(asked.who.split()))[:LONGEST_NAME],
        note=mask(asked.note.strip())[:LONGEST_NOTE],
    )
    if asked.action == "unmerge":
        return replace(made, key=_merged_key(db, asked.key, decisions))
    group, key = root_of(db, asked.key)
    if asked.action == "merge":
        _, into = root_of(db, asked.into)
        if into == key:
            raise DecisionError(f"{asked.key} and {asked.into} are one group already")
        return replace(made, key=key, into=into)
    if asked.action == "split":
        return replace(made, key=key, into=split_key(key, asked.where))
    record = newest(key)
    known = replace(made, key=key, **_known(db, group))
    return replace(known, last=record.timestamp, event=record.event_id) if record else known


def _merged_back(asked: Decision, decisions: Sequence[Decision]) -> Decision:
    whole = next((d.key for d in reversed(decisions) if d.action == "split" and d.into == asked.key), None)
    if whole is None:
        raise DecisionError(f"{asked.key} has not been split off another group")
    return replace(asked, action="merge", into=whole)


def _check(asked: Decision) -> None:
    if asked.action not in ACTIONS:
        raise DecisionError(f"{asked.action!r} is no decision; possible are {', '.join(ACTIONS)}")
    if not asked.who.strip():
        raise DecisionError("a decision needs who makes it")
    if asked.action == "note" and not asked.note.strip():
        raise DecisionError("the note is empty")
    if asked.action == "merge" and not asked.into:
        raise DecisionError("name the group to merge into")
    if asked.action == "split":
        check_where(asked.where)
    if asked.more < 0:
        raise DecisionError(f"{asked.more} more errors cannot be; give a number above 0")


def root_of(db: sqlite3.Connection, key: str) -> tuple[int, str]:
    """Return number and key of the group that a key leads to.

    Raises:
        UnknownEventError: it leads to none.
    """
    row = db.execute("SELECT id, key FROM grp WHERE id = (SELECT root FROM family WHERE key = ?)", (key,)).fetchone()
    if row is None:
        raise UnknownEventError(f"no group has the key {key!r}")
    return row[0], row[1]


def _merged_key(db: sqlite3.Connection, key: str, decisions: Sequence[Decision]) -> str:
    """Return the key under which a group was merged, which may be an older one of its own."""
    sql = "SELECT key FROM grp WHERE coalesce(heir, id) = (SELECT coalesce(heir, id) FROM grp WHERE key = ?)"
    own, merged = [str(row[0]) for row in db.execute(sql, (key,))], Merges(decisions).into
    if not own:
        raise UnknownEventError(f"no group has the key {key!r}")
    found = next((name for name in own if name in merged), None)
    if found is None:
        raise DecisionError(f"{key} has not been merged into another group")
    return found


def _known(db: sqlite3.Connection, group: int) -> dict[str, Any]:
    """Return how bad a group has been, how often it came in a day, and in which releases."""
    members = family_of(db, group)
    rows = db.execute(f"SELECT id, severity, release FROM facet WHERE grp IN ({members}) ORDER BY id DESC").fetchall()  # noqa: S608 -- names of ours
    sql = (
        f"SELECT max(n) FROM (SELECT sum(n) AS n FROM facet JOIN daily ON daily.facet = facet.id "  # noqa: S608 -- names of ours
        f"WHERE grp IN ({members}) GROUP BY start)"
    )
    (most,) = db.execute(sql).fetchone()
    return {
        "severity": max((severity for _, severity, _ in rows), key=lambda s: RANKS.get(s, 0), default=""),
        "most_a_day": most or 0,
        "releases": tuple(dict.fromkeys(release for *_, release in rows))[:MOST_RELEASES],
    }
