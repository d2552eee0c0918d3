"""The details file: one line of JSON for each error."""

import copy
import dataclasses
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

from visigate_logging.detail.record import CACHED_AS, detail_of
from visigate_logging.detail.repeats import Recent
from visigate_logging.formatters import DetailFormatter
from visigate_logging.handlers.rotating import SharedRotatingFileHandler
from visigate_logging.host.machine import machine
from visigate_logging.options import Count, Size, Via, checked
from visigate_logging.retention.schedule import Retention, read_age


class JsonFileHandler(SharedRotatingFileHandler):
    """Appends the detail record of each error to a file, one line of JSON each.

    Without a ``formatter`` it uses a :class:`~visigate_logging.DetailFormatter` with its defaults.

    Args:
        args, kwargs: as for :class:`~visigate_logging.SharedRotatingFileHandler`.
        retention: age after which errors go, as ``90d``, ``12w``, ``1y``; default None, none by age.
        keep_per_group: errors of each group, the first and the newest ones, that are kept in ``filename.kept`` when
            the oldest file goes, for 30 days or as long as ``retention`` says; ``maxBytes`` at most; default 0.
        keep_free: bytes of the card below which the oldest file goes; default 0, none for that.
    """

    @checked
    def __init__(
        self,
        *args: Any,
        retention: Annotated[str | None, Via(read_age, "an age such as 90d", raw=True)] = None,
        keep_per_group: Count = 0,
        keep_free: Size = 0,
        **kwargs: Any,
    ) -> None:
        log = Path(os.path.abspath(kwargs.get("filename", args[0] if args else "")))
        age = cast(float | None, retention)
        if age or keep_per_group or keep_free:
            size = kwargs.get("maxBytes", args[2] if len(args) > 2 else 0)
            self._retention = Retention(log, age=age, per_group=keep_per_group, max_bytes=size, free=keep_free)
        self._recent = Recent()
        super().__init__(*args, **kwargs)
        self.setFormatter(DetailFormatter())

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one; from then on the state of the machine is sampled for errors."""
        super().set_name(name)
        machine.watch(os.path.dirname(self.baseFilename))

    name = property(logging.Handler.get_name, set_name)

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines that were made elsewhere, each with its newline, and force them to the medium.

        Raises:
            OSError: they are not all there; some of the first may be.
        """
        try:
            for line in lines:
                self._file.put(line)
            self._upkeep.sync()
        finally:
            self._upkeep.wake()
        if self._file.sync_error:
            raise self._file.sync_error

    def encoded(self, record: logging.LogRecord) -> bytes:
        """Return the record as a line of JSON."""
        formatter = self.formatter
        if not isinstance(formatter, DetailFormatter):
            return super().encoded(record)
        try:
            detail = detail_of(record, formatter.options)
            if not self._recent.is_repeat(detail.event_id, detail.repeats) and detail.repeats:
                # What it repeats is not in this file, and counts for nobody.
                record, detail = copy.copy(record), dataclasses.replace(detail, repeats="")
                record.__dict__[CACHED_AS] = detail.to_dict()
            return detail.to_line() if formatter.adds_nothing else formatter.format_bytes(record)
        except Exception as error:  # what a subclass does
            return self.unformatted(record, error).encode() + b"\n"

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """Return the record by this package's own formatter, which refuses none, with what was wrong."""
        return DetailFormatter(static_fields={"formatter_error": type(error).__name__}).format(record)
