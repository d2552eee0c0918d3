"""The values of a detail record, out of a ``LogRecord``."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import orjson

from visigate_logging.detail import fingerprint, masking, texts, written
from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.context import add_surroundings, is_turn
from visigate_logging.detail.description import Describer
from visigate_logging.detail.event_ids import new_id
from visigate_logging.detail.log_record import (
    OWN_COUNT,
    call_of,
    given_with,
    is_handled,
    made_at,
    place_of,
    raised_by,
    task_of,
)
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.repeats import report
from visigate_logging.detail.spans import span_of
from visigate_logging.detail.values import safe_str, utf8, word
from visigate_logging.host import clock, timeline
from visigate_logging.host.clock import rfc3339

MAX_ORIGINS = 1024
"""Places that log of which the names are remembered."""
MAX_REMEMBERED = 1024
"""Characters of a name, or of a message's template, in such a place."""


def extractor(options: DetailOptions) -> "Extractor":
    """Return the one extractor for these options: its caches serve all handlers, until more is secret."""
    return _extractor(options, masking.policy())


@functools.lru_cache(maxsize=16)
def _extractor(options: DetailOptions, _policy: Redactor) -> "Extractor":
    return Extractor(options)


class Extractor:
    """Gets the values of detail records out of log records.

    Args:
        options: what the installation has set.
    """

    def __init__(self, options: DetailOptions) -> None:
        self._clean = masking.sanitiser(options.max_field_bytes)
        self._describe = Describer(self._clean, options.in_app)
        self._facets = options.facets
        self._tells_locals = options.locals
        self._origins: Bounded[tuple[str | None, ...], dict[str, Any]] = Bounded(MAX_ORIGINS)
        self._constant = {
            "host": utf8(os.uname().nodename),
            "service": utf8(options.service),
            "release": utf8(options.release),
            "boot_id": clock.boot_id(),
        }

    def values(self, record: logging.LogRecord, blank: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the detail of a record; never raises.

        Args:
            record: what was logged.
            blank: all fields with their defaults, in their order.
        """
        try:
            return self._values(record, blank)
        except Exception as error:  # what a hostile record raises must not reach the application
            return {**blank, **self._constant, **self._least(record, error)}

    def _values(self, record: logging.LogRecord, blank: Mapping[str, Any]) -> dict[str, Any]:
        given = record.__dict__
        has_more = len(given) > OWN_COUNT  # before what we note on it
        exc, tb = raised_by(record)
        values = self._origin(record, blank).copy()
        if exc is None:
            values.update(self._logged(record))
        else:
            self._add_raised(values, exc, tb, record)
        created = made_at(record)
        values["timestamp"] = rfc3339(created)
        values["event_id"] = new_id(created)
        values["pid"] = record.process or os.getpid()
        values["monotonic"] = clock.since_boot(created / 1_000_000)
        values["changes"] = timeline.last_changes
        if task := task_of(record):
            values["task"] = self._clean.text(task)
        if span := span_of(record):
            values["trace_id"], values["span_id"] = span
        if has_more or type(record.msg) is not str:
            self._add_given(values, record)
        if not record.args and type(record.msg) is str:
            template = texts.template_of(record)
            known = template is record.msg
            values["message_template"] = values["message"] if known else self._clean.text(template)
        if exc is not None:
            values["repeats"] = report(exc, tb, record, values)
        theirs = _fingerprint_of(exc)
        if theirs is not None or "fingerprint" in given:
            named = self._named(given.get("fingerprint")) or self._named(theirs)
            if named:
                values["fingerprint"], values["grouping"] = fingerprint.explicit(named)
        if (exc is not None or (record.levelno or 0) >= logging.ERROR) and is_turn(values["fingerprint"]):
            add_surroundings(values, record, exc if self._tells_locals else None, tb, self._clean)
        return values

    def _origin(self, record: logging.LogRecord, blank: Mapping[str, Any]) -> dict[str, Any]:
        """Return all fields, with those that are the same for all records from one place of a thread.

        The application gives the names, and they may hold an address with its password.
        """
        names: tuple[str | None, ...] = (record.name, record.levelname, record.processName, record.threadName)
        look = (*names, record.msg if record.args else "")
        try:
            known = self._origins.get(look)
        except Exception:  # a name that is no text
            known = None
        if known is None:
            logger, level, process, thread = (self._clean.text(word(name)) for name in names)
            told = {"logger": logger, "level": level, "severity": level, "process": process, "thread": thread}
            if record.args and type(record.msg) is str:
                told["message_template"] = self._clean.text(record.msg)
            known = {**blank, **self._constant, **told}
            if all(type(part) is str and len(part) <= MAX_REMEMBERED for part in look):
                self._origins.keep(look, known)
        return known

    def _least(self, record: logging.LogRecord, error: BaseException) -> dict[str, Any]:
        """Return what can be said of a record that does not let itself be looked at."""
        now = time.time_ns() // 1000
        message = f"[record could not be read: {word(type(error).__name__)}]"
        with contextlib.suppress(Exception):  # what was logged is worth most
            message = f"{self._message(record, None)} {message}"
        grouping = fingerprint.by_message(self._clean.text(word(record.__dict__.get("name"))), ("",), message)
        return {
            "timestamp": rfc3339(now),
            "event_id": new_id(now),
            "error_type": "ERROR",
            "error_message": message,
            "message": message,
            "message_template": self._clean.text(record.msg) if type(record.__dict__.get("msg")) is str else "",
            "logger": self._clean.text(word(record.__dict__.get("name"))),
            "fingerprint": grouping.key,
            "grouping": grouping.why,
            "pid": os.getpid(),
            "monotonic": clock.monotonic(),
        }

    def _named(self, group: Any) -> str | int | list[Any] | None:
        """Return a group's name; None for what is none: an exception may have something else under that name."""
        if group is None:
            return None
        plain = self._clean.value(group)
        return plain if isinstance(plain, str | int | list) and isinstance(group, str | int | list | tuple) else None

    def _message(self, record: logging.LogRecord, exc: BaseException | None) -> str:
        """Return what was logged."""
        try:
            if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
                return orjson.dumps(self._mapping(record.msg)).decode()
            message = record.getMessage()
        except Exception as error:  # a message that does not fit its arguments is still told
            args = self._clean.value(record.args)
            message = safe_str(record.msg) + (
                f" [arguments do not fit: {type(error).__name__}: {args}]" if args else ""
            )
        message = message if type(message) is str else safe_str(message)
        masked = self._clean.text(message)
        return masked if exc is None or masked == message else self._clean.around(message, masked, exc)

    def _add_given(self, values: dict[str, Any], record: logging.LogRecord) -> None:
        """Add what was given with a record: in a mapping as its message, by ``extra``, and by a classifier."""
        given = record.__dict__
        if "severity" in given:
            values["severity"] = word(given["severity"])
        if "category" in given:
            values["category"] = word(given["category"])
        info = self._mapping(extra) if (extra := given_with(record)) else {}
        if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
            info = self._mapping(record.msg) | info
        values["additional_info"] = info
        values["facets"] = {name: utf8(str(info[name])) for name in self._facets if name in info}

    def _mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        plain = self._clean.value(values)
        return plain if isinstance(plain, dict) else {"…": plain}

    def _add_raised(
        self, values: dict[str, Any], exc: BaseException, tb: TracebackType | None, record: logging.LogRecord
    ) -> None:
        """Put the fields that tell of a live exception, and what was logged."""
        values["message"] = message = self._message(record, exc)
        try:
            values.update(self._describe.raised(exc, tb))
        except Exception as error:  # a hostile exception may raise anything when it is looked at
            call = call_of(record)
            values.update(call)
            values.update(self._describe.unreadable(exc, error, values["logger"], call["culprit"]))
        if not values["culprit"]:
            values.update(call_of(record))
        if record.exc_info is None:  # taken up: by earlier rules it was a text, grouped by its call
            values["handled"] = is_handled(record)
            values["grouping"] = {**values["grouping"], "call": place_of(record)}
            if written.is_in(message):
                values["message"] = written.split(message)[0]
        if record.stack_info:
            values["stack_info"] = self._clean.text(safe_str(record.stack_info))

    def _logged(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields that tell of a record without a live exception, and what was logged."""
        message, text, stack = written.told_in(record, self._message(record, None))
        told = self._describe.written(text, call_of(record)) if text else self._told(record, message)
        told["message"] = message
        if stack:
            told["stack_info"] = self._clean.text(safe_str(stack))
        return told

    def _told(self, record: logging.LogRecord, message: str) -> dict[str, Any]:
        """Return the fields that tell of a record without any exception."""
        values = call_of(record)
        grouping, caller = texts.group_of(record, values["culprit"], message, self._clean.text)
        if caller:
            values["culprit"] += f", called by {caller}"
        return values | {
            "error_type": word(record.levelname),
            "error_message": message,
            "traceback": "",
            "fingerprint": grouping.key,
            "grouping": grouping.why,
        }


def _fingerprint_of(exc: BaseException | None) -> Any:
    with contextlib.suppress(Exception):  # a hostile property
        return getattr(exc, "fingerprint", None)
    return None
