"""Which record told of the same exception before: one that is logged again on its way is one error.

What was told is noted on the exception itself, in its ``__dict__``: that keeps nothing alive, and goes with it. An
object that is raised again, such as a singleton or what a future holds, is a new error, which its traceback tells:

- on its way up an exception gets entries in front of those that it has, of frames further out;
- a ``raise`` that names it, outside of the handler that has caught it, begins anew.

Code written in C that raises a stored exception leaves no such trace: nothing is taken for a repeat after a minute.
"""

import logging
from collections.abc import Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any

from visigate_logging.detail.clauses import is_caught_there, is_raise
from visigate_logging.host.headroom import caller_frame

NOTED_AS = "_visigate_told"
"""Key in the ``__dict__`` of an exception."""
LONGEST = 60.0
"""Seconds from the first report for which another of the same exception repeats it."""
MAX_ENTRIES = 2000
"""Entries of a traceback that are compared, the innermost."""

_dict_of = BaseException.__dict__["__dict__"].__get__


def report(exc: BaseException, tb: TracebackType | None, record: logging.LogRecord, detail: Mapping[str, Any]) -> str:
    """Return the ``event_id`` of an earlier record of the same exception on the same way; empty when there is none.

    Then this one is the first, and is noted as that: its ``event_id``, process, thread and task, the number of its
    severity, its time, and the entries of the traceback. One that was less severe does not count: who was not told
    of it must be told of this.

    Args:
        exc: that is logged.
        tb: its traceback.
        record: what is logged.
        detail: the fields of its detail, as far as they are known.
    """
    told = _dict_of(exc)
    teller = detail["pid"], record.thread, detail["task"]
    now, named = detail["monotonic"], detail["severity"]
    severity = record.levelno if named == record.levelname else _severity(record, named)
    known = told.get(NOTED_AS)
    if known is not None:
        event_id, its_teller, its_severity, time, noted = known
        if its_teller == teller and now - time <= LONGEST and severity <= its_severity:
            if _is_all(noted, tb):
                return str(event_id)
            if _is_on_its_way(noted, _entries(tb)):
                told[NOTED_AS] = event_id, teller, its_severity, time, _ids(tb)
                return str(event_id)
    told[NOTED_AS] = detail["event_id"], teller, severity, now, _ids(tb)  # plain: it may go to another process
    return ""


def _is_on_its_way(noted: tuple[int, ...], entries: list[TracebackType]) -> bool:
    """Return whether a traceback is that of what was noted, come further."""
    shared = 0
    while shared < min(len(noted), len(entries)) and noted[-1 - shared] == id(entries[-1 - shared]):
        shared += 1
    if shared == 0 and (noted or entries):
        return False
    return not any(_begins_anew(entries, at) for at in range(len(entries) - shared))


def _severity(record: logging.LogRecord, named: str) -> int:
    number = logging.getLevelName(named)
    return number if isinstance(number, int) else record.levelno


def _is_all(noted: tuple[int, ...], tb: TracebackType | None) -> bool:
    """Return whether a traceback is what was noted: from the same entry inwards all is the same."""
    return noted[0] == id(tb) if noted else tb is None


def _entries(tb: TracebackType | None) -> list[TracebackType]:
    """Return the entries of a traceback, outermost first; of an endless recursion the innermost."""
    entries = []
    while tb is not None:
        entries.append(tb)
        tb = tb.tb_next
    return entries[-MAX_ENTRIES:]


def _ids(tb: TracebackType | None) -> tuple[int, ...]:
    ids = []
    while tb is not None:
        ids.append(id(tb))
        tb = tb.tb_next
    return tuple(ids[-MAX_ENTRIES:])


def _begins_anew(entries: list[TracebackType], at: int) -> bool:
    """Return whether an entry is a ``raise`` of what no handler has any more."""
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
    frame = caller_frame()
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
