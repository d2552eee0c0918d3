"""A rotating file that the processes of a host share."""

import contextlib
import functools
import logging
import math
import os
import sys
from typing import Annotated, Any, Literal

from visigate_logging.detail.classification import is_ignored
from visigate_logging.detail.masking import mask
from visigate_logging.exceptions import StateError
from visigate_logging.formatters import DetailFormatter, TextFormatter
from visigate_logging.host import CountSheet, ForkAware, Sheet, State, watch_forks
from visigate_logging.host.answer import Answer
from visigate_logging.host.buffered_file import NOT_WRITABLE, BufferedFile
from visigate_logging.host.clock import monotonic
from visigate_logging.host.forks import notice_fork
from visigate_logging.host.shared_file import SharedFile
from visigate_logging.host.unlocked import Unlocked
from visigate_logging.host.upkeep import Task
from visigate_logging.options import Count, Encoding, OnUnencodable, Size, Via, checked
from visigate_logging.retention.schedule import Retention

__all__ = ["SharedRotatingFileHandler"]

SYNC_FROM = {"never": math.inf, "interval": math.inf, "critical": logging.CRITICAL, "always": -math.inf}
"""For each mode of syncing the level from which a record is forced to the medium at once."""
SYNC_EVERY = 1.0
"""Seconds between two syncs, at least."""
RETRY_EVERY = 1.0
"""Seconds between two tries to write what is kept in memory."""
PUBLISH_EVERY = 10.0
"""Seconds between two entries of the counts in the host's state file."""

EXIT_TIMEOUT = 2.0
"""Seconds that `close` waits for the upkeep, and for other processes that use the state file."""
FILE_MODES = frozenset(0o600 | group | others for group in (0, 0o40, 0o60) for others in (0, 0o4, 0o6))

_report = logging.getLogger("visigate_logging")


_PERMISSIONS = 'permissions to read and write, as in "0640" (with quotes)'


def _append(mode: str) -> str:
    if mode != "a":
        raise ValueError("would lose other processes' records; only a can be")
    return mode


