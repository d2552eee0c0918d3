"""The detail of a log record: built by whoever asks first, then kept on the record."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from visigate_logging.detail.extraction import extractor
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.record import BLANK, CACHED_AS, ErrorDetail
from visigate_logging.detail.values import word


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
    detail.__dict__ = extractor(options).values(record, BLANK)
    if isinstance(known, _Kept):  # other options, the same event
        same = {name: getattr(known.detail, name) for name in ("event_id", "timestamp", "repeats")}
        detail = dataclasses.replace(detail, **same)
    given[CACHED_AS] = _Kept(detail, options)
    return detail


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
    severity, category = word(severity), word(category)
    if severity == detail.severity and category == detail.category:
        return detail
    return dataclasses.replace(detail, severity=severity, category=category)
