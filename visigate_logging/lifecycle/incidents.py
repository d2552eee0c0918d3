"""What is said of this process and its host: loops that have stopped, and when the power was away."""

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from visigate_logging.exceptions import PowerLostError, ProcessHungError
from visigate_logging.host.clock import utc_text
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle.ends import told_of
from visigate_logging.lifecycle.loss import put_aside, torn
from visigate_logging.lifecycle.outages import Absence
from visigate_logging.lifecycle.telling import Origin, tell
from visigate_logging.lifecycle.watchdog import Hang

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
                "torn_lines": torn(timeline.path.parent),
                "put_aside": put_aside(timeline.path.parent),
            }
            given = {name: value for name, value in more.items() if value}
            tell("visigate.power", logging.ERROR, PowerLostError, absence.text, _here(facts, given))


def _here(facts: Mapping[str, Any], more: Mapping[str, Any]) -> Origin:
    return Origin.here(more=more, **{name: str(facts.get(name) or "") for name in ("name", "service", "release")})


def _utc(at: float | None) -> str:
    return "" if at is None else utc_text(at)
