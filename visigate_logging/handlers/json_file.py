"""The details file: one line of JSON for each error."""

import logging
from typing import Any

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

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The record as a line of JSON."""
        if isinstance(self.formatter, DetailFormatter):
            try:
                return self.formatter.format_bytes(record)
            except Exception as error:  # what a subclass does
                return self.unformatted(record, error).encode() + b"\n"
        return super().encoded(record)

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """The record by this package's own formatter, which refuses none, with what was wrong."""
        return DetailFormatter(static_fields={"formatter_error": type(error).__name__}).format(record)
