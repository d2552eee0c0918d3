"""The detail record as a line of JSON, on python-json-logger, and as text for people."""

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import orjson
from pythonjsonlogger.orjson import OrjsonFormatter

from visigate_logging.detail.extraction import extractor
from visigate_logging.detail.masking import mask_also, pseudonymise, sanitiser
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.plain import plain
from visigate_logging.detail.pseudonyms import KEY_FILE
from visigate_logging.detail.record import ErrorDetail, detail_of
from visigate_logging.detail.values import word
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import Range, Via, checked

LARGEST_VALUE = 65_536
"""Bytes of a value that a subclass or a static field has added, where orjson does not take it."""


def _no_format(fmt: str | None) -> None:
    if fmt is not None:
        raise ValueError("cannot be: the fields of a detail record are fixed; leave it out")


def _with_letters(given: str | Sequence[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for i, name in enumerate(names):
        if not any(map(str.isalpha, name)):
            raise ConfigurationError("" if name is given else str(i), f"a name has letters; met {name!r}")
    return names


Words = Annotated[str | Sequence[str], Via(_with_letters, "a list of names")]
FieldSize = Annotated[int, Range(1024, unit="bytes")]


class DetailFormatter(OrjsonFormatter):
    """Formats each record as its detail record, one line of JSON.

    It fills python-json-logger's seams: ``add_fields`` takes the fields from the detail record instead of the log
    record, and ``process_log_record`` of a subclass, ``static_fields`` and ``rename_fields`` work as there.

    Args:
        fmt, datefmt, style, validate: there because ``dictConfig`` passes them; the fields are fixed.
        service: name of the application; default the environment's ``VISIGATE_SERVICE``.
        release: its version; default the environment's ``VISIGATE_RELEASE``.
        in_app: dotted names of the application's own modules; default all that is neither in the standard
            library nor in site-packages.
        mask_keys: further keys whose values are secret, beside the built-in ones: in the whole process, whatever
            it writes, sends or shows.
        pseudonyms: keys such as ``plate`` whose values get another name, the same for the same value: in what is
            given with ``extra``, and in texts behind the key (``plate=AB12CDE``); in the whole process.
        pseudonym_key: the file with the key that these names are made with, made when absent; default
            ``logs/errors/state/pseudonyms.key``. Who has it can find out whose name a name is.
        max_field_bytes: bytes that a text or all of ``additional_info`` may have; default 65536, at least 1024.
        facets: names of ``extra`` values, such as ``camera``, by which errors are to be filtered and counted.
        locals: tell the values of local variables in the application's innermost frames; default true.
        static_fields: fields with fixed values that every line gets.
        rename_fields: other names for fields. The reader of this package knows the original names only.

    Raises:
        ConfigurationError: a value that cannot be.
    """

    @checked
    def __init__(
        self,
        fmt: Annotated[str | None, Via(_no_format)] = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        service: str = "",
        release: str = "",
        in_app: Words = (),
        mask_keys: Words = (),
        pseudonyms: Words = (),
        pseudonym_key: str | None = None,
        max_field_bytes: FieldSize = 65_536,
        facets: Words = (),
        locals: bool = True,  # noqa: A002 -- the word of the field, and of YAML
        static_fields: Mapping[str, Any] | None = None,
        rename_fields: Mapping[str, str] | None = None,
    ) -> None:
        _use_pseudonyms(pseudonyms, pseudonym_key)
        self.options = _options(service, release, in_app, mask_keys, max_field_bytes, facets, tells_locals=locals)
        super().__init__(
            fmt,
            datefmt,
            style,
            validate,
            static_fields=dict(static_fields or {}),
            rename_fields=dict(rename_fields or {}),
        )
        is_own = (type(self).add_fields, type(self).process_log_record) == _OWN
        self.adds_nothing = is_own and not static_fields and not rename_fields
        """Whether a line has the fields of the detail record and no others."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON, without the newline; never raises for what a record holds."""
        return self.jsonify_log_record(self._fields(record))

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """Return the same as UTF-8 and with the newline, for handlers that write bytes."""
        if self.adds_nothing:
            return detail_of(record, self.options).to_line()
        return _serialised(self._fields(record), orjson.OPT_APPEND_NEWLINE)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        # The base's format would first format the message, which may not fit its arguments, and the traceback,
        # which is the cost that this package exists to save.
        log_data: dict[str, Any] = {}
        self.add_fields(log_data, record, {})
        return self.process_log_record(log_data)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the fields of the detail record, then the static ones."""
        detail = ErrorDetail.from_record(record, self.options)
        log_data.update(detail.to_serialisable())
        log_data.update({**message_dict, **self.static_fields})
        for old, new in self.rename_fields.items():
            if old in log_data:
                log_data[new] = log_data.pop(old)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Serialise; what a subclass or a static field has added becomes plain."""
        return _serialised(log_data).decode()


_OWN = (DetailFormatter.add_fields, OrjsonFormatter.process_log_record)


def _options(
    service: str,
    release: str,
    in_app: Words,
    mask_keys: Words,
    max_field_bytes: int,
    facets: Words,
    *,
    tells_locals: bool,
) -> DetailOptions:
    mask_also(mask_keys)
    words = cast(tuple[tuple[str, ...], ...], (in_app, facets))
    options = DetailOptions(service, release, words[0], max_field_bytes, words[1], tells_locals).or_environment()
    extractor(options)  # made ready: what it imports and reads must not wait for the first record
    return options


def _use_pseudonyms(names: Words, key: str | None) -> None:
    if names:
        pseudonymise(cast(tuple[str, ...], names), Path(key).absolute() if key else KEY_FILE.absolute())


_RECORD = frozenset(vars(logging.makeLogRecord({})))
_INDENT = "    "


class TextFormatter(logging.Formatter):
    r"""Formats records for people, from the detail record: secrets masked, sizes bounded, no second traceback made.

    What comes from a record can neither steer a terminal nor pass for another record: control characters are shown
    as ``\u001b``, and each line after the first is indented, those of the traceback too.

    Beside the attributes of a log record the format may name ``%(event_id)s`` (for ``visigate-errors show``),
    ``%(severity)s``, ``%(category)s``, ``%(culprit)s`` and ``%(fingerprint)s``.

    Args:
        fmt, datefmt, style, validate, defaults: as for :class:`logging.Formatter`.
        service, release, in_app, mask_keys, pseudonyms, pseudonym_key, max_field_bytes, facets, locals: as
            for :class:`DetailFormatter`. Given alike to both, a record is looked at once for both.

    Raises:
        ConfigurationError: a value that cannot be.
    """

    @checked
    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        service: str = "",
        release: str = "",
        in_app: Words = (),
        mask_keys: Words = (),
        pseudonyms: Words = (),
        pseudonym_key: str | None = None,
        max_field_bytes: FieldSize = 65_536,
        facets: Words = (),
        locals: bool = True,  # noqa: A002 -- the word of the field, and of YAML
    ) -> None:
        _use_pseudonyms(pseudonyms, pseudonym_key)
        self.options = _options(service, release, in_app, mask_keys, max_field_bytes, facets, tells_locals=locals)
        super().__init__(fmt, datefmt, style, validate, defaults=defaults)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text, with the traceback on the lines after it."""
        detail = ErrorDetail.from_record(record, self.options)
        shown = copy.copy(record)
        shown.__dict__.update({k: v for k, v in detail.additional_info.items() if k not in _RECORD})
        shown.__dict__.update(
            name=detail.logger,
            processName=detail.process,
            threadName=detail.thread,
            taskName=detail.task or None,
            msg=detail.message,
            args=None,
            exc_info=None,
            exc_text=_after_first(detail.traceback),
            stack_info=_after_first(detail.stack_info),
            event_id=detail.event_id,
            severity=detail.severity,
            category=detail.category,
            culprit=detail.culprit,
            fingerprint=detail.fingerprint,
        )
        for name, value in shown.__dict__.items():
            if type(value) is str and not value.isprintable():
                shown.__dict__[name] = plain(value).replace("\n", f"\n{_INDENT}")
        return super().format(shown)


def _after_first(text: str) -> str:
    """Return a text that stands on lines of its own behind the first."""
    return _INDENT + text.rstrip("\n") if text else ""


def _serialised(log_data: dict[str, Any], option: int = 0) -> bytes:
    try:
        return orjson.dumps(log_data, option=option)
    except (TypeError, ValueError):
        return orjson.dumps({word(k): _serialisable(v) for k, v in log_data.items()}, option=option)


def _serialisable(value: Any) -> Any:
    try:
        return orjson.Fragment(orjson.dumps(value))
    except (TypeError, ValueError):
        return sanitiser(LARGEST_VALUE).value(value)
