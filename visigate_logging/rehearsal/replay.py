"""Stored errors as log records again, with their times."""

import logging
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from visigate_logging.detail.frames import ExceptionData
from visigate_logging.detail.record import ErrorDetail

_ERRNO = re.compile(r"\[Errno (\d+)\] (.*)", re.S)


def host_times(details: Iterable[ErrorDetail]) -> Iterator[tuple[float, ErrorDetail]]:
    """Errors, the oldest first, with seconds on the host's own clock: a jump of the wall clock is no time.

    Between two boots, and where a record does not say when it was in its boot, the wall clock counts.
    """
    now, before = 0.0, None
    for detail in sorted(details, key=lambda d: (d.timestamp, d.event_id)):
        if before is not None:
            same_boot = detail.boot_id == before.boot_id and detail.monotonic and before.monotonic
            passed = detail.monotonic - before.monotonic if same_boot else _seconds(detail) - _seconds(before)
            now += max(0.0, passed)
        before = detail
        yield now, detail


def _seconds(detail: ErrorDetail) -> float:
    return datetime.fromisoformat(detail.timestamp).timestamp()


def log_record(detail: ErrorDetail) -> logging.LogRecord:
    """Return a log record as filters saw it: with exceptions of the same classes, chained as they were.

    A class that cannot be imported here is stood in for by one of the same name, derived from Exception alone.
    """
    error = _error(detail.exceptions)
    _give_codes(error, detail.grouping)
    return logging.makeLogRecord(
        {
            "name": detail.logger,
            "levelname": detail.level,
            "levelno": logging.getLevelNamesMapping().get(detail.level, logging.ERROR),
            "msg": detail.message,
            "pathname": detail.file,
            "module": detail.file.rpartition("/")[2].removesuffix(".py"),
            "lineno": detail.line,
            "processName": detail.process,
            "process": detail.pid,
            "exc_info": (type(error), error, error.__traceback__) if error is not None else None,
            **detail.additional_info,
        }
    )


def _error(exceptions: tuple[ExceptionData, ...]) -> BaseException | None:
    """Return the exception that was logged; what belongs to another stands behind it in the list."""
    made: dict[int, BaseException] = {}
    for i, data in reversed(list(enumerate(exceptions))):
        inner = {j: other for j, other in enumerate(exceptions) if other.parent == i}
        members = [made[j] for j, other in inner.items() if other.relation == "member"]
        made[i] = _made(data, members)
        for j, other in inner.items():
            if other.relation == "cause":
                made[i].__cause__ = made[j]
            elif other.relation == "context":
                made[i].__context__ = made[j]
    return made.get(0)


def _give_codes(error: BaseException | None, grouping: Mapping[str, Any]) -> None:
    """Give exceptions SQLite's numbers, which a record has by name in its grouping; the system's are in messages."""
    import sqlite3

    causes = [str(cause).rpartition(" ")[2] for cause in grouping.get("causes") or ()]
    for name in (str(grouping.get("code", "")), *causes):
        if error is None:
            return
        if name.startswith("SQLITE_"):
            vars(error)["sqlite_errorcode"] = getattr(sqlite3, name, None)
        error = error.__cause__


def _made(data: ExceptionData, members: list[BaseException]) -> BaseException:
    kind = exception_class(data.module, data.type)
    arguments: tuple[Any, ...] = (data.message,)
    if issubclass(kind, BaseExceptionGroup):
        arguments = (data.message, members)
    elif issubclass(kind, OSError) and (found := _ERRNO.match(data.message)):
        arguments = (int(found[1]), found[2])
    try:
        error = kind.__new__(kind, *arguments)
    except (TypeError, ValueError):  # it wants others
        error = _stand_in(data.module, data.type)(data.message)
    for frame in reversed(data.frames):
        error.__traceback__ = _traceback(frame.module, error.__traceback__)
    return error


@cache
def exception_class(module: str, name: str) -> type[BaseException]:
    """Return the class, where it can be imported."""
    try:
        found: Any = import_module(module or "builtins")
        for part in name.split("."):
            found = getattr(found, part)
    except Exception:  # what is imported may raise anything
        return _stand_in(module, name)
    return found if isinstance(found, type) and issubclass(found, BaseException) else _stand_in(module, name)


@cache
def _stand_in(module: str, name: str) -> type[BaseException]:
    return type(name, (Exception,), {"__module__": module})


def _traceback(module: str, rest: types.TracebackType | None) -> types.TracebackType:
    frame = _frame(module)
    return types.TracebackType(rest, frame, max(frame.f_lasti, 0), 1)


@cache
def _frame(module: str) -> types.FrameType:
    """Return a frame of a module of that name, which is all that rules look at."""
    frame: types.FrameType = types.FunctionType(_own_frame.__code__, {"__name__": module, "sys": sys})()
    return frame


def _own_frame() -> types.FrameType:
    return sys._getframe()
