"""Incidents: what is to be told of each group of errors, and which message tells it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from visigate_logging.delivery.digest import Digest, Item, title, together
from visigate_logging.delivery.entries import OTHER, Entry
from visigate_logging.delivery.mail import thread_id
from visigate_logging.delivery.recoveries import Recoveries
from visigate_logging.delivery.summary import Schedule, Summaries
from visigate_logging.delivery.tables import Tables, sheet_of, unknown_detail
from visigate_logging.delivery.throttle import (
    Incident,
    Plan,
    Waiting,
    Windows,
    after_telling,
    is_at_rest,
    note,
    plan,
    waits,
)
from visigate_logging.delivery.triaged import Triaged, by_former_key
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Instant, Sheet, State, add_counts
from visigate_logging.host.clock import clock
from visigate_logging.host.follower import Cursor
from visigate_logging.triage.states import MUTED

if TYPE_CHECKING:
    import sqlite3

_MOST_GROUPS = 500


class Incidents(Tables):
    """The incidents of one handler, in the state file that all processes of the host share.

    Each error is counted once: it waits in its group, then in one message, and is then told, or dropped for a
    reason. Each step is one transaction, so that a kill or a power cut leaves it done or not done. All groups are
    read and written in one statement: sqlite3 gives up the GIL at each, and a caller that logs waits to get it back.

    Args:
        state: opened with SCHEMA.
        handler: the handler's name.
        windows: how long to wait before telling.
        now: for tests.
        summary: when summaries are told.
        digest: when all is told together; None for as soon as the windows have it.
        today: for tests, the time by which a digest is due.
        decisions: where decisions about groups are; default ``groups.jsonl`` beside the state's directory.
    """

    def __init__(
        self,
        state: State,
        handler: str,
        windows: Windows,
        now: Callable[[], Instant] = clock,
        summary: Schedule | None = None,
        digest: Schedule | None = None,
        today: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        decisions: Path | None = None,
    ) -> None:
        super().__init__(state, handler, now)
        self._triaged = Triaged(decisions or state.directory.parent / "groups.jsonl")
        self._windows = windows
        self._recoveries = Recoveries(state.directory)
        self._schedule = digest
        self._today = today
        self.summaries = Summaries(state, handler, now, summary)

    def book(self, read: Callable[[Cursor], tuple[Iterable[Entry], Cursor]]) -> Cursor:
        """Enter what is new in the journal, and how far it has been read, in one step.

        Args:
            read: given how far it was read, returns what is new, and how far it is read then.

        Returns:
            How far it has been read.
        """
        with self._open() as (connection, now):
            known = self._cursor(connection)
            found, cursor = read(known)
            entries = list(found)
            if cursor == known:
                return cursor
            groups, details, silent = self._groups(connection), {}, 0
            self._triaged.look()
            before = self._ended(connection)
            ended = set(before)
            for entry in entries:
                key = self._triaged.key_of(entry)
                if self._triaged.is_silent(entry, key):
                    silent += entry.count
                    continue
                fingerprint, is_first = self._enter(groups, entry, key, now)
                if is_first and entry.detail:
                    details[fingerprint] = entry.detail
                groups[fingerprint], over = self._triaged.follow(groups[fingerprint], entry, ended)
                ended |= {over} if over else set()
            count = sum(entry.count for entry in entries)
            self._keep(connection, groups)
            self._end(connection, ended - before)
            rows = [(self._handler, fingerprint, detail) for fingerprint, detail in details.items()]
            connection.executemany("REPLACE INTO mail_details VALUES (?, ?, ?)", rows)
            connection.execute("REPLACE INTO mail_cursors VALUES (?, ?)", (self._handler, orjson.dumps(cursor)))
            add_counts(connection, self._handler, accepted=count, dropped={MUTED: silent} if silent else {})
            self.summaries.count(connection, entries)
        return cursor

    def compose(self, message_id: str, stage: Callable[[Digest], bool], *, hurry: bool = False) -> float | None:
        """Put what is due into a message.

        Args:
            message_id: name of the message.
            stage: writes the message durably, and returns whether it is to be sent: it may have been sent instead.
                When it raises, nothing has been told.
            hurry: do not wait for further new groups.

        Returns:
            0.0 when a message has been staged; else in how many seconds to look again, None when nothing waits.
        """
        windows = replace(self._windows, group_wait=0.0) if hurry else self._windows
        with self._open() as (connection, now):
            groups, mailed = self._groups(connection), self._mailed(connection)
            self._unmute(connection, groups, now)
            if wait := self._until_digest(groups.values(), mailed, now):
                return wait
            decision = plan(groups.values(), mailed, now, windows)
            if not decision.due:
                return None if decision.look_again is None else max(decision.look_again - now, 0.01)
            digest = self._digest(connection, decision, now)
            if stage(digest):
                query = "INSERT INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, ?, ?)"
                connection.execute(query, (message_id, self._handler, now, digest.told, digest.folded))
                told = orjson.dumps([group.fingerprint for group in decision.due])
                connection.execute("INSERT INTO mail_tries (letter, fingerprints) VALUES (?, ?)", (message_id, told))
            else:
                add_counts(connection, self._handler, delivered=digest.told, folded=digest.folded)
            connection.execute("REPLACE INTO mail_times VALUES (?, ?, ?)", (self._handler, message_id, now))
            for group in decision.due:
                after = after_telling(group, now, windows, thread_id(message_id))
                if after is None:
                    del groups[group.fingerprint]
                    query = "DELETE FROM mail_details WHERE handler = ? AND fingerprint = ?"
                    connection.execute(query, (self._handler, group.fingerprint))
                else:
                    groups[group.fingerprint] = after
            self._keep(connection, groups)
        return 0.0

    def _until_digest(self, groups: Iterable[Incident], mailed: Sequence[float], now: float) -> float:
        """Return the seconds until all is to be told together; 0.0 for now."""
        if self._schedule is None:
            return 0.0
        today = self._today()
        last, following = self._schedule.last(today), self._schedule.next(today)
        since = [_time_of(group.first_time, last) for group in groups if group.untold and not group.muted]
        was_told = any(at > now - (today - last).total_seconds() for at in mailed)
        is_due = not was_told and (not since or min(since) <= last)
        return 0.0 if is_due else max((following - today).total_seconds(), 0.01)

    def _unmute(self, connection: "sqlite3.Connection", groups: dict[str, Incident], now: float) -> None:
        """Follow what was decided of groups that are muted, and have told what is so no more."""
        self._triaged.look()
        after = {key: self._triaged.unmuted(group, datetime.now(UTC), now) for key, group in groups.items()}
        if after != groups:
            self._end(connection, {group.muted for key, group in groups.items() if group.muted != after[key].muted})
            groups |= after
            self._keep(connection, groups)

    def waiting(self) -> list[tuple[Waiting, float, str]]:
        """Return what is in no message yet: why, for how many seconds, and the error's title."""
        with self._open() as (connection, now):
            query = "SELECT fingerprint, detail FROM mail_details WHERE handler = ?"
            details = dict(connection.execute(query, (self._handler,)))
            found = waits(self._groups(connection).values(), self._mailed(connection), self._windows)
        titles = (details.get(one.group.fingerprint) for one in found)
        return [
            (one, max(one.until - now, 0.0), title(ErrorDetail.from_dict(orjson.loads(known))) if known else "Error")
            for one, known in zip(found, titles, strict=True)
        ]

    def sheet(self, unread: Callable[[Cursor], int] = lambda _: 0) -> Sheet:
        """Return the handler's counts on this host.

        Args:
            unread: given how far the journal was read, how many errors have not been booked yet.
        """
        with self._open() as (connection, _):
            sheet, n = sheet_of(connection, self._handler), unread(self._cursor(connection))
        sheet["accepted"] += n
        sheet["pending"] += n
        return sheet

    def _enter(self, groups: dict[str, Incident], entry: Entry, fingerprint: str, now: float) -> tuple[str, bool]:
        """Add errors to their group; which that is, and whether they are the first that no mail has told of."""
        if fingerprint not in groups and len(groups) >= _MOST_GROUPS:
            fingerprint = OTHER
        known = groups.get(fingerprint) or by_former_key(groups, entry)
        times = entry.first_time, entry.last_time
        news = Incident(fingerprint, entry.severity, now, now, *times, times[0], untold=entry.count)
        news = replace(news, signs=entry.signs, family=entry.family)
        groups[fingerprint] = made = note(known, news, self._windows)
        for other in groups.values() if made.family else ():
            if other.family == made.family and other is not made:  # another result: the next of that is news again
                groups[other.fingerprint] = replace(other, wait=0.0)
        return fingerprint, known is None or not known.untold

    def _mailed(self, connection: "sqlite3.Connection") -> list[float]:
        query = "SELECT at FROM mail_times WHERE handler = ? ORDER BY at DESC LIMIT ?"
        times = [at for (at,) in connection.execute(query, (self._handler, self._windows.max_per_hour))]
        if len(times) == self._windows.max_per_hour:
            connection.execute("DELETE FROM mail_times WHERE handler = ? AND at < ?", (self._handler, times[-1]))
        return times

    def _digest(self, connection: "sqlite3.Connection", decision: Plan, now: float) -> Digest:
        items = []
        query = "SELECT detail FROM mail_details WHERE handler = ? AND fingerprint = ?"
        for group in decision.due:
            row = connection.execute(query, (self._handler, group.fingerprint)).fetchone()
            detail = ErrorDetail.from_dict(orjson.loads(row[0])) if row else unknown_detail(group)
            recovery = self._recoveries.of(detail.error_type, group.began)
            items.append(Item(group, detail, is_at_rest(group, now, self._windows), now, recovery))
        sheet = sheet_of(connection, self._handler)
        digest = Digest(together(items), sheet, decision.held_back)
        sheet["delivered"] += digest.told
        sheet["folded"] += digest.folded
        sheet["pending"] -= digest.told + digest.folded
        return digest


def _time_of(text: str, unknown: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):  # damage in the journal or in the state file
        return unknown
