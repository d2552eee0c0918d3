"""What has changed on a host: release, configuration, packages, its clock; each an event of the timeline."""

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.host.clock import boot_id, monotonic
from visigate_logging.host.files import write_atomically
from visigate_logging.host.lock import HostLock
from visigate_logging.host.timeline import Timeline, note_changes
from visigate_logging.lifecycle.outages import length

JUMP = 5.0
"""Seconds by which the clock is set at once; less is drift, or its cure."""
_SAME = 30.0
_NOTE_EVERY = 3600.0
_MOST_NAMED = 5
_NAME = "changes.json"


class Changes:
    """Notes what is different from what the host's processes knew.

    Args:
        directory: the state directory.
        timeline: of the host.
    """

    def __init__(self, directory: Path, timeline: Timeline) -> None:
        self._path = directory / _NAME
        self._lock = HostLock(directory / f".{_NAME}.lock", 0o660)
        self._timeline = timeline
        self._told: dict[str, Any] = {}
        self._mark: tuple[int, ...] | None = None
        self._noted = 0.0
        self._offset = time.time() - monotonic()

    def look(self, facts: Mapping[str, Any]) -> None:
        """Compare what is with what was.

        Args:
            facts: what this process tells of itself.

        Raises:
            OSError: the state directory cannot be used.
        """
        now = {
            f"release:{facts.get('service') or facts.get('name')}": facts.get("release") or "",
            f"configuration:{facts.get('path')}": facts.get("hash") or "",
        }
        if not self._told:  # read once: what is installed later this process does not use
            now[f"packages:{sys.prefix}"] = packages()
        new = {key: value for key, value in now.items() if value and self._told.get(key) != value}
        if new:
            with self._lock.tried() as is_ours:
                if is_ours:
                    self._compare(new)
                    self._told |= new
        self._look_at_clock()
        self._refresh()

    def _compare(self, new: Mapping[str, Any]) -> None:
        known: dict[str, Any] = {}
        with contextlib.suppress(OSError, orjson.JSONDecodeError):
            known = orjson.loads(self._path.read_bytes())
        for key, value in new.items():
            event, _, of = key.partition(":")
            if known.get(key) == value:
                continue
            if text := _told(event, of, known.get(key), value):
                self._timeline.append(event, text, of=of)
        if any(known.get(key) != value for key, value in new.items()):
            write_atomically(self._path, orjson.dumps({**known, **new}))

    def _look_at_clock(self) -> None:
        offset = time.time() - monotonic()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) >= JUMP:
            with self._lock.tried() as is_ours:
                if is_ours and not any(map(_is_this_jump, self._timeline.read())):
                    text = f"the clock was set {'forward' if jump > 0 else 'back'} by {length(abs(jump))}"
                    self._timeline.append("clock", text, seconds=round(jump, 3))

    def _refresh(self) -> None:
        mark = self._timeline.mark()
        if mark != self._mark or monotonic() - self._noted >= _NOTE_EVERY:
            self._mark, self._noted = mark, monotonic()
            note_changes(self._timeline)


def _is_this_jump(event: Mapping[str, Any]) -> bool:
    """Return whether another process has seen it."""
    is_ours = event["event"] == "clock" and event.get("boot_id") == boot_id()
    return is_ours and abs(monotonic() - event.get("monotonic", 0.0)) < _SAME


def packages() -> dict[str, str]:
    """Return what is installed beside this program: names and versions, from the names of folders alone."""
    found: dict[str, str] = {}
    for path in sys.path:
        if path.endswith(("site-packages", "dist-packages")):
            with contextlib.suppress(OSError):
                for name in os.listdir(path):
                    if name.endswith(".dist-info"):
                        package, _, version = name.removesuffix(".dist-info").rpartition("-")
                        found.setdefault(package, version)
    return found


def _told(event: str, of: str, before: Any, now: Any) -> str:
    """Return an event in words; empty when it is the first time that anybody looks, and nothing has changed."""
    if event == "release":
        return f"release {now} of {of}" + (f", before it {before}" if before else "")
    if event == "configuration":
        return f"configuration {os.path.basename(of)} {now}" + (f", before it {before}" if before else "")
    if not isinstance(before, dict):
        return ""
    changed = [
        f"{name} {before.get(name, 'not there')} → {now.get(name, 'gone')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    return f"packages changed: {', '.join(changed[:_MOST_NAMED])}{more}"
