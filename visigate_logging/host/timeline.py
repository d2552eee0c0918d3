"""The timeline: what happened to the host and its processes, and what was changed; for people, between errors.

One line of JSON each in ``timeline.jsonl`` of the state directory. What a recovery has done has a file of its own,
the audit trail beside it, and is read from there.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from visigate_logging.host.clock import clock, utc_text
from visigate_logging.host.json_lines import JsonLines

CHANGES = frozenset(["boot", "clock", "configuration", "packages", "power", "recovery", "release", "start"])
"""Kinds of events after which something may be different; the others are ends of processes."""

_LARGEST = 262_144
_AUDIT_LARGEST = 2_000_000
_MOST_NOTED = 3
_NOTED_FOR = timedelta(days=1)

last_changes: tuple[dict[str, Any], ...] = ()
"""What was changed in the last day, as far as this process has looked: time, event and text of each."""


class Timeline:
    """Events of the host, the oldest first.

    Args:
        directory: the state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "timeline.jsonl"
        self._lines = JsonLines(self.path, max_bytes=_LARGEST)
        self._audit = JsonLines(directory / "recovery.jsonl", max_bytes=_AUDIT_LARGEST)

    def append(self, event: str, text: str, **facts: Any) -> None:
        """Add what has happened now; facts may say that it was at another ``time``.

        Args:
            event: its kind.
            text: it in words, in one line.
            facts: what else is known, for programs.

        Raises:
            OSError: it cannot be written.
        """
        now = clock()
        told = {"event": event, "text": text, "boot_id": now.boot_id, "monotonic": round(now.seconds, 3)}
        self._lines.append({"time": utc_text(timespec="milliseconds"), "pid": os.getpid(), **told, **facts})

    def read(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return the events, recoveries among them, the oldest first; what is no event is passed over.

        Args:
            since: only later ones; default all that are kept.
        """
        found = [(at, event) for event in self._all() if (at := when(event)) and (since is None or at > since)]
        return [event for _, event in sorted(found, key=lambda one: one[0])]

    def counts(self, since: datetime) -> dict[str, int]:
        """Return how many events of each kind there were since a time, by kind."""
        found = Counter(str(event["event"]) for event in self.read(since))
        return dict(sorted(found.items()))

    def names(self, of: str) -> bool:
        """Return whether an event has this text in it, a name that nothing else has."""
        return self._lines.contain(of.encode())

    def mark(self) -> tuple[int, ...]:
        """Return what changes when an event comes."""
        return tuple(_size(path) for path in (self.path, self._audit.path))

    def _all(self) -> Iterator[dict[str, Any]]:
        yield from (line for line in self._lines.read() if {"time", "event", "text"} <= line.keys())
        for line in self._audit.read():
            if line.get("event") == "outcome" and line.get("status") not in (None, "refused", "deferred"):
                text = f"recovery {line.get('procedure')}: {line.get('status')}, {line.get('message')}"
                yield {"time": line.get("timestamp", ""), "event": "recovery", "text": text}


def between(events: Iterable[Mapping[str, Any]], times: Sequence[datetime]) -> list[list[Mapping[str, Any]]]:
    """Return for each of several times, such as those of errors, the events that came after it, the newest first.

    Args:
        events: in any order.
        times: the newest first; an event goes with the first that is older, and with none when all are newer.
    """
    found: list[list[Mapping[str, Any]]] = [[] for _ in times]
    known = [(at, event) for event in events if (at := when(event))]
    for at, event in sorted(known, key=lambda one: one[0], reverse=True):
        if (place := next((n for n, time in enumerate(times) if time < at), None)) is not None:
            found[place].append(event)
    return found


def note_changes(timeline: Timeline) -> None:
    """Keep at hand what was changed in the last day, for the records of this process."""
    global last_changes  # noqa: PLW0603 -- a process lives on one host
    found = [e for e in timeline.read(datetime.now(UTC) - _NOTED_FOR) if e["event"] in CHANGES]
    last_changes = tuple({name: e[name] for name in ("time", "event", "text")} for e in found[-_MOST_NOTED:])


def when(event: Mapping[str, Any]) -> datetime | None:
    """Return the time of an event; None when it has none that can be read."""
    try:
        at = datetime.fromisoformat(event["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
