"""Errors told through VisiGate's own notification manager, as rarely as by mail, and outside the caller."""

import dataclasses
import json
import logging
import os
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from visigate_logging.delivery.digest import Item, section, title
from visigate_logging.delivery.throttle import Incident, Windows, after_telling, note, plan
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import CountSheet, ForkAware, HostLock, Sheet, State, watch_forks
from visigate_logging.host.clock import host_seconds
from visigate_logging.host.counts import add_counts, host_counts
from visigate_logging.host.worker import Worker

if TYPE_CHECKING:
    import sqlite3

__all__ = ["ManagerHandler", "NotificationManager"]

NAME = "notification manager"
SUBJECT = "VisiGate Error"
EXIT_TIMEOUT = 2.0
LOOK_AGAIN = 1.0
MAX_GROUPS = 500
MAX_KEPT = 10_000
"""Errors that are held while the books cannot be written."""
MAX_TAKEN = 200
"""Ids of errors that are remembered, to know their repeats by."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS notified (fingerprint TEXT PRIMARY KEY, incident TEXT NOT NULL, detail BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notified_at (seconds REAL NOT NULL);
"""

Tables = dict[str, Item]
"""What is to be told, by group."""


class NotificationManager(Protocol):
    """What VisiGate's notification manager offers."""

    def send_email_notification(self, *, subject: str, message: str) -> Any:
        """Send a mail."""


