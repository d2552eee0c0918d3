"""Decisions about groups: lines of ``groups.jsonl`` beside the log, appended as the log's own lines are.

The file is the truth, in the order of its lines: two who decide at once lose neither, and a kill costs the line that
was being written at most. Nothing in it is ever changed.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import StoreError
from visigate_logging.host.json_lines import JsonLines

ACTIONS = ("resolve", "mute", "reopen", "note", "merge", "unmerge", "split")
"""What can be decided of a group."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of ``groups.jsonl``.

    Args:
        id: tells it from all others, also when files are joined.
        time: when, RFC 3339.
        who: decided it.
        action: one of ACTIONS.
        key: the fingerprint of the group.
        note: why, in the administrator's own words.
        release: with ``resolve``: errors of earlier releases do not count as coming back.
        until: with ``mute``: when it ends, RFC 3339; empty for not by time.
        more: with ``mute``: it ends after so many further errors; 0 for not by count.
        worse: with ``mute``: it ends when the group becomes more severe, or more than twice as frequent in a day.
        into: with ``merge``: the fingerprint of the group that it becomes part of; with ``split``: that of the part.
        where: with ``split``: what the errors of the part have in common, as ``says`` of ``triage.splits`` takes it.
        last: when the newest error was that was known then, as its record says; empty for none.
        event: the id of that error.
        severity: the worst of the group until then.
        most_a_day: the most errors of the group in one day until then.
        releases: those in which it had occurred.
    """

    id: str
    time: str
    who: str
    action: str
    key: str
    note: str = ""
    release: str = ""
    until: str = ""
    more: int = 0
    worse: bool = False
    into: str = ""
    where: str = ""
    last: str = ""
    event: str = ""
    severity: str = ""
    most_a_day: int = 0
    releases: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what is in its line; what says nothing is left out."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> "Decision | None":
        """Return the decision of a line; None for one that is none, or that a later version has written."""
        known = {f.name: line[f.name] for f in fields(cls) if f.name in line}
        releases = known.pop("releases", ())
        if not isinstance(releases, list | tuple) or known.get("action") not in ACTIONS:
            return None
        if not all(type(value) is _TYPES.get(name, str) for name, value in known.items()):
            return None
        if not all(known.get(name) for name in ("id", "time", "who", "key")) or not _is_time(known.get("until")):
            return None
        return cls(**known, releases=tuple(map(str, releases)))


_TYPES = {"more": int, "worse": bool, "most_a_day": int}


def _is_time(text: str | None) -> bool:
    try:
        return not text or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def decisions_path(log: Path) -> Path:
    """Return where the decisions about the groups of a log are."""
    return log.with_name("groups.jsonl" if log.name != "groups.jsonl" else "groups.decisions.jsonl")


class DecisionLog:
    """The decisions about the groups of one log, in their order. Threads may share one.

    Args:
        path: of ``groups.jsonl``, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = JsonLines(path, max_bytes=0, syncs=True)
        self._read: tuple[str, Sequence[Decision]] = ("", ())

    def append(self, decisions: Iterable[Decision]) -> None:
        """Append decisions, each once it is on the medium.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            for decision in decisions:
                self._lines.append(decision.to_dict())
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}: the decision is not kept") from error

    @property
    def state(self) -> str:
        """What tells whether the file has changed; empty while there is none."""
        try:
            status = os.stat(self.path)
        except OSError:
            return ""
        return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions, the oldest first; a line that says the same as an earlier one is passed over."""
        state = self.state
        if state != self._read[0]:
            self._read = state, tuple(self._distinct())
        return self._read[1]

    def _distinct(self) -> Iterator[Decision]:
        met: set[str] = set()
        for line in self._lines.read():
            decision = Decision.from_dict(line)
            if decision and decision.id not in met:
                met.add(decision.id)
                yield decision


class Merges:
    """Which groups are part of which by decision.

    Args:
        decisions: in their order. One that would make a circle changes nothing.
    """

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.into: dict[str, str] = {}
        for decision in decisions:
            if decision.action == "merge" and self.root(decision.into) != decision.key:
                self.into[decision.key] = decision.into
            elif decision.action == "split":  # also again, after it was undone by merging the part into the whole
                self.into.pop(decision.into, None)
            elif decision.action == "unmerge":
                self.into.pop(decision.key, None)

    def root(self, key: str) -> str:
        """Return the group that the one with a key is part of in the end; its own key when of none."""
        while key in self.into:
            key = self.into[key]
        return key
