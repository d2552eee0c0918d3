"""What was done about errors: the attempts for one, and which groups have been recovered from."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import UnknownEventError
from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.text import parsed_time
from visigate_logging.web.text import when as when_of

RecoverySource = Callable[[str | None], Iterable[Mapping[str, Any]]]
"""Tells the attempts to recover from the error with an id, or, without one, from any; the oldest first."""

SHOWN = ("timestamp", "procedure", "event", "step", "action", "status", "message")
LATEST = 100
"""Recoveries that are looked at for the groups they mended."""


class Recoveries:
    """Attempts as a source has them.

    Args:
        store: the errors.
        source: see :data:`RecoverySource`; None knows of none.
    """

    def __init__(self, store: ErrorStore, source: RecoverySource | None) -> None:
        self._store = store
        self._source = source
        self._known: dict[str, ErrorDetail | None] = {}

    def of(self, event_id: str) -> list[Mapping[str, Any]]:
        """Return the attempts for one error."""
        return [{name: attempt.get(name) or "" for name in SHOWN} for attempt in self._attempts(event_id)]

    def of_group(self, key: str) -> list[Mapping[str, Any]]:
        """Return how the recoveries for errors of a group ended, the newest first."""
        ended = [attempt for attempt in self._attempts(None) if attempt.get("event") == "outcome"][: -LATEST - 1 : -1]
        own = (a for a in ended if (r := self._record(str(a.get("event_id")))) and r.fingerprint == key)
        return [{name: attempt.get(name) or "" for name in (*SHOWN, "event_id")} for attempt in own]

    def mended(self) -> Callable[[Group], bool]:
        """Return what tells whether a group was recovered from, by one of its errors, and none has come since."""
        mended: dict[str, datetime] = {}
        for outcome in list(filter(_is_success, self._attempts(None)))[-LATEST:]:
            record = self._record(str(outcome.get("event_id")))
            when = record and (parsed_time(outcome.get("timestamp")) or when_of(record))
            if record and when:
                mended[record.fingerprint] = when

        def is_mended(group: Group) -> bool:
            when = mended.get(group.key)
            return (when is not None and when >= group.last_seen) or any(
                map(_is_success, self._attempts(group.latest))
            )

        return is_mended

    def _attempts(self, event_id: str | None) -> Iterable[Mapping[str, Any]]:
        return self._source(event_id) if self._source else ()

    def _record(self, event_id: str) -> ErrorDetail | None:
        if event_id not in self._known:
            if len(self._known) > 10 * LATEST:
                self._known.clear()
            try:
                self._known[event_id] = self._store.get(event_id)
            except UnknownEventError:
                self._known[event_id] = None
        return self._known[event_id]


def _is_success(attempt: Mapping[str, Any]) -> bool:
    return (attempt.get("event"), attempt.get("status")) == ("outcome", "done")
