"""The values of a detail record, out of a ``LogRecord``."""

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
from visigate_logging.detail.description import Describer
from visigate_logging.detail.log_record import OWN_COUNT, call_of, given_with, is_handled, raised_by, task_of
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.repeats import earlier_report
from visigate_logging.detail.spans import span_of
from visigate_logging.detail.stamps import EventIds, rfc3339
from visigate_logging.detail.surroundings import add_surroundings, is_turn
from visigate_logging.detail.values import safe_str, utf8, word
from visigate_logging.host import clock
from visigate_logging.host.timeline import last_changes

__all__ = ["Extractor", "extractor"]

MAX_ORIGINS = 1024
"""Places that log of which the names are remembered."""
MAX_REMEMBERED = 1024
"""Characters of a name, or of a message's template, in such a place."""


def extractor(options: DetailOptions) -> "Extractor":
    """The one extractor for these options: its caches serve all handlers, until more is secret."""
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
        self._origins: Bounded[tuple[str | None, ...], dict[str, str]] = Bounded(MAX_ORIGINS)
        self._constant = {
            "host": utf8(os.uname().nodename),
            "service": utf8(options.service),
            "release": utf8(options.release),
            "boot_id": clock.boot_id(),
        }

    def fill(self, values: dict[str, Any], record: logging.LogRecord) -> None:
        """Set the fields of the detail of a record; never raises.

        Args:
            values: all fields with their defaults.
            record: what was logged.
        """
        try:
            self._fill(values, record)
        except Exception as error:  # what a hostile record raises must not reach the application
            values.update(self._least(record, error))

    def _fill(self, values: dict[str, Any], record: logging.LogRecord) -> None:
        given = record.__dict__
        exc, tb = raised_by(record)
        values.update(self._logged(record) if exc is None else self._raised(exc, tb, record))
        values.update(self._constant)
        values.update(self._origin(record))
        created = int(record.created * 1_000_000)
        values["timestamp"] = rfc3339(created)
        values["event_id"] = _event_ids.new(created)
        values["severity"] = word(given["severity"]) if "severity" in given else values["level"]
        if "category" in given:
            values["category"] = word(given["category"])
        values["pid"] = record.process or os.getpid()
        if task := task_of(record):
            values["task"] = self._clean.text(task)
        values["monotonic"] = clock.since_boot(record.created)
        values["changes"] = last_changes()
        if span := span_of(record):
            values["trace_id"], values["span_id"] = span
        if len(given) > OWN_COUNT or type(record.msg) is not str:
            self._add_given(values, record)
        if not record.args and type(record.msg) is str:
            template = texts.template_of(record)
            known = template is record.msg
            values["message_template"] = values["message"] if known else self._clean.text(template)
        if exc is not None:
            values["repeats"] = earlier_report(exc, tb, record, values)
        theirs = _fingerprint_of(exc)
        if theirs is not None or "fingerprint" in given:
            named = self._named(given.get("fingerprint")) or self._named(theirs)
            if named:
                values["fingerprint"], values["grouping"] = fingerprint.explicit(named)
        if (exc is not None or record.levelno >= logging.ERROR) and is_turn(values["fingerprint"]):
            add_surroundings(values, record, exc if self._tells_locals else None, tb, self._clean)

    def _origin(self, record: logging.LogRecord) -> Mapping[str, Any]:
        """Return the fields that are the same for all records from one place of a thread.

        The application gives the names, and they may hold an address with its password.
        """
        names: tuple[str | None, ...] = (record.name, record.levelname, record.processName, record.threadName)
        look = (*names, record.msg if record.args else "")
        try:
            known = self._origins.get(look)
        except Exception:  # a name that is no text
            known = None
        if known is None:
            clean = self._clean.text
            known = dict(zip(("logger", "level", "process", "thread"), map(clean, map(word, names)), strict=True))
            if record.args and type(record.msg) is str:
                known["message_template"] = clean(record.msg)
            if all(type(part) is str and len(part) <= MAX_REMEMBERED for part in look):
                self._origins.keep(look, known)
        return known

    def _least(self, record: logging.LogRecord, error: BaseException) -> dict[str, Any]:
        """What can be said of a record that does not let itself be looked at."""
        now = time.time_ns() // 1000
        told = f"[record could not be read: {word(type(error).__name__)}]"
        grouping = fingerprint.by_message(self._clean.text(word(record.__dict__.get("name"))), ("",), told)
        return {
            **self._constant,
            "timestamp": rfc3339(now),
            "event_id": _event_ids.new(now),
            "error_type": "ERROR",
            "error_message": told,
            "module": "",
            "function": "",
            "traceback": "",
            "additional_info": {},
            "message": told,
            "message_template": self._clean.text(record.msg) if type(record.__dict__.get("msg")) is str else "",
            "logger": self._clean.text(word(record.__dict__.get("name"))),
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

    def _message(self, record: logging.LogRecord, exc: BaseException | None) -> str:
        """Return what was logged."""
        try:
            if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
                return orjson.dumps(self._mapping(record.msg)).decode()
            message = record.getMessage()
        except Exception as error:  # a message that does not fit its arguments is still told
            args = self._clean.value(record.args)
            message = f"{safe_str(record.msg)} [arguments do not fit: {type(error).__name__}: {args}]"
        message = message if type(message) is str else safe_str(message)
        masked = self._clean.text(message)
        return masked if exc is None or masked == message else self._clean.around(message, masked, exc)

    def _add_given(self, values: dict[str, Any], record: logging.LogRecord) -> None:
        """Add what was given with a record: in a mapping as its message, and by ``extra``."""
        info = self._mapping(extra) if (extra := given_with(record)) else {}
        if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
            info = self._mapping(record.msg) | info
        values["additional_info"] = info
        values["facets"] = {name: utf8(str(info[name])) for name in self._facets if name in info}

    def _mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        plain = self._clean.value(values)
        return plain if isinstance(plain, dict) else {"…": plain}

    def _raised(self, exc: BaseException, tb: TracebackType | None, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields that tell of a live exception, and what was logged."""
        message = self._message(record, exc)
        try:
            told = {**self._describe.raised(exc, tb), "message": message}
        except Exception as error:  # a hostile exception may raise anything when it is looked at
            call = call_of(record)
            name = self._clean.text(word(record.name))
            told = {**call, **self._describe.unreadable(exc, error, name, call["culprit"]), "message": message}
        if "culprit" not in told:
            told = call_of(record) | told
        if record.exc_info is None:  # taken up: by earlier rules it was a text, grouped by its call
            told["handled"] = is_handled(record)
            told["grouping"] = {**told["grouping"], "call": call_of(record)["culprit"]}
            if written.is_in(message):
                told["message"] = written.split(message)[0]
        if record.stack_info:
            told["stack_info"] = self._clean.text(safe_str(record.stack_info))
        return told

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


_NAMES = (str, int, list, tuple)
"""What a named group may be."""


def _fingerprint_of(exc: BaseException | None) -> Any:
    try:
        return getattr(exc, "fingerprint", None)
    except Exception:  # a hostile property
        return None


_event_ids = EventIds()
