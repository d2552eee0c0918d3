"""Which record told of the same exception before: one that is logged again on its way is one error.

What was told is noted on the exception itself, in its ``__dict__``: that keeps nothing alive, and goes with it. An
object that is raised again, such as a singleton or what a future holds, is a new error, which its traceback tells:

- on its way up an exception gets entries in front of those that it has, of frames further out;
- a ``raise`` that names it, outside of the handler that has caught it, begins anew.

Code written in C that raises a stored exception leaves no such trace: nothing is taken for a repeat after a minute.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from visigate_logging.detail.clauses import is_caught_there, is_raise

__all__ = ["Recent", "Report", "earlier_report", "note_report", "report_of"]

NOTED_AS = "_visigate_told"
"""Key in the ``__dict__`` of an exception."""
LONGEST = 60.0
"""Seconds from the first report for which another of the same exception repeats it."""
MAX_ENTRIES = 2000
"""Entries of a traceback that are compared, the innermost."""

_dict_of = BaseException.__dict__["__dict__"].__get__


class Report(NamedTuple):
    """A record of an exception.

    Args:
        event_id: of the record.
        teller: process, thread and task that made it.
        severity: number of its severity.
        time: seconds on the monotonic clock.
    """

    event_id: str
    teller: tuple[int | str | None, ...]
    severity: int
    time: float


def report_of(record: logging.LogRecord, detail: Mapping[str, Any]) -> Report:
    """What is to be noted of a record.

    Args:
        record: what was logged.
        detail: the fields of its detail.
    """
    number = logging.getLevelName(detail["severity"])
    severity = number if isinstance(number, int) else record.levelno
    teller = detail["pid"], record.thread, detail["task"]
    return Report(detail["repeats"] or detail["event_id"], teller, severity, detail["monotonic"])


def note_report(exc: BaseException, tb: TracebackType | None, report: Report) -> None:
    """Note on an exception that a record of it was kept.

    Args:
        exc: that was logged.
        tb: its traceback.
        report: the record, or the first that it repeats.
    """
    known = _dict_of(exc).get(NOTED_AS)
    first = known[:-1] if known is not None and known[0] == report.event_id else report
    _dict_of(exc)[NOTED_AS] = (*first, tuple(map(id, _entries(tb))))


def earlier_report(exc: BaseException, tb: TracebackType | None, report: Report) -> str:
    """The ``event_id`` of an earlier record of the same exception on the same way; empty when there is none.

    One that was less severe does not count: who was not told of it must be told of this.

    Args:
        exc: that is logged.
        tb: its traceback.
        report: the record that is being made.
    """
    known = _dict_of(exc).get(NOTED_AS)
    if known is None:
        return ""
    event_id, teller, severity, time, noted = known
    if teller != report.teller or severity < report.severity or report.time - time > LONGEST:
        return ""
    entries = list(_entries(tb))
    shared = 0
    while shared < min(len(noted), len(entries)) and noted[-1 - shared] == id(entries[-1 - shared]):
        shared += 1
    if shared == 0 and (noted or entries):
        return ""
    new = len(entries) - shared
    return "" if any(_begins_anew(entries, at) for at in range(new)) else event_id


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    """The entries of a traceback, outermost first; of an endless recursion the innermost."""
    count = 0
    entry = tb
    while entry is not None:
        count += 1
        entry = entry.tb_next
    while tb is not None:
        if count <= MAX_ENTRIES:
            yield tb
        count -= 1
        tb = tb.tb_next


def _begins_anew(entries: list[TracebackType], at: int) -> bool:
    """Whether an entry is a ``raise`` of what no handler has any more."""
    entry = entries[at]
    if not is_raise(entry.tb_frame.f_code, entry.tb_lasti):
        return False
    reached = dict(_running())  # where each frame is, or was when the exception left it the next time
    reached.update((e.tb_frame, e.tb_lasti) for e in entries[: at + 1])
    return not any(
        inner.tb_frame in reached and is_caught_there(inner.tb_frame.f_code, inner.tb_lasti, reached[inner.tb_frame])
        for inner in entries[at + 1 :]
    )


def _running() -> Iterator[tuple[FrameType, int]]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame, frame.f_lasti
        frame = frame.f_back


class Recent:
    """The last events that a handler has taken: a repeat of one that it has missed is no repeat for it."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._taken: dict[str, None] = {}

    def is_repeat(self, event_id: str, repeats: str) -> bool:
        """Take an event; whether it repeats one that was taken.

        Args:
            event_id: of the event.
            repeats: of the event that it repeats, or empty.
        """
        if repeats and repeats in self._taken:
            return True
        if len(self._taken) >= self._most:
            for old in list(self._taken)[: self._most // 2]:
                self._taken.pop(old, None)
        self._taken[repeats or event_id] = None
        return False
