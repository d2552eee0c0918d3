"""The details file: one line of JSON for each error."""

import copy
import logging
from typing import Any

from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.detail.repeats import Recent
from visigate_logging.formatters import DetailFormatter
from visigate_logging.handlers.rotating import SharedRotatingFileHandler

__all__ = ["JsonFileHandler"]


class JsonFileHandler(SharedRotatingFileHandler):
    """Appends the detail record of each error to a file, one line of JSON each.

    Without a ``formatter`` it uses a :class:`~visigate_logging.DetailFormatter` with its defaults.

    Args:
        args, kwargs: as for :class:`~visigate_logging.SharedRotatingFileHandler`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setFormatter(DetailFormatter())
        self._recent = Recent()

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The record as a line of JSON."""
        formatter = self.formatter
        if not isinstance(formatter, DetailFormatter):
            return super().encoded(record)
        try:
            detail = ErrorDetail.from_record(record, formatter.options)
            detail.note_kept(record)
            if not self._recent.is_repeat(detail.event_id, detail.repeats) and detail.repeats:
                record = copy.copy(record)  # what it repeats is not in this file, and counts for nobody
                record.__dict__[CACHED_AS] = detail.to_dict() | {"repeats": ""}
            return formatter.format_bytes(record)
        except Exception as error:  # what a subclass does
            return self.unformatted(record, error).encode() + b"\n"

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """The record by this package's own formatter, which refuses none, with what was wrong."""
        return DetailFormatter(static_fields={"formatter_error": type(error).__name__}).format(record)
