"""The detail record: what is known of one error, as plain data."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import orjson

from visigate_logging.detail.frames import Chain, ExceptionData, Frame
from visigate_logging.detail.options import DetailOptions
from visigate_logging.host.headroom import with_headroom

CACHED_AS = "_visigate_detail"
"""Attribute of a ``LogRecord`` that holds its detail; the underscore keeps other JSON formatters from merging it."""


# Without slots: the instance's own dict is the record in the order of the fields, ready to be serialised.
@dataclass(kw_only=True)
class ErrorDetail:
    """What is known of one error; docs/record.md says what each field means.

    Secrets are masked and sizes bounded when it is built, so that whoever holds one may write or send it. The
    first seven fields are the names that VisiGate uses; they never change. What else errors are searched by comes
    last: an index is made of a line's two ends (``store/lines.py``), and a line that ends with its id is whole.
    """

    timestamp: str
    error_type: str
    error_message: str
    module: str
    function: str
    traceback: str
    additional_info: Mapping[str, Any] = field(default_factory=dict)
    level: str = "ERROR"
    message_template: str = ""
    culprit: str = ""
    grouping: Mapping[str, Any] = field(default_factory=dict)
    exceptions: tuple[ExceptionData, ...] = ()
    stack_info: str = ""
    file: str = ""
    line: int = 0
    pid: int = 0
    thread: str = ""
    task: str = ""
    changes: Sequence[Mapping[str, Any]] = ()
    trace_id: str = ""
    span_id: str = ""
    breadcrumbs: Sequence[Mapping[str, Any]] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    monotonic: float = 0.0
    repeats: str = ""
    boot_id: str = ""
    severity: str = "ERROR"
    category: str = ""
    host: str = ""
    process: str = ""
    service: str = ""
    logger: str = "root"
    release: str = ""
    handled: bool = False
    fingerprint: str = ""
    facets: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""

    @classmethod
    def from_record(cls, record: logging.LogRecord, options: DetailOptions | None = None) -> "ErrorDetail":
        """Return the detail of a log record: built by whoever asks first, then kept on the record.

        Never raises: what cannot be had is said in its place.

        Args:
            record: any record, also one that came through a queue or a socket.
            options: None takes what is there already, else the defaults.
        """
        from visigate_logging.detail.capture import detail_of  # who only reads records goes without what makes them

        if CACHED_AS in record.__dict__:
            return detail_of(record, options)
        return with_headroom(detail_of, record, options) or detail_of(record, options)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain dicts, lists, strings and numbers, in the order of the fields."""
        plain: dict[str, Any] = orjson.loads(self.to_json())
        return plain

    def to_json(self) -> bytes:
        """Return the record as UTF-8 JSON, without a newline."""
        return orjson.dumps(self.to_serialisable())

    def to_line(self) -> bytes:
        """Return the same as a line of its own."""
        return orjson.dumps(self.to_serialisable(), option=orjson.OPT_APPEND_NEWLINE)

    def to_serialisable(self) -> dict[str, Any]:
        """Return the fields as orjson takes them; exceptions that were met before are serialised already."""
        known = self.exceptions
        chain = known if type(known) is Chain else Chain(known)
        return {**self.__dict__, "exceptions": orjson.Fragment(chain.to_json())}

    def note_kept(self, record: logging.LogRecord) -> None:
        """Let later records of the same exception know that this one, made of ``record``, is kept."""
        from visigate_logging.detail.repeats import note_kept

        note_kept(record, vars(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return a record that is read back: missing fields get their defaults, unknown ones are passed over."""
        values: dict[str, Any] = dict.fromkeys(_FIELDS[:6], "")
        values |= {name: data[name] for name in _FIELDS if name in data}
        values["breadcrumbs"] = tuple(data.get("breadcrumbs") or ())
        values["exceptions"] = Chain(_read_exception(e) for e in data.get("exceptions") or ())
        return cls(**values)


_FIELDS = tuple(f.name for f in fields(ErrorDetail))
_EXCEPTION_FIELDS = tuple(f.name for f in fields(ExceptionData))


def _read_exception(data: Mapping[str, Any]) -> ExceptionData:
    values: dict[str, Any] = dict.fromkeys(_EXCEPTION_FIELDS[:3], "")
    values |= {name: data[name] for name in _EXCEPTION_FIELDS if name in data}
    values["notes"] = tuple(data.get("notes") or ())
    values["frames"] = tuple(map(_read_frame, data.get("frames") or ()))
    return ExceptionData(**values)


def _read_frame(data: Mapping[str, Any]) -> Frame:
    return Frame(
        data.get("file", ""),
        data.get("line", 0),
        data.get("function", ""),
        data.get("module", ""),
        data.get("code", ""),
        data.get("in_app", False),
        data.get("values") or {},
    )


BLANK = vars(ErrorDetail.from_dict({}))
"""All fields with their defaults, in their order."""
