"""A rotating file that the processes of a host share."""

import contextlib
import errno
import logging
import operator
import os
import sys
import threading
from collections import deque

from visigate_logging.clock import monotonic
from visigate_logging.detail.redaction import Redactor
from visigate_logging.exceptions import ConfigurationError, StateError
from visigate_logging.formatters import TextFormatter
from visigate_logging.shared_file import SharedFile
from visigate_logging.state import CountSheet, ForkAware, Sheet, State, watch_forks
from visigate_logging.worker import Worker

__all__ = ["SharedRotatingFileHandler"]

SYNC_MODES = ("never", "interval", "critical", "always")
SYNC_EVERY = 1.0
"""Seconds between two syncs, at least."""
RETRY_EVERY = 1.0
"""Seconds between two tries to write what is kept in memory."""
PUBLISH_EVERY = 10.0
"""Seconds between two entries of the counts in the host's state file."""

EXIT_TIMEOUT = 2.0
"""Seconds that `close` waits for each of its threads."""
NOT_WRITABLE = "file not writable"
FILE_MODES = frozenset(0o600 | group | others for group in (0, 0o40, 0o60) for others in (0, 0o4, 0o6))

without_secrets = Redactor().text

_report = logging.getLogger("visigate_logging")


class SharedRotatingFileHandler(ForkAware, logging.Handler):
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

    def __init__(
        self,
        filename: str | os.PathLike[str],
        mode: str = "a",
        maxBytes: int = 0,
        backupCount: int = 0,
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
        *,
        sync: str = "critical",
        file_mode: int | str = 0o640,
        buffer_bytes: int = 1_048_576,
        state_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if mode != "a":
            raise ConfigurationError("mode", f"only 'a' can be: {mode!r} would lose other processes' records")
        if sync not in SYNC_MODES:
            raise ConfigurationError("sync", f"{sync!r} is none of {', '.join(SYNC_MODES)}")
        for key, value in (("maxBytes", maxBytes), ("backupCount", backupCount), ("buffer_bytes", buffer_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ConfigurationError(key, f"a whole number from 0 is wanted, met {value!r}")
        self._mode = _permissions(file_mode)
        super().__init__()  # not before all is checked: logging.shutdown would meet a handler that is half made
        self.baseFilename = os.path.abspath(filename)
        self.encoding = encoding or "utf-8"
        self.errors = errors or "backslashreplace"
        self._sync = sync
        self._file = SharedFile(self.baseFilename, max_bytes=maxBytes, backups=backupCount, mode=self._mode)
        self._buffer_bytes = buffer_bytes
        self._counts = CountSheet(self.baseFilename)
        self._state = State(state_dir or os.path.join(os.path.dirname(self.baseFilename), "state"))
        self._worker: Worker[None] = Worker("visigate-file", self._upkeep, close=self.close)
        # A thread of its own: the state file may be busy for seconds, and the sync must not wait for that.
        self._publisher: Worker[None] = Worker("visigate-counts", self._publish_in_time, close=self.close)
        self._closed = False
        self._told: set[str] = set()
        self._told_lost = 0
        self.after_fork_in_child()
        watch_forks(self)
        if not delay:
            self._open()

    def after_fork_in_child(self) -> None:
        """Begin afresh: what is kept in memory is the parent's to write."""
        # Not the handler's own lock: logging.shutdown holds that while close waits for the thread to end.
        self._io = threading.RLock()
        self._busy = False
        self._file.forget()
        self._kept: deque[bytes] = deque()  # what could not be written yet
        self._kept_bytes = 0
        self._dirty = False  # something was written since the last sync
        self._awake = False  # the upkeep will come by itself within a second
        self._synced = -SYNC_EVERY
        self._published = monotonic()
        self._trouble: OSError | None = None
        self._sync_error: OSError | None = None

    def _open(self) -> None:
        try:
            self._file.open()
        except OSError as error:
            self._trouble = error
            self._wake()

    def counts(self) -> Sheet:
        """What became of the records of this process: accepted is the sum of the others."""
        return self._counts.snapshot()

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; never raises, and waits for nothing but the disk."""
        try:
            self._write(self._line(record))
            if self._sync == "always" or (self._sync == "critical" and record.levelno >= logging.CRITICAL):
                self._sync_all()
        except Exception:
            try:  # noqa: SIM105 -- at the end of the stack there is no room for a call of suppress
                self.handleError(record)
            except Exception:  # noqa: S110 -- it lets a RecursionError out; there is nowhere left to say it
                pass

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            return self.encoded(record)
        except Exception:
            self._counts.accept()
            self._counts.drop("not encodable")
            raise

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The record as the bytes of its line or lines; what its formatter refuses is told without it."""
        try:
            text = self.format(record)
        except Exception as error:
            text = self.unformatted(record, error)
        if not isinstance(self.formatter, TextFormatter):  # which has masked the secrets already
            text = without_secrets(text)
        return f"{text}\n".encode(self.encoding, self.errors)

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """What stands for a record that its formatter refuses."""
        what = f"{_shown(record.msg)} {_shown(record.args)} [not formatted: {_shown(error)}]"
        return f"{record.levelname} {record.name} {record.pathname}:{record.lineno} {what}"

    def _write(self, line: bytes = b"") -> None:
        """Write what is kept, oldest first, then the line; what cannot be written is kept."""
        with self._io:
            if self._busy:  # a signal handler or a destructor logs in the middle of its own thread's write
                self._write_aside(line)
                return
            self._busy = True
            try:
                while self._kept and self._append(self._file, self._kept[0]):
                    self._counts.deliver()
                    self._kept_bytes -= len(self._kept.popleft())
                if line and not self._kept and self._append(self._file, line):
                    self._counts.accept_delivered()
                elif line:
                    self._keep(line)
            finally:
                self._busy = False
        if line and self._closed:
            self._finish()
        elif not self._awake:
            self._wake()

    def _write_aside(self, line: bytes) -> None:
        aside = SharedFile(self.baseFilename, mode=self._mode)
        if line and self._append(aside, line):
            self._counts.accept_delivered()
        elif line:
            self._keep(line)
        aside.close()

    def _append(self, file: SharedFile, line: bytes) -> bool:
        try:
            file.append(line)
        except OSError as error:
            self._trouble = error
            return False
        self._trouble = None
        self._dirty = True
        return True

    def _keep(self, line: bytes) -> None:
        self._counts.accept()
        if self._kept_bytes + len(line) > self._buffer_bytes:
            self._counts.drop(NOT_WRITABLE)
        else:
            self._kept.append(line)
            self._kept_bytes += len(line)

    def _wake(self) -> None:
        self._awake = True
        self._worker.wake()

    def _upkeep(self, _items: list[None]) -> float | None:
        """In the background: write what is kept, sync, tell; returns the seconds until there is more to do."""
        self._awake = True
        self._write()
        now = monotonic()
        if self._dirty and now - self._synced >= SYNC_EVERY:
            self._sync_all()
        if not self._closed:  # logging.shutdown then holds the lock of the handler that this may be told to
            self._tell()
            self._publisher.wake()
        with self._io:
            wait = None
            if self._kept:
                wait = RETRY_EVERY
            elif self._dirty:
                wait = SYNC_EVERY - (now - self._synced)
            self._awake = wait is not None
        return wait

    def _sync_all(self) -> None:
        """Force to the medium what was written since the last time."""
        with self._io:
            descriptors = self._file.unsynced()
            self._dirty = False
        self._synced, trouble = monotonic(), None
        for fd in descriptors:
            try:
                if self._sync != "never":
                    _datasync(fd)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a device or a pipe, which has nothing to sync
                    trouble = error
            finally:
                os.close(fd)
        self._sync_error = trouble

    def _tell(self) -> None:
        """Say once that something cannot be done with the file, and once that it can again."""
        lost = self._counts.snapshot()["dropped"].get(NOT_WRITABLE, 0)
        written = f"; {lost - self._told_lost} records were lost meanwhile"
        if not self._trouble and lost > self._told_lost:
            self._told.add("written")
        self._tell_change("written", self._trouble, "its records are kept in memory", written)
        if not self._trouble:
            self._told_lost = lost
        self._tell_change("rotated", self._file.rotation_error, "it grows on")
        self._tell_change("synced", self._sync_error, "a power cut may take its last lines")

    def _tell_change(self, what: str, error: OSError | None, meaning: str, addition: str = "") -> None:
        if error is not None and what not in self._told:
            self._told.add(what)
            self._counts.fail(f"cannot be {what}: {error}; {meaning}")
            _report.error("%s cannot be %s: %s; %s", self.baseFilename, what, error, meaning)
        elif error is None and what in self._told:
            self._told.remove(what)
            _report.warning("%s can be %s again%s", self.baseFilename, what, addition)

    def _publish_in_time(self, _items: list[None]) -> float | None:
        wait = self._published + PUBLISH_EVERY - monotonic()
        if wait > 0:
            return wait if self._counts.has_news else None
        self._publish()
        self._published = monotonic()
        return PUBLISH_EVERY if self._counts.has_news else None

    def _publish(self) -> None:
        if self._counts.has_news:
            with contextlib.suppress(StateError):  # the next time adds it
                self._counts.publish(self._state)

    def flush(self) -> None:
        """Write what is kept in memory, if it can be written."""
        if self._kept:
            self._write()

    def close(self) -> None:
        """Write and sync what is left, and close the file; a later record opens it for itself."""
        self._closed = True
        self._worker.stop(EXIT_TIMEOUT)
        self._publisher.stop(EXIT_TIMEOUT)
        try:
            self._finish()
            self._publish()
            self._state.close()
        finally:
            super().close()

    def _finish(self) -> None:
        with self._io:
            if self._busy:  # the write that this interrupts comes here at its end
                return
            self._write()
            if self._kept:
                self._give_up()
            if self._dirty:
                self._sync_all()
            self._file.close()

    def _give_up(self) -> None:
        lost = len(self._kept)
        self._kept.clear()
        self._kept_bytes = 0
        self._counts.drop(NOT_WRITABLE, lost)
        self._counts.fail(f"{lost} records lost at the end of a process: {self._trouble}")
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no stderr, or a closed one
            sys.stderr.write(f"{self.baseFilename}: {lost} records lost: {self._trouble}\n")


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _permissions(value: int | str) -> int:
    """Permissions given as a number, or as text of octal digits, which YAML's readers do not agree on."""
    try:
        mode = int(value, 8) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        mode = -1
    # A file that its owner cannot read and write, or that can be executed or written blindly, nobody wants:
    # it is how 640 or 400 without the leading zero look.
    if mode not in FILE_MODES:
        octal = f", which is {mode:#o}" if isinstance(value, int) and value >= 0 else ""
        raise ConfigurationError(
            "file_mode", f'read and write permissions are wanted, as in "0640" (with quotes), met {value!r}{octal}'
        )
    return mode


_datasync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
