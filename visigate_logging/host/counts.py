"""Count sheets: what a handler was given, and what became of it."""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from visigate_logging.host.clock import boot_id
from visigate_logging.host.failures import Failure, failure, note_drops, note_failure
from visigate_logging.host.forks import ForkAware, process_lives, watch_forks
from visigate_logging.host.state import State

if TYPE_CHECKING:
    import sqlite3

_HOST = ""  # the owner of what no single process answers for
_DROPPED = "dropped:"
_PROCESS_ENDED = "process ended"


class Sheet(TypedDict):
    """A count sheet as plain data; ``accepted`` is the sum of all the others."""

    accepted: int
    delivered: int
    folded: int
    dropped: dict[str, int]
    pending: int


class CountSheet(ForkAware):
    """What one handler did with its records in this process.

    At every moment accepted = delivered + folded + dropped (by reason) + pending. A forked child begins at
    zero: what was accepted before the fork is the parent's to finish.

    Args:
        handler: the handler's name; processes that use the same name are summed up by `host_counts`.
    """

    def __init__(self, handler: str) -> None:
        self.handler = handler
        self._counts: Counter[str] = Counter()
        self.at_once = 0
        """Records that were accepted and have reached their goal, in one; who adds to it holds a lock of its own."""
        self._published: Counter[str] = Counter()
        self._failure: Failure | None = None
        self.after_fork_in_child()
        watch_forks(self)

    def accept(self, n: int = 1) -> None:
        """Count n records that the handler answers for from now on."""
        self._add("accepted", n)

    def deliver(self, n: int = 1) -> None:
        """Count n accepted records that reached their goal."""
        self._add("delivered", n)

    def fold(self, n: int = 1) -> None:
        """Count n accepted records that are told of only as part of a count."""
        self._add("folded", n)

    def drop(self, reason: str, n: int = 1) -> None:
        """Count n accepted records that are lost, and why."""
        self._add(_DROPPED + reason, n)

    def fail(self, text: str) -> None:
        """Remember what went wrong, without secrets in it, as the handler's last failure."""
        with self._lock:
            self._failure = failure(text)

    def hand_over(self, n: int) -> None:
        """Take n accepted records off this sheet: `add_counts` has put them on the host's."""
        self._add("accepted", -n)

    def snapshot(self) -> Sheet:
        """Return the sheet as it is now."""
        with self._lock:
            return _sheet(self._now())

    def _now(self) -> Counter[str]:
        counts, at_once = self._counts.copy(), self.at_once
        counts.update(accepted=at_once, delivered=at_once)
        return counts

    @property
    def has_news(self) -> bool:
        """Whether there is something that has not been published."""
        with self._lock:
            return self._failure is not None or self._now() != self._published

    def publish(self, state: State, timeout: float = 10.0) -> None:
        """Add what is new since the last time to the state file, the last failure too, in one transaction.

        What processes that have ended left there is kept under the host; their pending records are then
        dropped.

        Args:
            state: the state file.
            timeout: seconds to wait for another process that uses it.

        Raises:
            StateError: the state file cannot be used; nothing is lost, the next call adds it.
        """
        with self._publishing:
            with self._lock:
                counts, failed = self._now(), self._failure
            news = counts.copy()
            news.subtract(self._published)
            with state.transaction(timeout) as connection:
                _add_fields(connection, self.handler, self._owner, news)
                note_drops(connection, self.handler, _dropped(news))
                if failed is not None:
                    note_failure(connection, self.handler, failed)
                _gather_ended(connection)
            with self._lock:
                self._published = counts
                if self._failure is failed:  # else there has been another meanwhile
                    self._failure = None

    def after_fork_in_child(self) -> None:
        """Begin at zero."""
        # Reentrant: a destructor or signal handler that logs may interrupt this very thread in here.
        self._lock = threading.RLock()
        self._publishing = threading.Lock()
        self._owner = uuid.uuid4().hex
        self._counts, self._published = Counter(), Counter()
        self.at_once = 0
        self._failure = None

    def _add(self, field: str, n: int) -> None:
        with self._lock:
            # What a signal handler that logs adds here would be lost in a `+=` that calls Python's own __missing__.
            self._counts.setdefault(field, 0)
            self._counts[field] += n


def add_counts(
    connection: "sqlite3.Connection",
    handler: str,
    *,
    accepted: int = 0,
    delivered: int = 0,
    folded: int = 0,
    dropped: Mapping[str, int] | None = None,
) -> None:
    """Count for the host as a whole, inside a transaction of the caller's, so that both hold or neither."""
    fields = {"accepted": accepted, "delivered": delivered, "folded": folded}
    fields |= {_DROPPED + reason: n for reason, n in (dropped or {}).items()}
    _add_fields(connection, handler, _HOST, fields)
    note_drops(connection, handler, dropped or {})


def host_counts(state: State) -> dict[str, Sheet]:
    """Return the sheet of each handler, summed over the processes of the host, living and gone.

    Raises:
        StateError: the state file cannot be used.
    """
    with state.transaction() as connection:
        return read_counts(connection)


def read_counts(connection: "sqlite3.Connection") -> dict[str, Sheet]:
    """As `host_counts`, inside a transaction of the caller's."""
    found: dict[str, Counter[str]] = {}
    rows = connection.execute("SELECT handler, field, sum(n) FROM counts GROUP BY handler, field")
    for handler, field, n in rows:
        found.setdefault(handler, Counter())[field] = n
    return {handler: _sheet(counts) for handler, counts in found.items()}


def _sheet(counts: Mapping[str, int]) -> Sheet:
    dropped = _dropped(counts)
    accepted, delivered, folded = (counts.get(f, 0) for f in ("accepted", "delivered", "folded"))
    pending = accepted - delivered - folded - sum(dropped.values())
    return Sheet(accepted=accepted, delivered=delivered, folded=folded, dropped=dropped, pending=pending)


def _dropped(counts: Mapping[str, int]) -> dict[str, int]:
    return {f.removeprefix(_DROPPED): n for f, n in counts.items() if f.startswith(_DROPPED) and n}


def _add_fields(connection: "sqlite3.Connection", handler: str, owner: str, fields: Mapping[str, int]) -> None:
    connection.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(handler, owner, boot_id(), os.getpid(), field, n) for field, n in fields.items() if n],
    )


def _gather_ended(connection: "sqlite3.Connection") -> None:
    """Move the sheets of ended processes to the host's, so that the table stays small."""
    owners = connection.execute(
        "SELECT DISTINCT handler, owner, boot_id, pid FROM counts WHERE owner != ?", (_HOST,)
    ).fetchall()
    for handler, owner, boot, pid in owners:
        if boot == boot_id() and process_lives(pid):
            continue
        key = (handler, owner)
        rows = connection.execute("SELECT field, n FROM counts WHERE handler = ? AND owner = ?", key)
        fields = Counter(dict(rows.fetchall()))
        unfinished = _sheet(fields)["pending"]
        fields[_DROPPED + _PROCESS_ENDED] += unfinished
        note_drops(connection, handler, {_PROCESS_ENDED: unfinished})
        _add_fields(connection, handler, _HOST, fields)
        connection.execute("DELETE FROM counts WHERE handler = ? AND owner = ?", key)
