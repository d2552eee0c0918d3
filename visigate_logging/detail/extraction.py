"""The values of a detail record, out of a ``LogRecord``."""

import functools
import itertools
import logging
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from visigate_logging import clock
from visigate_logging.detail import fingerprint, written
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.tracebacks import (
    MAX_NOTES,
    ExceptionData,
    RaisedException,
    StackCache,
    format_exception,
    safe_str,
    walk_chain,
)
from visigate_logging.detail.values import Sanitiser

__all__ = ["DetailOptions", "Extractor", "extractor"]

DEFAULT_MAX_FIELD_BYTES = 65_536
MAX_DESCRIBED = 128
"""Descriptions of exceptions that are kept, for when the same ones are logged again."""


class DetailOptions(NamedTuple):
    """What an installation may set about detail records.

    Args:
        service: name of the application, as administrators know it; default ``VISIGATE_SERVICE``.
        release: its version; default ``VISIGATE_RELEASE``.
        in_app: dotted names of the modules that are the application's own code; default: all that is neither
            in the standard library nor in site-packages.
        mask_keys: further keys whose values are secret.
        max_field_bytes: bytes that a text, or all of ``additional_info``, may have; longer ones are cut.
    """

    service: str = ""
    release: str = ""
    in_app: tuple[str, ...] = ()
    mask_keys: tuple[str, ...] = ()
    max_field_bytes: int = DEFAULT_MAX_FIELD_BYTES


@functools.lru_cache(maxsize=16)
def extractor(options: DetailOptions) -> "Extractor":
    """The one extractor for these options: its caches serve all handlers."""
    return Extractor(options)


# What a LogRecord has by itself, what formatters and our classifier put there: all else came with ``extra``.
_OWN = frozenset(
    [*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "severity", "category", "_visigate_detail"]
)


