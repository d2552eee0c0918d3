"""The detail record: what is known of one error, as plain data."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from visigate_logging.detail.frames import Chain, ExceptionData, Frame
from visigate_logging.detail.options import DetailOptions
from visigate_logging.host.headroom import with_headroom

if TYPE_CHECKING:
    from visigate_logging.detail.extraction import Extractor

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
        """Return the fields as orjson takes them; exceptions that were met before are serialised already.

        Not by a function that orjson calls back: what interrupts that, as a signal handler's exit, would end there.
        """
        known = self.exceptions
        return {**self.__dict__, "exceptions": (known if type(known) is Chain else Chain(known)).to_fragment()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return a record that is read back: missing fields get their defaults, unknown ones are passed over."""
        values: dict[str, Any] = dict.fromkeys(_FIELDS[:6], "")
        values |= {name: data[name] for name in _FIELDS if name in data}
        values["breadcrumbs"] = tuple(data.get("breadcrumbs") or ())
        values["exceptions"] = Chain(_read_exception(e) for e in data.get("exceptions") or ())
        return cls(**values)


def detail_of(record: logging.LogRecord, options: DetailOptions | None = None) -> ErrorDetail:
    """Return the detail of a log record, as `ErrorDetail.from_record`; the caller has seen to room on the stack."""
    given = record.__dict__
    known = given.get(CACHED_AS)
    if known is not None:
        if isinstance(known, dict):  # from another process
            known = _received(known, options or DetailOptions().or_environment())
        if isinstance(known, _Kept) and known.serves(options, record):
            detail = known.detail
            return _reclassified(detail, given) if "severity" in given or "category" in given else detail
    options = options or DetailOptions().or_environment()
    detail = ErrorDetail.__new__(ErrorDetail)  # past __init__, which would sort the same forty values in once more
    detail.__dict__ = _writing().extractor(options).values(record, _BLANK)
    if isinstance(known, _Kept):  # other options, the same event
        same = {name: getattr(known.detail, name) for name in ("event_id", "timestamp", "repeats")}
        detail = dataclasses.replace(detail, **same)
    given[CACHED_AS] = _Kept(detail, options)
    return detail


class _Writing(NamedTuple):
    extractor: "Callable[[DetailOptions], Extractor]"
    word: Callable[[object], str]


@functools.cache  # when the interpreter ends not even what is there already can be imported
def _writing() -> _Writing:
    """Return what makes records: who only reads them goes without it, and starts in half the time."""
    from visigate_logging.detail.extraction import extractor
    from visigate_logging.detail.values import word

    return _Writing(extractor, word)


@functools.cache
def make_ready() -> None:
    """Import, open and decode what a detail needs, by making one.

    An interpreter that ends can do so no more, and a destructor may log its first error then.
    """
    text = "as text with what may be secret: rtsp://user:password@host"
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
        detail_of(logging.LogRecord("", logging.ERROR, __file__, 0, text, (), info)).to_json()


class _Kept:
    """A detail on its record; to another process, which may not have this package, it goes as a plain dict."""

    __slots__ = ("detail", "options")

    def __init__(self, detail: ErrorDetail, options: DetailOptions) -> None:
        self.detail = detail
        self.options = options

    def serves(self, options: DetailOptions | None, record: logging.LogRecord) -> bool:
        """Return whether it is what these options give, or knows an exception that its record has lost in a queue."""
        if options is None or options is self.options or options == self.options:
            return True
        return bool(self.detail.exceptions) and not record.exc_info

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (self.detail.to_dict(),)


def _received(data: Mapping[str, Any], options: DetailOptions) -> _Kept | None:
    """Return the detail that came with a record over a socket; None when it cannot be one."""
    try:
        detail = ErrorDetail.from_dict(data)
        detail.to_json()
    except Exception:  # anything may come over a socket
        return None
    return _Kept(detail, options)


def _reclassified(detail: ErrorDetail, given: Mapping[str, Any]) -> ErrorDetail:
    """Return the detail with what a later handler's classifier has put on the record."""
    severity = given.get("severity", detail.severity)
    category = given.get("category", detail.category)
    if severity is detail.severity and category is detail.category:
        return detail
    severity, category = map(_writing().word, (severity, category))
    if severity == detail.severity and category == detail.category:
        return detail
    return dataclasses.replace(detail, severity=severity, category=category)


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


_BLANK = vars(ErrorDetail.from_dict({}))
