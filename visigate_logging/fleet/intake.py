"""Taking in what gates have sent: into the collector's own log, each record once."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from visigate_logging.detail.record import CACHED_AS
from visigate_logging.exceptions import RefusedError
from visigate_logging.fleet.arrivals import Arrival, Message, Sender, opened, sender_of
from visigate_logging.fleet.gates import SCHEMA, Gate, gates_in, heard, note_state, note_told
from visigate_logging.handlers.json_file import JsonFileHandler
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.host import State, add_counts
from visigate_logging.host.clock import utc_text
from visigate_logging.host.json_lines import JsonLines
from visigate_logging.store.store import ErrorStore
from visigate_logging.store.typed import typed

_MOST_SET_ASIDE = 4 << 20
_MOST_SHOWN = 64 << 10
_FORGOTTEN = 30 * 86_400.0
"""Seconds after which a gate that says nothing is no longer one of the fleet."""

_logger = logging.getLogger("visigate_logging")


class Intake:
    """Writes what gates have sent into one log, and tells people of it as of errors of this host.

    Args:
        log: writes the log; its rotation and retention hold for what gates sent as well.
        people: the handlers that tell people.
        name: of the collector, under which its counts are kept.
    """

    def __init__(self, log: JsonFileHandler, people: Iterable[ThrottledHandler], name: str) -> None:
        self._log = log
        self._people = tuple(people)
        self._name = f"collect-{name}"
        self._store = ErrorStore(log.baseFilename)
        self._state = State(log.state_dir, SCHEMA)
        self._refusals = 0
        self.refused = JsonLines(log.state_dir / f"{self._name}.refused.jsonl", max_bytes=_MOST_SET_ASIDE)

    def take(self, messages: Sequence[Message]) -> None:
        """Take records in; when it returns they are on disk, once each, or set aside as refused.

        Raises:
            OSError: they are not; those that are will be known when they come again.
            StoreError: what the log has cannot be read.
        """
        arrivals = self._opened(messages)
        first = {arrival.event_id: arrival for arrival in reversed(arrivals)}
        known = self._store.known(arrival.record for arrival in first.values())
        kept = [a for a in arrivals if a.event_id not in known and first[a.event_id] is a]
        self._log.append(arrival.line for arrival in kept)
        for arrival in kept:
            self._tell(arrival.record)
        self._book({a.sender: a.at for a in arrivals}, len(messages), len(kept), len(messages) - len(arrivals))

    def take_states(self, messages: Sequence[Message]) -> None:
        """Keep what gates have said of themselves.

        Raises:
            StateError: it cannot be kept.
        """
        with self._state.transaction() as connection:
            for message in messages:
                try:
                    note_state(connection, sender_of(message.subject), message.body, message.at)
                except RefusedError as error:
                    self._set_aside(message, error)

    def gates(self) -> list[Gate]:
        """Return all gates, without those that have been silent for a month."""
        with self._state.transaction() as connection:
            connection.execute("DELETE FROM fleet_gate WHERE heard < ?", (time.time() - _FORGOTTEN,))
            return gates_in(connection)

    def note_told(self, gates: Iterable[Gate]) -> None:
        """Take down that the silence of gates has been told."""
        with self._state.transaction() as connection:
            note_told(connection, gates)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()
        self._state.close()

    def _opened(self, messages: Sequence[Message]) -> list[Arrival]:
        arrivals = []
        for message in messages:
            try:
                arrivals.append(opened(message))
            except RefusedError as error:
                self._set_aside(message, error)
        return arrivals

    def _set_aside(self, message: Message, error: RefusedError) -> None:
        body = message.body[:_MOST_SHOWN].decode("utf-8", "backslashreplace")
        told = {"time": utc_text(), "subject": message.subject, "reason": str(error), "body": body}
        self.refused.append(told | {"bytes": len(message.body)})
        self._refusals += 1
        if self._refusals & (self._refusals - 1) == 0:  # a flood is not to be one here as well
            text = "%s: %d refused, kept in %s; the last from %s: %s"
            _logger.warning(text, self._name, self._refusals, self.refused.path, message.subject, error)

    def _tell(self, record: Mapping[str, Any]) -> None:
        """Hand a record to those who tell people, as one that came over a socket; recoveries are the gate's own."""
        known = typed(record)
        level = logging.getLevelNamesMapping().get(known.get("severity", ""), logging.ERROR)
        given = {name: known.get(name, "") for name in ("severity", "category")}  # a classifier leaves them alone
        values = {"name": known.get("logger", ""), "levelno": level, "msg": known.get("message", ""), **given}
        for handler in self._people:
            if level >= handler.level:
                handler.handle(logging.makeLogRecord(values | {CACHED_AS: known}))

    def _book(self, times: Mapping[Sender, float], accepted: int, delivered: int, refused: int) -> None:
        dropped = Counter({"refused": refused} if refused else {})
        with self._state.transaction() as connection:
            heard(connection, times)
            add_counts(
                connection,
                self._name,
                accepted=accepted,
                delivered=delivered,
                folded=accepted - delivered - refused,
                dropped=dropped,
            )
