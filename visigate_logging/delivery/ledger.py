"""The books of a mail handler: what is to be told, which mails tell it, and what became of them."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from visigate_logging.delivery.digest import Digest, Item
from visigate_logging.delivery.journal import OTHER, Entry
from visigate_logging.delivery.message import message_id
from visigate_logging.delivery.throttle import Group, Plan, Windows, after_telling, is_at_rest, note, plan
from visigate_logging.detail.grouping import former_keys
from visigate_logging.detail.masking import mask
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import (
    Instant,
    Sheet,
    State,
    add_counts,
    failure,
    host_seconds,
    note_failure,
    read_counts,
)
from visigate_logging.host.clock import clock
from visigate_logging.host.follower import Cursor

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SCHEMA", "Ledger", "LetterRow"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS mail_incidents (handler TEXT PRIMARY KEY, groups BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail_details (
    handler TEXT NOT NULL, fingerprint TEXT NOT NULL, detail BLOB NOT NULL, PRIMARY KEY (handler, fingerprint)
);
CREATE TABLE IF NOT EXISTS mail_cursors (handler TEXT PRIMARY KEY, cursor BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail_letters (
    id TEXT PRIMARY KEY, handler TEXT NOT NULL, made REAL NOT NULL, told INTEGER NOT NULL, folded INTEGER NOT NULL,
    reached INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, retry_at REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS mail_tries (letter TEXT PRIMARY KEY, fingerprints BLOB NOT NULL,
    perhaps INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS mail_times (handler TEXT NOT NULL, letter TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (handler, letter));
"""
_MOST_GROUPS = 500
_MOST_SIGNS = 20
_FIRST_RETRY, _LONGEST_RETRY = 15.0, 3600.0
_AFTER_PERHAPS = 60.0
"""Seconds to the next try of a mail that may have arrived; ten times as long after each."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """What is known of a letter in the outbox.

    Args:
        id: its name.
        age: seconds since it was made.
        wait: seconds until it may be tried, 0 or less when it may be now.
        reached: whether somebody has it.
        sent: whether all who can have it have it.
        tries: how often it was tried without success; an attempt is booked before it is made.
        perhaps: how often it was handed over and no answer came.
        reason: why it waits.
    """

    id: str
    age: float
    wait: float
    reached: bool
    sent: bool
    tries: int
    perhaps: int
    reason: str


class Ledger:
    """The books of one handler, in the state file that all processes of the host share.

    Each error is counted once: it waits in its group, then in one letter, and is then told, or dropped for a
    reason. Each step is one transaction, so that a kill or a power cut leaves it done or not done. All groups are
    read and written in one statement: sqlite3 gives up the GIL at each, and a caller that logs waits to get it back.

    Args:
        state: opened with SCHEMA.
        handler: the handler's name.
        windows: how long to wait before telling.
        now: for tests.
    """

    def __init__(self, state: State, handler: str, windows: Windows, now: Callable[[], Instant] = clock) -> None:
        self._state = state
        self._handler = handler
        self._windows = windows
        self._now = now

    def book(self, read: Callable[[Cursor], tuple[Iterable[Entry], Cursor]]) -> Cursor:
        """Enter what is new in the journal, and how far it has been read, in one step.

        Args:
            read: given how far it was read, returns what is new, and how far it is read then.

        Returns:
            How far it has been read.
        """
        with self._open() as (connection, now):
            known = self._cursor(connection)
            entries, cursor = read(known)
            if cursor == known:
                return cursor
            groups, details, count = self._groups(connection), {}, 0
            for entry in entries:
                fingerprint, is_first = self._enter(groups, entry, now)
                if is_first and entry.detail:
                    details[fingerprint] = entry.detail
                count += entry.count
            self._keep(connection, groups)
            rows = [(self._handler, fingerprint, detail) for fingerprint, detail in details.items()]
            connection.executemany("REPLACE INTO mail_details VALUES (?, ?, ?)", rows)
            connection.execute("REPLACE INTO mail_cursors VALUES (?, ?)", (self._handler, orjson.dumps(cursor)))
            add_counts(connection, self._handler, accepted=count)
        return cursor

    def compose(self, letter_id: str, stage: Callable[[Digest], bool], *, hurry: bool = False) -> float | None:
        """Put what is due into a letter.

        Args:
            letter_id: name of the letter.
            stage: writes the mail durably, and returns whether it is to be sent: it may have been sent instead.
                When it raises, nothing has been told.
            hurry: do not wait for further new groups.

        Returns:
            0.0 when a letter has been staged; else in how many seconds to look again, None when nothing waits.
        """
        windows = replace(self._windows, group_wait=0.0) if hurry else self._windows
        with self._open() as (connection, now):
            groups = self._groups(connection)
            decision = plan(groups.values(), self._mailed(connection), now, windows)
            if not decision.due:
                return None if decision.look_again is None else max(decision.look_again - now, 0.01)
            digest = self._digest(connection, decision, now)
            if stage(digest):
                query = "INSERT INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, ?, ?)"
                connection.execute(query, (letter_id, self._handler, now, digest.told, digest.folded))
                told = orjson.dumps([group.fingerprint for group in decision.due])
                connection.execute("INSERT INTO mail_tries (letter, fingerprints) VALUES (?, ?)", (letter_id, told))
            else:
                add_counts(connection, self._handler, delivered=digest.told, folded=digest.folded)
            connection.execute("REPLACE INTO mail_times VALUES (?, ?, ?)", (self._handler, letter_id, now))
            for group in decision.due:
                after = after_telling(group, now, windows, message_id(letter_id))
                if after is None:
                    del groups[group.fingerprint]
                    query = "DELETE FROM mail_details WHERE handler = ? AND fingerprint = ?"
                    connection.execute(query, (self._handler, group.fingerprint))
                else:
                    groups[group.fingerprint] = after
            self._keep(connection, groups)
        return 0.0

    def letters(self) -> dict[str, LetterRow]:
        """All letters that have been staged and not closed, the oldest first."""
        query = (
            "SELECT id, ? - made, retry_at - ?, reached, sent, failures, coalesce(perhaps, 0), coalesce(reason, '')"
            " FROM mail_letters LEFT JOIN mail_tries ON letter = id WHERE handler = ? ORDER BY id"
        )
        with self._open() as (connection, now):
            return {row[0]: LetterRow(*row) for row in connection.execute(query, (now, now, self._handler))}

    def adopt(self, letter_id: str) -> None:
        """Enter a letter that the books do not know, as after the state file was lost; what it tells is not known."""
        with self._open() as (connection, now):
            connection.execute(
                "INSERT OR IGNORE INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, 0, 0)",
                (letter_id, self._handler, now),
            )

    def attempt(self, letter_id: str) -> None:
        """Note that a letter is being tried, so that an end of the process meanwhile is a failed try as well."""
        with self._open() as (connection, now):
            query = "UPDATE mail_letters SET failures = failures + 1 WHERE id = ?"
            connection.execute(query, (letter_id,))
            self._wait(connection, letter_id, now, _LONGEST_RETRY)

    def commit(self, letter_id: str) -> None:
        """Note that a letter is being handed over: without an answer it has perhaps arrived."""
        with self._open() as (connection, now):
            query = (
                "INSERT INTO mail_tries (letter, fingerprints, perhaps) VALUES (?, '[]', 1)"
                " ON CONFLICT DO UPDATE SET perhaps = perhaps + 1"
            )
            connection.execute(query, (letter_id,))
            self._wait(connection, letter_id, now, _LONGEST_RETRY)

    def answered(self, letter_id: str) -> None:
        """Note that the server has answered to the last handing over."""
        with self._open() as (connection, _):
            query = "UPDATE mail_tries SET perhaps = perhaps - 1 WHERE letter = ? AND perhaps > 0"
            connection.execute(query, (letter_id,))

    def put_off(
        self, letter_id: str, reason: str, longest: float = _LONGEST_RETRY, after: float | None = None
    ) -> float:
        """Note why a letter could not be sent; in how many seconds to try it again.

        Args:
            letter_id: name of the letter.
            reason: why.
            longest: seconds that the growing wait ends at.
            after: seconds to the next try, where the other side has named them.
        """
        with self._open() as (connection, now):
            query = (
                "INSERT INTO mail_tries (letter, fingerprints, reason) VALUES (?, '[]', ?)"
                " ON CONFLICT DO UPDATE SET reason = excluded.reason"
            )
            connection.execute(query, (letter_id, mask(reason)))
            return self._wait(connection, letter_id, now, longest, after)

    def _wait(
        self, connection: "sqlite3.Connection", letter_id: str, now: float, longest: float, after: float | None = None
    ) -> float:
        query = (
            "SELECT failures, coalesce(perhaps, 0) FROM mail_letters LEFT JOIN mail_tries ON letter = id WHERE id = ?"
        )
        failures, perhaps = connection.execute(query, (letter_id,)).fetchone() or (1, 0)
        wait = min(_FIRST_RETRY * 2.0 ** min(max(failures - 1, 0), 20), longest)
        if perhaps:
            wait = _AFTER_PERHAPS * 10.0 ** min(perhaps - 1, 3)
        wait = wait if after is None else after
        connection.execute("UPDATE mail_letters SET retry_at = ? WHERE id = ?", (now + wait, letter_id))
        return wait

    def accepted(self, letter_id: str, *, sent: bool) -> int:
        """Count a letter's errors as told, the first time.

        Args:
            letter_id: name of the letter.
            sent: whether nobody is left who waits for it.

        Returns:
            How often it had been tried in vain before anybody had it.
        """
        with self._open() as (connection, now):
            told, folded = self._take_counts(connection, letter_id)
            add_counts(connection, self._handler, delivered=told, folded=folded)
            query = "SELECT failures FROM mail_letters WHERE id = ? AND NOT reached"
            row = connection.execute(query, (letter_id,)).fetchone()
            connection.execute("UPDATE mail_letters SET reached = 1, sent = ? WHERE id = ?", (sent, letter_id))
            # The limit is of mails that arrive: one that waited counts from now.
            connection.execute("REPLACE INTO mail_times VALUES (?, ?, ?)", (self._handler, letter_id, now))
        return row[0] - 1 if row else 0

    def dropped(self, letter_id: str, reason: str) -> None:
        """Close a letter that nobody will get; those that somebody has got stay counted as told.

        What it told is told anew with the next error of its groups.
        """
        with self._open() as (connection, _):
            told, folded = self._take_counts(connection, letter_id)
            add_counts(connection, self._handler, dropped={reason: told + folded})
            connection.execute("UPDATE mail_letters SET sent = 1 WHERE id = ?", (letter_id,))
            query = (
                "SELECT fingerprints FROM mail_tries JOIN mail_letters ON letter = id WHERE id = ? AND NOT reached"
            )
            row = connection.execute(query, (letter_id,)).fetchone()
            if row is not None and (names := set(orjson.loads(row[0]))):
                groups = self._groups(connection)
                for name in names & groups.keys():
                    groups[name] = replace(groups[name], told_at=None, thread="")
                self._keep(connection, {name: g for name, g in groups.items() if name not in names or g.untold})

    def close(self, letter_id: str) -> None:
        """Forget a letter whose file has gone."""
        with self._open() as (connection, _):
            connection.execute("DELETE FROM mail_letters WHERE id = ? AND sent", (letter_id,))
            query = "DELETE FROM mail_tries WHERE letter NOT IN (SELECT id FROM mail_letters)"
            connection.execute(query)

    def failed(self, text: str) -> bool:
        """Keep what went wrong as the handler's last failure; whether it is another than the one before."""
        with self._open() as (connection, _):
            return note_failure(connection, self._handler, failure(mask(text)))

    def try_now(self) -> None:
        """Let all that waits be tried at once."""
        with self._open() as (connection, _):
            connection.execute("UPDATE mail_letters SET retry_at = 0 WHERE handler = ?", (self._handler,))

    def sheet(self, unread: Callable[[Cursor], int] = lambda _: 0) -> Sheet:
        """The handler's counts on this host.

        Args:
            unread: given how far the journal was read, how many errors have not been booked yet.
        """
        with self._open() as (connection, _):
            sheet, n = _sheet(connection, self._handler), unread(self._cursor(connection))
        sheet["accepted"] += n
        sheet["pending"] += n
        return sheet

    def _cursor(self, connection: "sqlite3.Connection") -> Cursor:
        query = "SELECT cursor FROM mail_cursors WHERE handler = ?"
        row = connection.execute(query, (self._handler,)).fetchone()
        return orjson.loads(row[0]) if row else {}

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple["sqlite3.Connection", float]]:
        with self._state.transaction() as connection:
            yield connection, host_seconds(connection, self._now())

    def _enter(self, groups: dict[str, Group], entry: Entry, now: float) -> tuple[str, bool]:
        """Add errors to their group; which that is, and whether they are the first that no mail has told of."""
        fingerprint = entry.fingerprint
        if fingerprint not in groups and len(groups) >= _MOST_GROUPS:
            fingerprint = OTHER
        known = groups.get(fingerprint) or _by_former_key(groups, entry)
        times = entry.first_time, entry.last_time
        news = Group(fingerprint, entry.severity, now, now, *times, times[0], untold=entry.count)
        groups[fingerprint] = note(known, news, self._windows)
        return fingerprint, known is None or not known.untold

    def _groups(self, connection: "sqlite3.Connection") -> dict[str, Group]:
        query = "SELECT groups FROM mail_incidents WHERE handler = ?"
        row = connection.execute(query, (self._handler,)).fetchone()
        return {given["fingerprint"]: Group(**given) for given in orjson.loads(row[0])} if row else {}

    def _keep(self, connection: "sqlite3.Connection", groups: dict[str, Group]) -> None:
        row = (self._handler, orjson.dumps(list(groups.values())))
        connection.execute("REPLACE INTO mail_incidents VALUES (?, ?)", row)

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
            detail = ErrorDetail.from_dict(orjson.loads(row[0])) if row else _unknown(group)
            items.append(Item(group, detail, is_at_rest(group, now, self._windows)))
        sheet = _sheet(connection, self._handler)
        digest = Digest(tuple(items), sheet, decision.held_back)
        sheet["delivered"] += digest.told
        sheet["folded"] += digest.folded
        sheet["pending"] -= digest.told + digest.folded
        return digest

    def _take_counts(self, connection: "sqlite3.Connection", letter_id: str) -> tuple[int, int]:
        row = connection.execute("SELECT told, folded FROM mail_letters WHERE id = ?", (letter_id,)).fetchone()
        connection.execute("UPDATE mail_letters SET told = 0, folded = 0 WHERE id = ?", (letter_id,))
        return row or (0, 0)


def _by_former_key(groups: dict[str, Group], entry: Entry) -> Group | None:
    """The group that an error was in by the rules of an earlier version: what was told of it is told."""
    keys = former_keys(ErrorDetail.from_dict(orjson.loads(entry.detail))) if groups and entry.detail else ()
    former = next((groups[key] for key in keys if key in groups), None)
    return replace(former, fingerprint=entry.fingerprint, untold=0) if former else None


def _sheet(connection: "sqlite3.Connection", handler: str) -> Sheet:
    empty = Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0)
    return read_counts(connection).get(handler, empty)


def _unknown(group: Group) -> ErrorDetail:
    """Stands for a detail that was lost with a damaged state file."""
    values = {"error_type": "Error", "error_message": "its details are in the log", "severity": group.severity}
    return ErrorDetail.from_dict(values | {"timestamp": group.first_time, "fingerprint": group.fingerprint})
