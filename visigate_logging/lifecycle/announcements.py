"""What is said of this process and its host: loops that have stopped, and when the power was away."""

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.exceptions import PowerLostError, ProcessHungError
from visigate_logging.host.clock import boot_id, clock, utc_text
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle.ends import told_of
from visigate_logging.lifecycle.power import Absence
from visigate_logging.lifecycle.telling import Origin, handlers_of, tell
from visigate_logging.lifecycle.watchdog import Hang

__all__ = ["tell_of_absences", "tell_of_hang", "torn_lines"]

_TAIL = 65_536
_MONTH = timedelta(days=30)


def tell_of_hang(hang: Hang, timeline: Timeline, facts: Mapping[str, Any]) -> None:
    """Tell that a loop has stopped, as an error; or that it goes on, as an event.

    Args:
        hang: which.
        timeline: of the host.
        facts: what this process tells of itself.
    """
    who = told_of({**facts, "pid": os.getpid()})
    text = f"{who} makes no progress: no heartbeat of {hang.thread} for {hang.seconds:.0f} s"
    if not hang.stacks:
        text = f"{who}: {hang.thread} goes on after {hang.seconds:.0f} s"
    with contextlib.suppress(OSError):
        timeline.append("hang" if hang.stacks else "resumed", text, is_error=bool(hang.stacks))
    if hang.stacks:
        tell("visigate.hang", logging.ERROR, ProcessHungError, text, _here(facts, {}), hang.stacks)


def tell_of_absences(absences: Iterable[Absence], timeline: Timeline, facts: Mapping[str, Any]) -> None:
    """Tell when the host was away: as an error where it was not shut down.

    Args:
        absences: the oldest first.
        timeline: of the host.
        facts: what this process tells of itself.
    """
    for absence in absences:
        seen = {"is_error": absence.event == "power", "since": _utc(absence.since), "until": _utc(absence.until)}
        timeline.append(absence.event, absence.text, **seen)
        if absence.event == "power":
            month = [e for e in timeline.read(datetime.now(UTC) - _MONTH) if e["event"] == "power"]
            more = {
                "fingerprint": ["power", absence.last.mark, str(absence.kernel)],
                "since": seen["since"],
                "until": seen["until"],
                "times_in_30_days": len(month),
                "cut_off": list(absence.last.cut_off),
                "torn_lines": _torn(),
            }
            given = {name: value for name, value in more.items() if value}
            tell("visigate.power", logging.ERROR, PowerLostError, absence.text, _here(facts, given))


def torn_lines(path: Path, boot: str) -> int:
    """Return how many lines at the end of a log, behind the last of an earlier boot, are none.

    Args:
        path: of lines of JSON that have a ``boot_id``.
        boot: the current one.
    """
    torn = 0
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        for line in reversed(file.read().splitlines()):
            found: Any = None
            with contextlib.suppress(orjson.JSONDecodeError):
                found = orjson.loads(line)
            if isinstance(found, dict):
                if found.get("boot_id") != boot:
                    break
            elif line:
                torn += 1
    return torn


def _torn() -> dict[str, int]:
    files = {getattr(h, "baseFilename", None) for h in handlers_of(logging.getLogger("visigate")) if _keeps_json(h)}
    counts = {os.path.basename(path): torn_lines(Path(path), boot_id()) for path in files if path}
    return {name: count for name, count in counts.items() if count}


def _keeps_json(handler: logging.Handler) -> bool:
    return hasattr(handler, "state_dir") and hasattr(handler.formatter, "format_bytes")


def _here(facts: Mapping[str, Any], more: Mapping[str, Any]) -> Origin:
    now = clock()
    named = {name: str(facts.get(name) or "") for name in ("name", "service", "release")}
    return Origin(pid=os.getpid(), at=time.time(), boot_id=now.boot_id, monotonic=now.seconds, more=more, **named)


def _utc(at: float | None) -> str:
    return "" if at is None else utc_text(at)
