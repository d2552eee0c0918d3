"""The exception that a log call was made for, though the call does not say so: the one that is being handled.

``logger.error(f"cannot open {path}: {e}")`` inside an ``except`` block makes a record without ``exc_info``. It gets
the exception when that belongs to it, which is decided once, while the call is made, in its thread:

- the frame that logs is in a handler of that exception, or
- a frame further out is, and the record names the exception: among its arguments, or by its text in the message.

Outside of any handler an exception that was raised before is taken up where it is the message, or the only one among
the arguments: what a future holds, what ``gather(return_exceptions=True)`` returns, the last error of several tries.

A helper that is called from an ``except`` block and reports an error of its own does neither. ``record.exc_info``
stays as it is: it belongs to other people's formatters.
"""

import itertools
import logging
import operator
import os
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeGuard, cast

from visigate_logging.detail.clauses import clause_at
from visigate_logging.detail.values import safe_str
from visigate_logging.host.headroom import caller_exception, caller_frame, caller_thread

HANDLED_AS = "_visigate_adopted"
"""Attribute of a ``LogRecord`` that holds what was decided; the underscore keeps JSON formatters from merging it."""
VARIABLE = "VISIGATE_HANDLED_EXCEPTIONS"
"""Environment variable: name of the level from which records take up exceptions; ``false``: none does."""
SHORTEST_TEXT = 8
"""Characters of an exception's text from which it is known by it."""
MAX_PLACES = 100
"""Places in a message at which the text may stand."""

_WRAPPERS = {"logging", "loguru", "structlog"}


class Handled(NamedTuple):
    """An exception that was taken up.

    Args:
        exception: it itself.
        handled: whether an ``except`` clause has it, not a ``finally`` or the end of a ``with`` that it passes.
    """

    exception: BaseException
    handled: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process the record goes without it, as it goes without ``exc_info``."""
        return type(None), ()


def being_handled(record: logging.LogRecord) -> Handled | None:
    """Return the exception that a record without ``exc_info`` was made for; None when there is none.

    Args:
        record: any; only while the call that made it is under way, and in its thread, is one found that is handled.
    """
    if HANDLED_AS in record.__dict__:
        known: Handled | None = record.__dict__[HANDLED_AS]
        return known
    if record.exc_info is not None or record.exc_text:
        return None
    exc = caller_exception()
    found = None
    try:
        if record.levelno >= _from_level:
            found = (None if exc is None else _decide(record, exc)) or _given(record)
    except Exception:  # a hostile exception or record: then it is not taken up
        found = None
    if found is not None or exc is not None:
        record.__dict__[HANDLED_AS] = found
    return found


def _given(record: logging.LogRecord) -> Handled | None:
    """Return the exception that a record was given in its message; one that nobody raised is only a text there."""
    given = record.args or (record.msg,)
    found = {id(v): v for v in (given.values() if isinstance(given, Mapping) else given) if _was_raised(v)}
    return Handled(found.popitem()[1], False) if len(found) == 1 else None


def _was_raised(value: object) -> TypeGuard[BaseException]:
    """Return whether a value is an exception with a traceback, or with that of another process as its cause."""
    if not issubclass(type(value), BaseException):  # by its type alone: what an object says is its own code
        return False
    exc = cast(BaseException, value)
    return exc.__traceback__ is not None or exc.__cause__ is not None


def _decide(record: logging.LogRecord, exc: BaseException) -> Handled | None:
    logs = _frame_that_logs(record)
    if isinstance(record.msg, Mapping) and record.msg.get("exc_info") is True:  # structlog leaves it to who formats
        return None if logs is None else Handled(exc, False)
    frame = logs
    while frame is not None and (clause := clause_at(frame.f_code, frame.f_lasti)) is None:
        frame = frame.f_back
    if frame is None:
        return None
    belongs = (frame is logs and _went_through(exc, frame)) or _is_named(exc, record)
    return Handled(exc, clause == "except") if belongs else None


_from_level = float("inf")


def look_at_environment() -> None:
    """Take the level that the environment names from now on: to ask for it costs too much for each record."""
    global _from_level  # noqa: PLW0603 -- replaced whole
    level = logging.getLevelName(os.environ.get(VARIABLE, "ERROR"))
    _from_level = level if isinstance(level, int) else float("inf")


look_at_environment()


def _frame_that_logs(record: logging.LogRecord) -> FrameType | None:
    """Return the frame of the logging call that makes a record; None when the record is from another call or thread.

    Where the record was made is known by its file and line alone. That it is not an older one, which is flushed
    while the same line logs again, is known by the call that is handing it to the handlers.
    """
    if record.thread not in (None, caller_thread()):
        return None
    frame = caller_frame()
    while frame is not None and not (frame.f_code.co_name in _HANDING and _hands_on(frame, record)):
        frame = frame.f_back
    while frame is not None and not (frame.f_code.co_filename == record.pathname and frame.f_lineno == record.lineno):
        frame = frame.f_back
    while frame is not None and _package(frame) in _WRAPPERS:
        frame = frame.f_back
    return frame


_HANDLE: CodeType = logging.Logger.handle.__code__
_HANDING = ("handle", "write")


def _hands_on(frame: FrameType, record: logging.LogRecord) -> bool:
    """Return whether a frame is that of ``Logger.handle``, or of loguru's sink, with a record or its copy."""
    code = frame.f_code
    if code is not _HANDLE and not (code.co_name == "write" and _package(frame) == "loguru"):
        return False
    handled = frame.f_locals.get("record")
    return handled is record or getattr(handled, "created", None) == record.created


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _went_through(exc: BaseException, frame: FrameType) -> bool:
    """Return whether an exception came up to a frame, though a helper that raised it again stands before it."""
    entry = exc.__traceback__
    while entry is not None:
        if entry.tb_frame is frame:
            return True
        entry = entry.tb_next
    return False


def _is_named(exc: BaseException, record: logging.LogRecord) -> bool:
    """Return whether a record has an exception among what it was given, or its text in the message."""
    text = safe_str(exc).strip()
    if type(record.msg) is str and not record.args and len(text) >= SHORTEST_TEXT and _stands_in(text, record.msg):
        return True  # as an f-string has it
    given = [*record.__dict__.values()]
    given += record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    given += record.msg.values() if isinstance(record.msg, Mapping) else ()
    if any(map(operator.is_, given, itertools.repeat(exc))):
        return True
    return len(text) >= SHORTEST_TEXT and _stands_in(text, record.getMessage())


def _stands_in(text: str, message: str) -> bool:
    """Return whether a text stands in a message, not as a part of longer words."""
    start = message.find(text)
    for _ in range(MAX_PLACES):
        if start < 0:
            return False
        end = start + len(text)
        before, behind = message[max(start - 1, 0) : start], message[end : end + 1]
        if not (_are_one_word(before, text[0]) or _are_one_word(text[-1], behind)):
            return True
        start = message.find(text, start + 1)
    return False


def _are_one_word(left: str, right: str) -> bool:
    return (left.isalnum() or left == "_") and (right.isalnum() or right == "_")
