"""A rotating file that the processes of a host share."""

import contextlib
import logging
import math
import os
import sys
from typing import Annotated, Literal

from visigate_logging.detail.classification import is_ignored
from visigate_logging.detail.masking import mask
from visigate_logging.detail.record import make_ready
from visigate_logging.formatters import TextFormatter
from visigate_logging.host import CountSheet, ForkAware, Sheet, State, watch_forks
from visigate_logging.host.buffered_file import BufferedFile
from visigate_logging.host.file_upkeep import FileUpkeep
from visigate_logging.host.forks import notice_fork
from visigate_logging.host.settlement import Settlement
from visigate_logging.host.shared_file import SharedFile
from visigate_logging.host.unlocked import Unlocked
from visigate_logging.options import Count, Encoding, OnUnencodable, Size, Via, checked
from visigate_logging.options.kinds import FileMode
from visigate_logging.retention.schedule import Retention

SYNC_FROM = {"never": math.inf, "interval": math.inf, "critical": logging.CRITICAL, "always": -math.inf}
"""For each mode of syncing the level from which a record is forced to the medium at once."""


def _append(mode: str) -> str:
    if mode != "a":
        raise ValueError("would lose other processes' records; only a can be")
    return mode


class SharedRotatingFileHandler(ForkAware, Unlocked):
    """Appends records to a file that many processes write to and rotate; no record is lost or doubled.

    Once ``emit`` has returned, the record is the system's: the death of the process does not touch it. When the file
    cannot be written (disk full, read-only, removed directory), records are kept in memory and written when it
    can be again; that it could not, and what was dropped, is said on the logger ``visigate_logging``.

    Args:
        filename: the file; missing directories are made.
        mode: ``a``; there because the standard library's handlers have it.
        maxBytes: size in bytes at which the file is rotated; default 0, never.
        backupCount: rotated files that are kept, ``filename.1`` the newest; default 0, no rotation.
        encoding: default ``utf-8``.
        delay: open the file with the first record; default false.
        errors: what becomes of characters that the encoding has not; default ``backslashreplace``.
        sync: when records are forced to the medium: ``never``, ``interval`` (in the background, at most once a
            second), ``critical`` (so, and at once for CRITICAL; the default) or ``always`` (each at once).
        file_mode: permissions of new files; default ``0640``.
        buffer_bytes: bytes of records that are kept while the file cannot be written; default 1 MiB.
        state_dir: where the host's counts are; default ``state`` beside the file.

    Raises:
        ConfigurationError: a value that cannot be.
    """

    _retention: Retention | None = None
    """What goes from the file; set before the constructor here, by a class that knows what is in it."""

    @checked
    def __init__(
        self,
        filename: str | os.PathLike[str],
        mode: Annotated[str, Via(_append)] = "a",
        maxBytes: Size = 0,
        backupCount: Count = 0,
        encoding: Encoding | None = None,
        delay: bool = False,
        errors: OnUnencodable | None = None,
        *,
        sync: Literal["never", "interval", "critical", "always"] = "critical",
        file_mode: FileMode = 0o640,
        buffer_bytes: Size = 1_048_576,
        state_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.baseFilename, self.mode = os.path.abspath(filename), mode
        self.encoding = encoding or "utf-8"
        self.errors = errors or "backslashreplace"
        make_ready()
        "".encode(self.encoding)  # looked up now for the same reason
        self._sync_from = SYNC_FROM[sync]
        self._counts = CountSheet(self.baseFilename)
        retention = self._retention
        leave, clear = (retention.leave, retention.act) if retention else (None, None)
        file = SharedFile(
            self.baseFilename, max_bytes=maxBytes, backups=backupCount, mode=int(file_mode), leave=leave
        )
        self._file = BufferedFile(file, self._counts, buffer_bytes, syncs=sync != "never")
        self._state = State(state_dir or os.path.join(os.path.dirname(self.baseFilename), "state"))
        self.state_dir = self._state.directory
        self._upkeep = FileUpkeep(self._file, self._counts, self._state, clear, self.close)
        self._closed = False
        watch_forks(self)
        super().__init__()
        if not delay:
            self._file.open()
            if self._file.trouble:
                self._upkeep.wake()

    def after_fork_in_child(self) -> None:
        """Begin afresh: what is kept in memory is the parent's to write."""
        self._file.begin_afresh()
        self._upkeep.begin_afresh()

    def counts(self) -> Sheet:
        """Return what became of the records of this process: accepted is the sum of the others."""
        return self._counts.snapshot()

    def passed_over(self, record: logging.LogRecord) -> None:
        """Count a record that a classifier's rule ignores."""
        if is_ignored(record):
            self._counts.accept()
            self._counts.fold()
            if not self._upkeep.is_awake:
                self._upkeep.wake()

    def interrupted(self, error: BaseException) -> None:
        """Count a record as dropped for what was raised before it was written."""
        Settlement(self._counts).interrupted(error)

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; never raises, and waits for nothing but the disk."""
        try:
            notice_fork(record.process)
            try:
                line = self.encoded(record)
            except BaseException as error:  # what is no Exception is meant for the application
                self.interrupted(error)
                raise
            self._file.write(line)
            if self._closed:
                self._finish()
            elif not self._upkeep.is_awake:
                self._upkeep.wake()
            if record.levelno >= self._sync_from:
                self._upkeep.sync()
        except Exception:
            try:  # noqa: SIM105 -- at the end of the stack there is no room for a call of suppress
                self.handleError(record)
            except Exception:  # noqa: S110 -- it lets a RecursionError out; there is nowhere left to say it
                pass

    def encoded(self, record: logging.LogRecord) -> bytes:
        """Return the record as the bytes of its line or lines; what its formatter refuses is told without it."""
        try:
            text = self.format(record)
        except Exception as error:
            text = self.unformatted(record, error)
        if not isinstance(self.formatter, TextFormatter):  # which has masked the secrets already
            text = mask(text)
        return f"{text}\n".encode(self.encoding, self.errors)

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """Return what stands for a record that its formatter refuses."""
        what = f"{_shown(record.msg)} {_shown(record.args)} [not formatted: {_shown(error)}]"
        return f"{record.levelname} {record.name} {record.pathname}:{record.lineno} {what}"

    def flush(self) -> None:
        """Write what is kept in memory, if it can be written."""
        if self._file.keeps_lines:
            self._file.write()

    def inherit(self, other: logging.Handler) -> None:
        """Take what a handler that this one replaces has kept in memory, to write it before what is kept here."""
        if isinstance(other, SharedRotatingFileHandler):
            self._file.inherit(other._file)
            self._upkeep.wake()

    def close(self) -> None:
        """Write and sync what is left, and close the file; a later record opens it for itself."""
        self._closed = True
        self._upkeep.begin_to_end()
        try:
            self._finish()
            self._upkeep.publish()
            self._state.close()
        finally:
            super().close()

    def _finish(self) -> None:
        lost = self._file.finish()
        if lost:
            trouble = self._file.trouble
            self._counts.fail(f"{lost} records lost at the end of a process: {trouble}")
            with contextlib.suppress(OSError, ValueError, AttributeError):  # no stderr, or a closed one
                sys.stderr.write(f"{self.baseFilename}: {lost} records lost: {trouble}\n")


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
