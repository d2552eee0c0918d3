"""What a ``LogRecord`` says by itself: where the call stands, what was raised, and what was given with it."""

import logging
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from visigate_logging.detail.handled import HANDLED_AS, being_handled
from visigate_logging.detail.values import word

# What a LogRecord has by itself, what formatters and our classifier put there: all else came with ``extra``.
_OWN = frozenset(
    [
        *vars(logging.makeLogRecord({})),
        "message",
        "asctime",
        "taskName",
        "severity",
        "category",
        "_visigate_detail",
        "_visigate_ignored",
        HANDLED_AS,
    ]
)
OWN_COUNT = len(vars(logging.makeLogRecord({})))
"""Attributes that a record has at least: without more, nothing was given with it."""


def given_with(record: logging.LogRecord) -> dict[Any, Any]:
    """Return what came with ``extra``."""
    given = record.__dict__
    if len(given) <= OWN_COUNT or given.keys() <= _OWN:
        return {}
    return {k: given[k] for k in given if k not in _OWN}


def place_of(record: logging.LogRecord) -> str:
    """Return module and function of the logging call, in words."""
    module, function = word(record.module), word(record.funcName)
    return f"{module} in {function}" if function else module


def call_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return where the logging call stands."""
    return {
        "module": word(record.module),
        "function": word(record.funcName),
        "culprit": place_of(record),
        "file": word(record.pathname),
        "line": record.lineno if type(record.lineno) is int else 0,
    }


def raised_by(record: logging.LogRecord) -> tuple[BaseException | None, TracebackType | None]:
    """Return the live exception of a record and its traceback: what it was given, else the one it was made for."""
    info = record.exc_info
    if info is None and type(record.msg) is not str and isinstance(record.msg, Mapping):  # of structlog
        info = record.msg.get("exc_info")
    if type(info) is tuple and len(info) == 3 and isinstance(info[1], BaseException):
        return info[1], info[2]
    if isinstance(info, BaseException):  # a record made by hand
        return info, info.__traceback__
    adopted = being_handled(record)
    return (None, None) if adopted is None else (adopted.exception, adopted.exception.__traceback__)


def is_handled(record: logging.LogRecord) -> bool:
    """Return whether a record's exception was taken up from the ``except`` clause that the record was made in."""
    adopted = record.__dict__.get(HANDLED_AS)
    return adopted is not None and adopted.handled


def task_of(record: logging.LogRecord) -> str:
    """Name of the asyncio task; ``LogRecord`` has it from Python 3.12."""
    name = record.__dict__.get("taskName")
    if name is None and sys.version_info < (3, 12) and (asyncio := sys.modules.get("asyncio")):
        try:
            loop = asyncio._get_running_loop()
            name = loop and asyncio.current_task(loop).get_name()
        except AttributeError:  # no task runs
            return ""
    return word(name) if name else ""


YEAR_10000 = 253_402_300_800
"""The first second since 1970 that RFC 3339 has no text for."""


def made_at(record: logging.LogRecord) -> int:
    """Return when a record was made, in microseconds since 1970; now, where it has a time that no calendar has."""
    created = record.__dict__.get("created")
    if not (isinstance(created, float | int) and 0 <= created < YEAR_10000):
        created = time.time()
    return int(created * 1_000_000)