class Extractor:
    """Gets the values of detail records out of log records.

    Args:
        options: what the installation has set.
    """

    def __init__(self, options: DetailOptions) -> None:
        self._clean = Sanitiser(Redactor(options.mask_keys), options.max_field_bytes)
        self._in_app = _in_app_test(options.in_app)
        self._stacks = StackCache(self._clean.text, self._in_app)
        self._described: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._constant = {
            "host": os.uname().nodename,
            "service": options.service or os.environ.get("VISIGATE_SERVICE", ""),
            "release": options.release or os.environ.get("VISIGATE_RELEASE", ""),
            "boot_id": clock.boot_id(),
        }

    def values(self, record: logging.LogRecord) -> dict[str, Any]:
        """All fields of the detail of a record; never raises."""
        message, info = self._message(record)
        exc, tb = _exception(record)
        text = record.exc_text if exc is None else None
        if exc is None and not text and written.HEADING in message:  # what a QueueHandler has made of it
            message, text = written.split(message)
        if exc is not None:
            told = self._raised(exc, tb, record)
        elif text:
            told = self._written(str(text), record)
        else:
            told = self._logged(record, message)
        created = int(record.created * 1_000_000)
        values = {
            **self._constant,
            **told,
            "timestamp": _rfc3339(created),
            "event_id": _event_ids.new(created),
            "level": record.levelname,
            "severity": record.levelname,
            "logger": record.name,
            "message": message,
            "message_template": self._clean.text(record.msg) if type(record.msg) is str else "",
            "additional_info": info,
            "process": record.processName or "",
            "pid": record.process or os.getpid(),
            "thread": record.threadName or "",
            "task": _task(record),
            "monotonic": clock.monotonic(),
        }
        if record.stack_info:
            values["stack_info"] = self._clean.text(str(record.stack_info))
        named = record.__dict__.get("fingerprint") or _attribute(exc, "fingerprint")
        if named:
            named = self._clean.mapping({"": named})[""]
            values["fingerprint"], values["grouping"] = fingerprint.explicit(named)
        return values

    def _message(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
        """What was logged, and what was given with it."""
        given = record.__dict__
        info = self._clean.mapping({k: given[k] for k in given if k not in _OWN}) if len(given) > _OWN_COUNT else {}
        if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
            values = self._clean.mapping(record.msg)
            return orjson.dumps(values).decode(), values | info
        try:
            message = record.getMessage()
        except Exception as error:  # a message that does not fit its arguments is still told
            args = self._clean.mapping({"": record.args})[""]
            message = f"{safe_str(record.msg)} [arguments do not fit: {type(error).__name__}: {args}]"
        return self._clean.text(message), info

    def _raised(self, exc: BaseException, tb: TracebackType | None, record: logging.LogRecord) -> dict[str, Any]:
        """The fields that tell of a live exception."""
        try:
            chain = walk_chain(exc, tb, self._stacks)
            messages = [self._clean.text(safe_str(raised.value)) for raised in chain]
            key = _look(chain, messages)
            known = self._described.get(key) if key else None
            if known is None:
                known = self._describe(chain, tb, messages)
                if key:
                    self._remember(key, known)
        except Exception as error:  # a hostile exception may raise anything when it is looked at
            return self._unreadable(exc, error, record)
        return known if chain[0].stack.positions else _call(record) | known

    def _remember(self, key: tuple[Any, ...], described: dict[str, Any]) -> None:
        if len(self._described) >= MAX_DESCRIBED:
            self._described.clear()
        self._described[key] = described

    def _describe(
        self, chain: list[RaisedException], tb: TracebackType | None, messages: list[str]
    ) -> dict[str, Any]:
        grouping = fingerprint.by_exception(chain, messages)
        culprit = chain[0].stack.innermost
        return {
            **(culprit.frame.as_culprit(culprit.code.co_qualname) if culprit is not None else {}),
            "error_type": type(chain[0].value).__name__,
            "error_message": messages[0],
            "traceback": self._clean.bounded(format_exception(chain, tb, messages, self._clean.text)),
            "exceptions": tuple(map(self._data, chain, messages)),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }

    def _data(self, raised: RaisedException, message: str) -> ExceptionData:
        kind = type(raised.value)
        notes = raised.notes[:MAX_NOTES] if raised.notes and isinstance(raised.notes, list) else ()
        return ExceptionData(
            kind.__name__,
            str(kind.__module__),
            message,
            tuple([self._clean.text(safe_str(note)) for note in notes]),
            raised.relation,
            raised.parent,
            raised.stack.frames,
            raised.stack.omitted,
            raised.members_omitted,
        )

    def _unreadable(self, exc: BaseException, error: Exception, record: logging.LogRecord) -> dict[str, Any]:
        """What can be said of an exception that does not let itself be looked at."""
        where = f"{record.module} in {record.funcName}"
        message = self._clean.text(safe_str(exc))
        grouping = fingerprint.by_message(record.name, where, type(exc).__name__)
        return {
            "error_type": type(exc).__name__,
            "error_message": message,
            "traceback": self._clean.text(
                f"[traceback could not be read: {type(error).__name__}: {safe_str(error)}]\n"
            ),
            "exceptions": (ExceptionData(type(exc).__name__, str(type(exc).__module__), message),),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
            **_call(record),
        }

    def _written(self, text: str, record: logging.LogRecord) -> dict[str, Any]:
        """The fields that tell of an exception that is only there as text."""
        found = written.parse(self._clean.text(text), self._in_app)
        last = next((f for f in reversed(found.frames) if f.in_app), found.frames[-1] if found.frames else None)
        values = _call(record) if last is None else last.as_culprit(last.function)
        where = values["culprit"] if last is None else f"{values['culprit']}: {last.code}"
        grouping = fingerprint.by_message(found.type, where, found.message)
        values.update(
            error_type=found.type,
            error_message=found.message,
            traceback=self._clean.text(text),
            exceptions=(found,),
            fingerprint=grouping.key,
            grouping=grouping.why,
        )
        return values

    def _logged(self, record: logging.LogRecord, message: str) -> dict[str, Any]:
        """The fields that tell of a record without an exception."""
        values = _call(record)
        template = record.msg if record.args and isinstance(record.msg, str) else message
        grouping = fingerprint.by_message(record.name, values["culprit"], self._clean.text(template))
        return values | {
            "error_type": record.levelname,
            "error_message": message,
            "traceback": "",
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }


def _look(chain: list[RaisedException], messages: list[str]) -> tuple[Any, ...] | None:
    """All that a description of exceptions is made from, where that is little: the same again is the same."""
    if "tracebacklimit" in sys.__dict__:
        return None
    look: list[Any] = messages.copy()
    for raised in chain:
        if raised.is_special or not raised.is_linear:
            return None
        look += (type(raised.value), raised.stack, raised.relation, fingerprint.error_code(raised.value))
    return tuple(look)


_OWN_COUNT = len(vars(logging.makeLogRecord({})))


def _call(record: logging.LogRecord) -> dict[str, Any]:
    """Where the logging call stands."""
    return {
        "module": record.module,
        "function": record.funcName or "",
        "culprit": f"{record.module} in {record.funcName}",
        "file": record.pathname,
        "line": record.lineno,
    }


def _exception(record: logging.LogRecord) -> tuple[BaseException | None, TracebackType | None]:
    info = record.exc_info
    if isinstance(info, tuple) and len(info) == 3 and isinstance(info[1], BaseException):
        return info[1], info[2]
    if isinstance(info, BaseException):  # a record made by hand
        return info, info.__traceback__
    return None, None


def _attribute(exc: BaseException | None, name: str) -> Any:
    try:
        return getattr(exc, name, None)
    except BaseException:  # a hostile property
        return None


_second: tuple[int, str] = (-1, "")


def _rfc3339(microseconds: int) -> str:
    """A time in UTC as RFC 3339 has it."""
    global _second  # noqa: PLW0603 -- the text of the last second; replaced whole, so threads cannot mix it
    seconds, fraction = divmod(microseconds, 1_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{fraction:06d}Z"


class _EventIds:
    """UUIDs of version 7, RFC 9562: a time, then a counter that starts anywhere in each process."""

    def __init__(self) -> None:
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._count = itertools.count(int.from_bytes(os.urandom(8), "big"))

    def new(self, microseconds: int) -> str:
        """An id as 32 hex digits; microseconds order those of one millisecond."""
        milliseconds, fraction = divmod(microseconds, 1000)
        ordered = (milliseconds << 16) | 0x7000 | (fraction << 2)
        return f"{ordered:016x}{next(self._count) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000:016x}"


_event_ids = _EventIds()


def _task(record: logging.LogRecord) -> str:
    """Name of the asyncio task; ``LogRecord`` has it from Python 3.12."""
    name = record.__dict__.get("taskName")
    if name is None and sys.version_info < (3, 12) and (asyncio := sys.modules.get("asyncio")):
        try:
            return str(asyncio.current_task().get_name())
        except (RuntimeError, AttributeError):  # no loop runs in this thread, or no task
            return ""
    return name or ""


def _in_app_test(named: tuple[str, ...]) -> Callable[[str, str], bool]:
    """Tell from a file and a module whether they are the application's own code."""
    if named:
        return lambda _file, module: any(module == name or module.startswith(f"{name}.") for name in named)
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    library = tuple(os.path.join(p, "") for p in paths | {os.path.realpath(p) for p in paths})

    def in_app(file: str, _module: str) -> bool:
        if "site-packages" in file or "dist-packages" in file or file.startswith("<frozen "):
            return False
        return not file.startswith(library)

    return in_app
