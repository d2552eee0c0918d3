"""What stood around an error: the moments before, the values of variables, the state of the machine.

That is much for each record of a storm. So a group's error gets it the first time, at the 2nd, 4th, 8th … in this
process, and always when the last that got it was a minute ago.
"""

import logging
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from visigate_logging.detail import breadcrumbs
from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.frames import Chain, ExceptionData, Frames
from visigate_logging.detail.local_values import values_of
from visigate_logging.detail.masking import policy
from visigate_logging.detail.tracebacks import printed_before
from visigate_logging.detail.values import Sanitiser
from visigate_logging.host.forks import in_forked_child
from visigate_logging.host.machine import machine

MAX_GROUPS = 1024
"""Groups whose errors are counted."""
REST = 60.0
"""Seconds after which an error gets its surroundings, whatever its number."""
MAX_FRAMES = 5
"""Frames whose variables are told, the innermost."""
MAX_LEVELS = 50
"""Frames of a traceback that are looked at, from the innermost."""

_counts: Bounded[str, tuple[int, float]] = Bounded(MAX_GROUPS)
in_forked_child(_counts.clear)


def is_turn(group: str) -> bool:
    """Count an error of a group; return whether it gets its surroundings."""
    now = time.monotonic()
    known = _counts.get(group)
    if known is None:
        _counts.keep(group, (1, now))
        return True
    count, last = known[0] + 1, known[1]
    due = not count & count - 1 or now - last >= REST
    _counts[group] = (count, now if due else last)
    return due


def add_surroundings(
    values: dict[str, Any],
    record: logging.LogRecord,
    exc: BaseException | None,
    tb: TracebackType | None,
    clean: Sanitiser,
) -> None:
    """Add to the fields of a record what stood around it.

    Args:
        values: the fields; ``exceptions`` gets another value, for others have that one too.
        record: what was logged.
        exc: its live exception.
        tb: the traceback of that.
        clean: bounds texts and masks the secrets in them.
    """
    try:
        values["machine"] = machine.newest(wakes=record.name != "")  # nothing is started for what makes ready
        values["breadcrumbs"] = breadcrumbs.before(record, clean)
        if exc is not None:
            values["exceptions"] = _with_values(values["exceptions"], exc, tb)
    except Exception:  # the error itself is known, and must be told
        values["breadcrumbs"] = values["breadcrumbs"] or ()


class _Place:
    """A frame of the application's own, and where its data stands in a chain."""

    def __init__(self, live: FrameType, depth: int, exception: int) -> None:
        self.live = live
        self.depth = depth
        self.exception = exception


def _with_values(
    chain: Sequence[ExceptionData], exc: BaseException, tb: TracebackType | None
) -> Sequence[ExceptionData]:
    """Return a chain of exceptions with the values of the variables in the innermost frames."""
    places: dict[int, _Place] = {}
    seen = {id(exc)}
    for index, data in enumerate(chain):
        for depth, entry in enumerate(_innermost(tb), 1):
            frame = data.frames[-depth] if depth <= len(data.frames) else None
            if frame is not None and frame.in_app and frame.line:
                places.setdefault(id(entry.tb_frame), _Place(entry.tb_frame, depth, index))
        before, _ = printed_before(exc, seen)
        if before is None or index + 1 >= len(chain) or chain[index + 1].parent != index:
            break
        exc, tb = before, before.__traceback__
        seen.add(id(exc))
    chosen = sorted(places.values(), key=lambda place: (place.depth, place.exception))[:MAX_FRAMES]
    changed = {index: list(data.frames) for index, data in enumerate(chain)}
    for place, found in zip(chosen, values_of([p.live for p in chosen], policy()), strict=True):
        frames = changed[place.exception]
        frames[-place.depth] = frames[-place.depth].with_values(found)
    return Chain(data.with_frames(Frames(changed[index])) for index, data in enumerate(chain))


def _innermost(tb: TracebackType | None) -> list[TracebackType]:
    entries = []
    while tb is not None:
        entries.append(tb)
        tb = tb.tb_next
    return entries[: -MAX_LEVELS - 1 : -1]