def _permissions(value: int | str) -> int:
    """Return permissions given as a number, or as text of octal digits, which YAML's readers do not agree on."""
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        mode = -1
    # A file that its owner cannot read and write, or that can be executed or written blindly, nobody wants:
    # it is how 640 or 400 without the leading zero look.
    if mode not in FILE_MODES:
        octal = f", which is {mode:#o}," if isinstance(value, int) and mode >= 0 else ""
        raise ValueError(f"{octal} is not {_PERMISSIONS}".lstrip())
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
    _retention_error: OSError | None = None

    @checked  # before logging knows of the handler: logging.shutdown would meet one that is half made
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
        file_mode: Annotated[int | str, Via(_permissions, _PERMISSIONS)] = 0o640,
        buffer_bytes: Size = 1_048_576,
        state_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.baseFilename, self.mode = os.path.abspath(filename), mode
        self.encoding = encoding or "utf-8"
        self.errors = errors or "backslashreplace"
        _make_ready()
        "".encode(self.encoding)  # looked up now for the same reason
        self._sync_from = SYNC_FROM[sync]
        self._counts = CountSheet(self.baseFilename)
        leave = self._retention.leave if self._retention else None
        file = SharedFile(
            self.baseFilename, max_bytes=maxBytes, backups=backupCount, mode=int(file_mode), leave=leave
        )
        self._file = BufferedFile(file, self._counts, buffer_bytes, syncs=sync != "never")
        self._state = State(state_dir or os.path.join(os.path.dirname(self.baseFilename), "state"))
        self.state_dir = self._state.directory
        self._task = Task(f"Upkeep of {self.baseFilename}", self._upkeep, close=self.close)
        self._closed = False
        self._told: set[str] = set()
        self._told_lost = 0
        self._start_afresh()
        watch_forks(self)
        if not delay:
            self._file.open()
            if self._file.trouble:
                self._wake()

    def after_fork_in_child(self) -> None:
        """Begin afresh: what is kept in memory is the parent's to write."""
        self._file.begin_afresh()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._awake = False  # the upkeep will come by itself within a second
        self._synced = -SYNC_EVERY
        self._published = monotonic()

    def counts(self) -> Sheet:
        """What became of the records of this process: accepted is the sum of the others."""
        return self._counts.snapshot()

    def _handle(self, record: logging.LogRecord) -> Any:
        passed = super()._handle(record)
        if not passed and is_ignored(record):
            self._counts.accept()
            self._counts.fold()
            if not self._awake:
                self._wake()
        return passed

    def interrupted(self, error: BaseException) -> None:
        """Count a record as dropped for what was raised before it was written."""
        Answer(self._counts).interrupted(error)

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; never raises, and waits for nothing but the disk."""
        try:
            notice_fork()
            try:
                line = self.encoded(record)
            except BaseException as error:  # what is no Exception is meant for the application
                self.interrupted(error)
                raise
            self._file.write(line)
            if self._closed:
                self._finish()
            elif not self._awake:
                self._wake()
            if record.levelno >= self._sync_from:
                self._sync_all()
        except Exception:
            try:  # noqa: SIM105 -- at the end of the stack there is no room for a call of suppress
                self.handleError(record)
            except Exception:  # noqa: S110 -- it lets a RecursionError out; there is nowhere left to say it
                pass

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The record as the bytes of its line or lines; what its formatter refuses is told without it."""
        try:
            text = self.format(record)
        except Exception as error:
            text = self.unformatted(record, error)
        if not isinstance(self.formatter, TextFormatter):  # which has masked the secrets already
            text = mask(text)
        return f"{text}\n".encode(self.encoding, self.errors)

    def unformatted(self, record: logging.LogRecord, error: Exception) -> str:
        """What stands for a record that its formatter refuses."""
        what = f"{_shown(record.msg)} {_shown(record.args)} [not formatted: {_shown(error)}]"
        return f"{record.levelname} {record.name} {record.pathname}:{record.lineno} {what}"

    def _wake(self) -> None:
        try:
            self._awake = True
            self._task.wake()
        except BaseException:  # the application was interrupted: the next must wake it
            self._awake = False
            raise

    def _upkeep(self) -> float | None:
        """In the background: write what is kept, sync, tell; returns the seconds until there is more to do."""
        self._awake = True
        self._file.write()
        now = monotonic()
        if self._file.is_dirty and now - self._synced >= SYNC_EVERY:
            self._sync_all()
        if not self._closed:  # logging.shutdown then holds the lock of the handler that this may be told to
            self._tell()
        waits = [self._publish_in_time(now), self._let_go()]
        self._awake = False  # before it looks: whoever writes from here on wakes it
        if self._file.keeps_lines:
            waits.append(RETRY_EVERY)
        elif self._file.is_dirty:
            waits.append(SYNC_EVERY - (now - self._synced))
        wait = min((wait for wait in waits if wait is not None), default=None)
        self._awake = wait is not None and wait <= max(RETRY_EVERY, SYNC_EVERY)
        return wait

    def _let_go(self) -> float | None:
        """Remove what is to go; returns the seconds until there may be more."""
        if self._retention is None:
            return None
        try:
            self._file.file.let_go()
            wait, self._retention_error = self._retention.act(), None
        except OSError as error:
            wait, self._retention_error = PUBLISH_EVERY, error
        return wait

    def _sync_all(self) -> None:
        self._file.sync()
        self._synced = monotonic()

    def _tell(self) -> None:
        """Say once that something cannot be done with the file, and once that it can again."""
        lost = self._counts.snapshot()["dropped"].get(NOT_WRITABLE, 0)
        written = f"; {lost - self._told_lost} records were lost meanwhile"
        trouble = self._file.trouble
        if not trouble and lost > self._told_lost:
            self._told.add("written")
        self._tell_change("written", trouble, "its records are kept in memory", written)
        if not trouble:
            self._told_lost = lost
        self._tell_change("rotated", self._file.file.rotation_error, "it grows on")
        self._tell_change("cleared of what is old", self._retention_error, "its files stay")
        self._tell_change("synced", self._file.sync_error, "a power cut may take its last lines")

    def _tell_change(self, what: str, error: OSError | None, meaning: str, addition: str = "") -> None:
        if error is not None and what not in self._told:
            self._told.add(what)
            self._counts.fail(f"cannot be {what}: {error}; {meaning}")
            _report.error("%s cannot be %s: %s; %s", self.baseFilename, what, error, meaning)
        elif error is None and what in self._told:
            self._told.remove(what)
            _report.warning("%s can be %s again%s", self.baseFilename, what, addition)

    def _publish_in_time(self, now: float) -> float | None:
        if not self._counts.has_news or self._closed:
            return None
        wait = self._published + PUBLISH_EVERY - now
        if wait > 0:
            return wait
        # Not waiting for other processes that use the state file: the sync of other files would wait as well.
        self._published = now if self._publish(timeout=0.0) else now - PUBLISH_EVERY + RETRY_EVERY
        return self._published + PUBLISH_EVERY - now

    def _publish(self, timeout: float = EXIT_TIMEOUT) -> bool:
        try:
            if self._counts.has_news:
                self._counts.publish(self._state, timeout)
        except StateError:  # the next time adds it
            return False
        return True

    def flush(self) -> None:
        """Write what is kept in memory, if it can be written."""
        if self._file.keeps_lines:
            self._file.write()

    def inherit(self, other: logging.Handler) -> None:
        """Take what a handler that this one replaces has kept in memory, to write it before what is kept here."""
        if isinstance(other, SharedRotatingFileHandler):
            self._file.inherit(other._file)
            self._wake()

    def close(self) -> None:
        """Write and sync what is left, and close the file; a later record opens it for itself."""
        self._closed = True
        self._task.stop(EXIT_TIMEOUT)
        try:
            self._finish()
            self._publish()
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


@functools.cache
def _make_ready() -> None:
    """Import, open and decode what an error's detail needs, by making one.

    An interpreter that ends can do so no more, and a destructor may log its first error then.
    """
    text = "as text with what may be secret: rtsp://user:password@host"
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
        DetailFormatter().format(logging.LogRecord("", logging.ERROR, __file__, 0, text, (), info))


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
