"""The values of a detail record, out of a ``LogRecord``."""

import functools
import logging
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from visigate_logging import clock
from visigate_logging.detail import fingerprint, written
from visigate_logging.detail.frames import ExceptionData
from visigate_logging.detail.log_record import call_of, given_with, raised_by, task_of
from visigate_logging.detail.modules import in_app_test
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.stacks import StackCache
from visigate_logging.detail.stamps import EventIds, rfc3339
from visigate_logging.detail.tracebacks import MAX_NOTES, RaisedException, format_exception, walk_chain
from visigate_logging.detail.values import Sanitiser, safe_str, utf8, word

__all__ = ["DetailOptions", "Extractor", "extractor"]

DEFAULT_MAX_FIELD_BYTES = 65_536
MAX_DESCRIBED = 128
"""Descriptions of exceptions that are kept, for when the same ones are logged again."""
MAX_DESCRIBED_TEXT = 16_384
"""Characters of the traceback of such a description."""


class DetailOptions(NamedTuple):
    """What an installation may set about detail records.

    Args:
        service: name of the application, as administrators know it.
        release: its version.
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

    def or_environment(self) -> Self:
        """The same, with what is not set taken from ``VISIGATE_SERVICE`` and ``VISIGATE_RELEASE``."""
        return self._replace(
            service=self.service or os.environ.get("VISIGATE_SERVICE", ""),
            release=self.release or os.environ.get("VISIGATE_RELEASE", ""),
        )


@functools.lru_cache(maxsize=16)
def extractor(options: DetailOptions) -> "Extractor":
    """The one extractor for these options: its caches serve all handlers."""
    return Extractor(options)


class Extractor:
    """Gets the values of detail records out of log records.

    Args:
        options: what the installation has set.
    """

    def __init__(self, options: DetailOptions) -> None:
        self._clean = Sanitiser(Redactor(options.mask_keys), options.max_field_bytes)
        self._in_app = in_app_test(options.in_app)
        self._stacks = StackCache(self._clean.text, self._in_app)
        self._described: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._constant = {
            "host": utf8(os.uname().nodename),
            "service": utf8(options.service),
            "release": utf8(options.release),
            "boot_id": clock.boot_id(),
        }

    def values(self, record: logging.LogRecord) -> dict[str, Any]:
        """All fields of the detail of a record; never raises."""
        try:
            return self._values(record)
        except BaseException as error:  # what a hostile record raises must not reach the application
            return self._least(record, error)

    def _values(self, record: logging.LogRecord) -> dict[str, Any]:
        message, info = self._message(record)
        exc, tb = raised_by(record)
        text, stack = (record.exc_text, record.stack_info) if exc is None else (None, record.stack_info)
        if exc is None and not text and written.is_in(message):  # what a QueueHandler has made of it
            message, text, stack = written.split(message)
        if exc is not None:
            told = self._raised(exc, tb, record)
        elif text:
            told = self._written(str(text), record)
        else:
            told = self._logged(record, message)
        created = int(record.created * 1_000_000)
        level = word(record.levelname)
        given = record.__dict__
        values = {
            **self._constant,
            **told,
            "timestamp": rfc3339(created),
            "event_id": _event_ids.new(created),
            "level": level,
            "severity": word(given["severity"]) if "severity" in given else level,
            "category": word(given.get("category")),
            "logger": self._name(record.name),
            "message": message,
            "message_template": self._clean.text(record.msg) if type(record.msg) is str else "",
            "additional_info": info,
            "process": self._name(record.processName),
            "pid": record.process or os.getpid(),
            "thread": self._name(record.threadName),
            "task": self._name(task_of(record)),
            "monotonic": clock.monotonic(),
        }
        if stack:
            values["stack_info"] = self._clean.text(safe_str(stack))
        named = self._named(given.get("fingerprint")) or (exc is not None and self._named(_fingerprint_of(exc)))
        if named:
            values["fingerprint"], values["grouping"] = fingerprint.explicit(named)
        return values

    def _name(self, name: Any) -> str:
        """A name that the application has given, which may hold an address with its password."""
        return self._clean.text(word(name))

    def _least(self, record: logging.LogRecord, error: BaseException) -> dict[str, Any]:
        """What can be said of a record that does not let itself be looked at."""
        now = time.time_ns() // 1000
        told = f"[record could not be read: {word(type(error).__name__)}]"
        grouping = fingerprint.by_message(self._name(record.__dict__.get("name")), "", told)
        return {
            **self._constant,
            "timestamp": rfc3339(now),
            "event_id": _event_ids.new(now),
            "error_type": "ERROR",
            "error_message": told,
            "module": "",
            "function": "",
            "traceback": "",
            "message": told,
            "message_template": self._clean.text(record.msg) if type(record.__dict__.get("msg")) is str else "",
            "logger": self._name(record.__dict__.get("name")),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
            "pid": os.getpid(),
            "monotonic": clock.monotonic(),
        }

    def _named(self, group: Any) -> str | int | list[Any] | None:
        """The group that the application has named; an exception may have something else under that name."""
        if group is None:
            return None
        plain = self._clean.value(group)
        return plain if isinstance(plain, str | int | list) and isinstance(group, _NAMES) else None

    def _message(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
        """What was logged, and what was given with it."""
        given = given_with(record)
        info = self._mapping(given) if given else {}
        try:
            if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
                values = self._mapping(record.msg)
                return orjson.dumps(values).decode(), values | info
            message = record.getMessage()
        except BaseException as error:  # a message that does not fit its arguments is still told
            args = self._clean.value(record.args)
            message = f"{safe_str(record.msg)} [arguments do not fit: {type(error).__name__}: {args}]"
        return self._clean.text(message if type(message) is str else safe_str(message)), info

    def _mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        plain = self._clean.value(values)
        return plain if isinstance(plain, dict) else {"…": plain}

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
        except BaseException as error:  # a hostile exception may raise anything when it is looked at
            return self._unreadable(exc, error, record)
        return known if chain[0].stack.positions else call_of(record) | known

    def _remember(self, key: tuple[Any, ...], described: dict[str, Any]) -> None:
        if len(described["traceback"]) > MAX_DESCRIBED_TEXT:
            return
        if len(self._described) >= MAX_DESCRIBED:
            self._described.clear()
        self._described[key] = described

    def _describe(
        self, chain: list[RaisedException], tb: TracebackType | None, messages: list[str]
    ) -> dict[str, Any]:
        grouping = fingerprint.by_exception(chain, messages)
        culprit = chain[0].stack.innermost
        share = max(1, len(messages) // 10)
        return {
            **(culprit.frame.as_culprit(culprit.qualname) if culprit is not None else {}),
            "error_type": word(type(chain[0].value).__name__),
            "error_message": messages[0],
            "traceback": self._clean.bounded(format_exception(chain, tb, messages, self._clean.text)),
            "exceptions": tuple(
                self._data(r, self._clean.bounded(m, share)) for r, m in zip(chain, messages, strict=True)
            ),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }

    def _data(self, raised: RaisedException, message: str) -> ExceptionData:
        kind = type(raised.value)
        return ExceptionData(
            word(kind.__name__),
            word(kind.__module__),
            message,
            self._notes(raised.notes) if raised.notes is not None else (),
            raised.relation,
            raised.parent,
            raised.stack.frames,
            raised.stack.omitted,
            raised.members_omitted,
        )

    def _notes(self, notes: Any) -> tuple[str, ...]:
        if type(notes) is not list:
            return (self._clean.text(safe_str(notes)),)
        kept = [safe_str(note) for note in notes[:MAX_NOTES]]
        if len(notes) > MAX_NOTES:
            kept.append(f"[{len(notes) - MAX_NOTES} more notes cut]")
        return tuple(self._clean.value(kept))

    def _unreadable(self, exc: BaseException, error: BaseException, record: logging.LogRecord) -> dict[str, Any]:
        """What can be said of an exception that does not let itself be looked at."""
        call = call_of(record)
        name, module = word(type(exc).__name__), word(type(exc).__module__)
        message = self._clean.text(safe_str(exc))
        grouping = fingerprint.by_message(self._name(record.name), call["culprit"], name)
        told = self._clean.text(f"{type(error).__name__}: {safe_str(error)}")
        return {
            "error_type": name,
            "error_message": message,
            "traceback": f"[traceback could not be read: {told}]\n",
            "exceptions": (ExceptionData(name, module, message),),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
            **call,
        }

    def _written(self, text: str, record: logging.LogRecord) -> dict[str, Any]:
        """The fields that tell of an exception that is only there as text."""
        text = self._clean.text(text)
        chain = written.parse(text, self._in_app)
        found = chain[0]
        last = next((f for f in reversed(found.frames) if f.in_app), found.frames[-1] if found.frames else None)
        values = call_of(record) if last is None else last.as_culprit(last.function)
        where = values["culprit"] if last is None else f"{values['culprit']}: {last.code}"
        grouping = fingerprint.by_message(found.type, where, found.message)
        values.update(
            error_type=found.type,
            error_message=found.message,
            traceback=text,
            exceptions=chain,
            fingerprint=grouping.key,
            grouping=grouping.why,
        )
        return values

    def _logged(self, record: logging.LogRecord, message: str) -> dict[str, Any]:
        """The fields that tell of a record without an exception."""
        values = call_of(record)
        template = record.msg if record.args and type(record.msg) is str else message
        grouping = fingerprint.by_message(self._name(record.name), values["culprit"], self._clean.text(template))
        return values | {
            "error_type": word(record.levelname),
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


_NAMES = (str, int, list, tuple)
"""What a named group may be."""


def _fingerprint_of(exc: BaseException) -> Any:
    try:
        return getattr(exc, "fingerprint", None)
    except BaseException:  # a hostile property
        return None


_event_ids = EventIds()