class ManagerHandler(ForkAware, logging.Handler):
    """Gives errors to a notification manager: the first of a group at once, repeats as counts.

    When to tell is decided as for mail, for all processes of the host together. What the manager does is its own;
    when it raises, what it was to tell is told again later, and that is said on the logger ``visigate_logging``.

    Args:
        manager: its method ``send_email_notification(subject=, message=)`` is called in a thread of the handler.
        state_dir: directory that the processes of the host share.
        windows: how long to wait before telling.
    """

    def __init__(
        self, manager: NotificationManager, state_dir: str | os.PathLike[str], windows: Windows | None = None
    ) -> None:
        super().__init__()
        self._manager = manager
        self._windows = windows or Windows()
        self._counts = CountSheet(NAME)
        self._state = State(state_dir, _SCHEMA)
        self._lock = HostLock(Path(state_dir, "notifications.lock"))
        self._noted: list[ErrorDetail] = []
        self._taken: deque[str] = deque(maxlen=MAX_TAKEN)
        self._closing = False
        self._worker: Worker[ErrorDetail] = Worker("visigate-notifications", self._work, close=self.close)
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Begin with nothing to note: that is the parent's."""
        self._noted = []

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the error; never waits and never raises."""
        try:
            self._counts.accept()
            detail = ErrorDetail.from_record(record)
            if detail.repeats and detail.repeats in self._taken:
                self._counts.fold()  # the same exception object, reported once more
                return
            self._taken += (detail.event_id, detail.repeats or detail.event_id)
            if not self._worker.put(detail):
                self._counts.drop("queue full")
        except Exception:  # noqa: BLE001 -- emit raises nothing
            self.handleError(record)

    def counts(self) -> Sheet:
        """Count what became of the host's errors: ``delivered`` with their details, ``folded`` as part of a count."""
        own = self._counts.snapshot()
        host = host_counts(self._state).get(NAME, Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0))
        return Sheet(
            accepted=own["accepted"] + host["accepted"],
            delivered=host["delivered"],
            folded=own["folded"] + host["folded"],
            dropped=dict(Counter(own["dropped"]) + Counter(host["dropped"])),
            pending=own["pending"] + host["pending"],
        )

    def close(self) -> None:
        """Note what is to be told, and tell what can be within 2 s; the rest the next process tells."""
        self._closing = True
        self._worker.stop(EXIT_TIMEOUT)
        self._state.close()
        super().close()

    def _work(self, details: list[ErrorDetail]) -> float | None:
        """Note what came, tell what is due, and return in how many seconds to look again; in the worker's thread."""
        self._keep(details)
        self._state.directory.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire(LOOK_AGAIN):  # another process of the host tells
            return LOOK_AGAIN
        try:
            with self._state.transaction() as connection:
                now, books = host_seconds(connection), _read(connection)
                self._note(connection, books, now)
                sent = [row[0] for row in connection.execute("SELECT seconds FROM notified_at ORDER BY seconds")]
            self._counts.hand_over(len(self._noted))
            self._noted = []
            waits = 0.0 if not self._closing else self._windows.group_wait  # at the end nothing waits for company
            decision = plan([item.group for item in books.values()], sent, now + waits, self._windows)
            if decision.due:
                self._tell([books[group.fingerprint] for group in decision.due], now)
                return 0.0
            return None if decision.look_again is None else max(0.0, decision.look_again - now)
        finally:
            self._lock.release()

    def _keep(self, details: list[ErrorDetail]) -> None:
        """Hold until they are noted in the books, which may not be possible for long."""
        room = MAX_KEPT - len(self._noted)
        self._noted += details[:room]
        self._counts.drop("not noted", len(details[room:]))

    def _note(self, connection: "sqlite3.Connection", books: Tables, now: float) -> None:
        too_many = 0
        for detail in self._noted:
            known, when = books.get(detail.fingerprint), detail.timestamp
            if known is None and len(books) >= MAX_GROUPS:
                too_many += 1
                continue
            news = Incident(detail.fingerprint, detail.severity, now, now, when, when, when, untold=1)
            group = note(known.group if known else None, news, self._windows)
            shown = detail if known is None or not known.group.untold else known.detail
            books[detail.fingerprint] = item = Item(group, shown)
            _write(connection, item)
        add_counts(connection, NAME, accepted=len(self._noted), dropped={"too many groups": too_many})

    def _tell(self, due: list[Item], now: float) -> None:
        """Call the manager, and book what it was told; the end of an incident is booked without a word."""
        told = [item for item in due if item.group.untold]
        if told:
            self._manager.send_email_notification(subject=_subject(told), message="\n\n".join(map(_text, told)))
        with self._state.transaction() as connection:
            if told:
                connection.execute("INSERT INTO notified_at VALUES (?)", (now,))
                connection.execute("DELETE FROM notified_at WHERE seconds < ?", (now - 7200.0,))
                errors = sum(item.group.untold for item in told)
                add_counts(connection, NAME, delivered=len(told), folded=errors - len(told))
            for item in due:
                after = after_telling(item.group, now, self._windows)
                if after is None:
                    connection.execute("DELETE FROM notified WHERE fingerprint = ?", (item.group.fingerprint,))
                else:
                    _write(connection, Item(after, item.detail))


def _read(connection: "sqlite3.Connection") -> Tables:
    books = {}
    for fingerprint, incident, detail in connection.execute("SELECT * FROM notified"):
        books[fingerprint] = Item(Incident(**json.loads(incident)), ErrorDetail.from_dict(json.loads(detail)))
    return books


def _write(connection: "sqlite3.Connection", item: Item) -> None:
    values = (item.group.fingerprint, json.dumps(dataclasses.asdict(item.group)), item.detail.to_json())
    connection.execute("INSERT OR REPLACE INTO notified VALUES (?, ?, ?)", values)


def _subject(told: list[Item]) -> str:
    worst = told[0]
    times = f" ({worst.group.untold:,} times)" if worst.group.untold > 1 else ""
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{SUBJECT}: {title(worst.detail)}{times}{more}"


def _text(item: Item) -> str:
    told = section(item)
    facts = [f"{label}: {value}" for label, value in told.facts]
    blocks = [f"{label}:\n{text}" for label, text in told.blocks]
    return "\n".join([f"{told.severity} {told.title}", told.message, told.summary, *facts, *blocks])
