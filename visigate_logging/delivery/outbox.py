"""The outbox: messages that wait, how often each was tried, why it waits, and what it tells."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from visigate_logging.delivery.spool import Spool
from visigate_logging.delivery.tables import Tables
from visigate_logging.detail.masking import mask
from visigate_logging.host import Instant, State, add_counts, failure, note_failure
from visigate_logging.host.clock import clock

if TYPE_CHECKING:
    import sqlite3

_FIRST_RETRY, _LONGEST_RETRY = 15.0, 3600.0
_AFTER_PERHAPS = 60.0
"""Seconds to the next try of a message that may have arrived; ten times as long after each."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a message in the outbox stands.

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


class Outbox(Tables):
    """The messages that wait: a file and a row for each. What happens to one is booked before or with it.

    Args:
        state: opened with SCHEMA.
        handler: the handler's name.
        spool: where the files are.
        now: for tests.
    """

    def __init__(self, state: State, handler: str, spool: Spool, now: Callable[[], Instant] = clock) -> None:
        super().__init__(state, handler, now)
        self.spool = spool

    def all(self) -> dict[str, Status]:
        """Return how all messages stand that have been staged and not closed, the oldest first."""
        query = (
            "SELECT id, ? - made, retry_at - ?, reached, sent, failures, coalesce(perhaps, 0), coalesce(reason, '')"
            " FROM mail_letters LEFT JOIN mail_tries ON letter = id WHERE handler = ? ORDER BY id"
        )
        with self._open() as (connection, now):
            return {row[0]: Status(*row) for row in connection.execute(query, (now, now, self._handler))}

    def adopt(self, message_id: str) -> None:
        """Enter a message that has a file alone, as after the state file was lost; what it tells is not known."""
        with self._open() as (connection, now):
            connection.execute(
                "INSERT OR IGNORE INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, 0, 0)",
                (message_id, self._handler, now),
            )

    def attempt(self, message_id: str) -> None:
        """Note that a message is being tried, so that an end of the process meanwhile is a failed try as well."""
        with self._open() as (connection, now):
            connection.execute("UPDATE mail_letters SET failures = failures + 1 WHERE id = ?", (message_id,))
            self._wait(connection, message_id, now)

    def commit(self, message_id: str) -> None:
        """Note that a message is being handed over: without an answer it has perhaps arrived."""
        with self._open() as (connection, now):
            self._note(connection, "perhaps = perhaps + 1", message_id)
            self._wait(connection, message_id, now)

    def answered(self, message_id: str) -> None:
        """Note that the server has answered to the last handing over."""
        with self._open() as (connection, _):
            self._note(connection, "perhaps = max(perhaps - 1, 0)", message_id)

    def put_off(self, message_id: str, reason: str, after: float | None = None) -> float:
        """Note why a message could not be sent; in how many seconds to try it again.

        Args:
            message_id: name of the message.
            reason: why.
            after: seconds to the next try, where the other side has named them.
        """
        with self._open() as (connection, now):
            self._note(connection, "reason = ?", message_id, mask(reason))
            return self._wait(connection, message_id, now, after)

    def _note(self, connection: "sqlite3.Connection", what: str, message_id: str, *values: str) -> None:
        # One that was adopted, or that sums up a week, has no row yet.
        connection.execute("INSERT OR IGNORE INTO mail_tries (letter, fingerprints) VALUES (?, '[]')", (message_id,))
        query = f"UPDATE mail_tries SET {what} WHERE letter = ?"  # noqa: S608 -- one of the three texts above
        connection.execute(query, (*values, message_id))

    def _wait(
        self, connection: "sqlite3.Connection", message_id: str, now: float, after: float | None = None
    ) -> float:
        query = (
            "SELECT failures, coalesce(perhaps, 0) FROM mail_letters LEFT JOIN mail_tries ON letter = id WHERE id = ?"
        )
        failures, perhaps = connection.execute(query, (message_id,)).fetchone() or (1, 0)
        wait = min(_FIRST_RETRY * 2.0 ** min(max(failures - 1, 0), 20), _LONGEST_RETRY)
        if perhaps:
            wait = _AFTER_PERHAPS * 10.0 ** min(perhaps - 1, 3)
        wait = wait if after is None else after
        connection.execute("UPDATE mail_letters SET retry_at = ? WHERE id = ?", (now + wait, message_id))
        connection.execute("UPDATE mail_tries SET tried = ? WHERE letter = ?", (now, message_id))
        return wait

    def hurry(self, within: float) -> None:
        """Let what waits be tried ``within`` seconds of its last try: something has changed.

        Not what may have arrived, nor what waits because of a login: servers lock out who guesses too often. What
        changes nothing, as each turn of a storm but the first, costs the card no write.
        """
        with self._open() as (connection, _):
            query = (
                "UPDATE mail_letters SET retry_at = tried + :within FROM mail_tries WHERE letter = id"
                " AND handler = :handler AND retry_at > tried + :within AND perhaps = 0 AND reason NOT LIKE 'login%'"
            )
            connection.execute(query, {"within": within, "handler": self._handler})

    def accepted(self, message_id: str, *, sent: bool) -> int:
        """Count a message's errors as told, the first time.

        Args:
            message_id: name of the message.
            sent: whether nobody is left who waits for it.

        Returns:
            How often it had been tried in vain before anybody had it.
        """
        with self._open() as (connection, now):
            told, folded = self._take_counts(connection, message_id)
            add_counts(connection, self._handler, delivered=told, folded=folded)
            query = "SELECT failures FROM mail_letters WHERE id = ? AND NOT reached"
            row = connection.execute(query, (message_id,)).fetchone()
            connection.execute("UPDATE mail_letters SET reached = 1, sent = ? WHERE id = ?", (sent, message_id))
            # The limit is of messages that arrive: one that waited counts from now.
            connection.execute("REPLACE INTO mail_times VALUES (?, ?, ?)", (self._handler, message_id, now))
        return row[0] - 1 if row else 0

    def dropped(self, message_id: str, reason: str) -> None:
        """Book a message that nobody will get; those that somebody has got stay counted as told.

        What it told is told anew with the next error of its groups.
        """
        with self._open() as (connection, _):
            told, folded = self._take_counts(connection, message_id)
            add_counts(connection, self._handler, dropped={reason: told + folded})
            connection.execute("UPDATE mail_letters SET sent = 1 WHERE id = ?", (message_id,))
            query = (
                "SELECT fingerprints FROM mail_tries JOIN mail_letters ON letter = id WHERE id = ? AND NOT reached"
            )
            row = connection.execute(query, (message_id,)).fetchone()
            if row is not None and (names := set(orjson.loads(row[0]))):
                groups = self._groups(connection)
                for name in names & groups.keys():
                    groups[name] = replace(groups[name], told_at=None, thread="")
                self._keep(connection, {name: g for name, g in groups.items() if name not in names or g.untold})

    def drop(self, message_id: str, reason: str) -> None:
        """Take a message out, and count its errors as dropped; for who holds the host's lock."""
        self.dropped(message_id, reason)
        self.finish(message_id)

    def finish(self, message_id: str) -> None:
        """Take a message out that is sent or dropped: first its file, then its row."""
        self.spool.remove(message_id)
        self._close(message_id)

    def _close(self, message_id: str) -> None:
        """Forget a message whose file has gone."""
        with self._open() as (connection, _):
            connection.execute("DELETE FROM mail_letters WHERE id = ? AND sent", (message_id,))
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

    def _take_counts(self, connection: "sqlite3.Connection", message_id: str) -> tuple[int, int]:
        row = connection.execute("SELECT told, folded FROM mail_letters WHERE id = ?", (message_id,)).fetchone()
        connection.execute("UPDATE mail_letters SET told = 0, folded = 0 WHERE id = ?", (message_id,))
        return row or (0, 0)
