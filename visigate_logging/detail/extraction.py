"""The values of a detail record, out of a ``LogRecord``."""

import functools
import logging
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from visigate_logging.detail import fingerprint, masking, texts, written
from visigate_logging.detail.description import Describer
from visigate_logging.detail.log_record import call_of, given_with, is_handled, raised_by, task_of
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.repeats import earlier_report, report_of
from visigate_logging.detail.stamps import EventIds, rfc3339
from visigate_logging.detail.values import safe_str, utf8, word
from visigate_logging.host import clock

__all__ = ["DetailOptions", "Extractor", "extractor"]

DEFAULT_MAX_FIELD_BYTES = 65_536


class DetailOptions(NamedTuple):
    """What an installation may set about detail records.

    Args:
        service: name of the application, as administrators know it.
        release: its version.
        in_app: dotted names of the modules that are the application's own code; default: all that is neither
            in the standard library nor in site-packages.
        max_field_bytes: bytes that a text, or all of ``additional_info``, may have; longer ones are cut.
        facets: names of ``additional_info`` by which errors are filtered and counted.
    """

    service: str = ""
    release: str = ""
    in_app: tuple[str, ...] = ()
    max_field_bytes: int = DEFAULT_MAX_FIELD_BYTES
    facets: tuple[str, ...] = ()

    def or_environment(self) -> Self:
        """The same, with what is not set taken from ``VISIGATE_SERVICE`` and ``VISIGATE_RELEASE``."""
        return self._replace(
            service=self.service or os.environ.get("VISIGATE_SERVICE", ""),
            release=self.release or os.environ.get("VISIGATE_RELEASE", ""),
        )


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
            self._fill(values, record, record.__dict__, self._clean.text)
        except Exception as error:  # what a hostile record raises must not reach the application
            values.update(self._least(record, error))

    def _fill(
        self, values: dict[str, Any], record: logging.LogRecord, given: dict[str, Any], clean: Callable[[str], str]
    ) -> None:
        message, values["additional_info"] = self._message(record)
        if self._facets:
            info = values["additional_info"]
            values["facets"] = {name: utf8(str(info[name])) for name in self._facets if name in info}
        stack = record.stack_info
        exc, tb = raised_by(record)
        if exc is not None:
            told = self._raised(exc, tb, record)
            values["handled"] = is_handled(record)
            if record.exc_info is None:  # taken up: by earlier rules it was a text, grouped by its call
                told = {**told, "grouping": {**told["grouping"], "call": call_of(record)["culprit"]}}
            if record.exc_info is None and written.is_in(message):  # its traceback as text
                message = written.split(message)[0]
        else:
            message, text, stack = written.told_in(record, message)
            told = self._describe.written(text, call_of(record)) if text else self._logged(record, message)
        values.update(told)
        values.update(self._constant)
        created = int(record.created * 1_000_000)
        values["timestamp"] = rfc3339(created)
        values["event_id"] = _event_ids.new(created)
        values["level"] = level = word(record.levelname)
        values["severity"] = word(given["severity"]) if "severity" in given else level
        if "category" in given:
            values["category"] = word(given["category"])
        values["message"] = message
        if type(record.msg) is str:
            template = texts.template_of(record)
            values["message_template"] = message if template is record.msg and not record.args else clean(template)
        # The application gives names, and they may hold an address with its password.
        values["logger"] = clean(word(record.name))
        values["process"] = clean(word(record.processName))
        values["pid"] = record.process or os.getpid()
        values["thread"] = clean(word(record.threadName))
        values["task"] = clean(task) if (task := task_of(record)) else ""
        values["monotonic"] = clock.monotonic()
        if exc is not None:
            values["repeats"] = earlier_report(exc, tb, report_of(record, values))
        if stack:
            values["stack_info"] = clean(safe_str(stack))
        named = self._named(given.get("fingerprint")) or (exc is not None and self._named(_fingerprint_of(exc)))
        if named:
            values["fingerprint"], values["grouping"] = fingerprint.explicit(named)

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

    def _message(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
        """What was logged, and what was given with it."""
        given = given_with(record)
        info = self._mapping(given) if given else {}
        try:
            if type(record.msg) is not str and isinstance(record.msg, Mapping) and not record.args:
                values = self._mapping(record.msg)
                return orjson.dumps(values).decode(), values | info
            message = record.getMessage()
        except Exception as error:  # a message that does not fit its arguments is still told
            args = self._clean.value(record.args)
            message = f"{safe_str(record.msg)} [arguments do not fit: {type(error).__name__}: {args}]"
        message = message if type(message) is str else safe_str(message)
        exc, _ = raised_by(record)
        return self._clean.around(message, safe_str(exc)) if exc is not None else self._clean.text(message), info

    def _mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        plain = self._clean.value(values)
        return plain if isinstance(plain, dict) else {"…": plain}

    def _raised(self, exc: BaseException, tb: TracebackType | None, record: logging.LogRecord) -> dict[str, Any]:
        """The fields that tell of a live exception."""
        try:
            told = self._describe.raised(exc, tb)
        except Exception as error:  # a hostile exception may raise anything when it is looked at
            call = call_of(record)
            return call | self._describe.unreadable(exc, error, self._clean.text(word(record.name)), call["culprit"])
        return told if "culprit" in told else call_of(record) | told

    def _logged(self, record: logging.LogRecord, message: str) -> dict[str, Any]:
        """The fields that tell of a record without an exception."""
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


def _fingerprint_of(exc: BaseException) -> Any:
    try:
        return getattr(exc, "fingerprint", None)
    except Exception:  # a hostile property
        return None


_event_ids = EventIds()
