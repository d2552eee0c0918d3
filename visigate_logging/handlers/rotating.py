"""A rotating file that the processes of a host share."""

import contextlib
import errno
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from visigate_logging.exceptions import ConfigurationError, StateError
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
        super().__init__()
        self.baseFilename = os.path.abspath(filename)
        self.encoding = encoding or "utf-8"
        self.errors = errors or "backslashreplace"
        self._sync = sync
        self._file = SharedFile(
            self.baseFilename, max_bytes=maxBytes, backups=backupCount, mode=_permissions(file_mode)
        )
        self._buffer_bytes = buffer_bytes
        self._kept: deque[bytes] = deque()  # what could not be written yet
        self._kept_bytes = 0
        self._counts = CountSheet(self.baseFilename)
        self._state = State(state_dir or os.path.join(os.path.dirname(self.baseFilename), "state"))
        self._worker: Worker[None] = Worker("visigate-file", self._upkeep, close=self.close)
        self._dirty = False
        self._synced = -SYNC_EVERY
        self._published = time.monotonic()
        self._last_published = self._counts.snapshot()
        self._trouble: OSError | None = None
        self._told_trouble = False
        self._told_lost = 0
        watch_forks(self)
        if not delay:
            self._try(self._file.open)

    def counts(self) -> Sheet:
        """What became of the records of this process: accepted is the sum of the others."""
        return self._counts.snapshot()

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; never raises, and waits for nothing but the disk."""
        self._counts.accept()
        try:
            line = self.encoded(record)
        except Exception:
            self._counts.drop("not encodable")
            self.handleError(record)
            return
        try:
            self._write(line)
            if self._sync == "always" or (self._sync == "critical" and record.levelno >= logging.CRITICAL):
                self._sync_all()
        except Exception:  # not of the file, which _write keeps the line for
            self.handleError(record)

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The record as the bytes of its line or lines; one that its formatter refuses is told without it."""
        try:
            text = self.format(record)
        except Exception as error:
            text = f"{record.levelname} {record.name} {record.msg!r} {record.args!r} [not formatted: {error!r}]"
        return f"{text}\n".encode(self.encoding, self.errors)

    def _write(self, line: bytes) -> None:
        if not self._kept and self._try(self._file.append, line):
            self._counts.deliver()
        else:
            self._keep(line)
            self._write_kept()
        if not self._dirty:
            self._dirty = True
            self._worker.wake()

    def _try(self, action: Callable[..., None], *args: Any) -> bool:
        """Whether the file could be used."""
        try:
            action(*args)
        except OSError as error:
            self._trouble = error
            return False
        self._trouble = None
        return True

    def _keep(self, line: bytes) -> None:
        if self._kept_bytes + len(line) > self._buffer_bytes:
            self._counts.drop("file not writable")
        else:
            self._kept.append(line)
            self._kept_bytes += len(line)

    def _write_kept(self) -> None:
        """Write what is kept, oldest first, as far as it goes."""
        while self._kept and self._try(self._file.append, self._kept[0]):
            self._kept_bytes -= len(self._kept.popleft())
            self._counts.deliver()

    def _upkeep(self, _items: list[None]) -> float | None:
        """In the background: write what is kept, sync, tell, count; returns the seconds until there is more to do."""
        now = time.monotonic()
        with self._locked():
            self._write_kept()
        self._tell()
        if self._dirty and now - self._synced >= SYNC_EVERY:
            self._synced = now
            self._sync_all()
        if now - self._published >= PUBLISH_EVERY and self._publish():
            self._published = now
        if self._kept or self._trouble:
            return RETRY_EVERY
        if self._dirty:
            return SYNC_EVERY - (now - self._synced)
        return None if self._counts.snapshot() == self._last_published else PUBLISH_EVERY

    def _sync_all(self) -> None:
        """Force to the medium what was written since the last time."""
        with self._locked():
            self._dirty = False
            descriptors = self._file.unsynced()
        for fd in descriptors:
            try:
                if self._sync != "never":
                    _datasync(fd)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a device or a pipe, which has nothing to sync
                    self._trouble = error
            finally:
                os.close(fd)

    def _tell(self) -> None:
        """Say once that the file cannot be written, and once that it can again."""
        trouble, lost = self._trouble, self._counts.snapshot()["dropped"].get("file not writable", 0)
        if trouble is not None and not self._told_trouble:
            self._told_trouble = True
            _report.error("%s cannot be written: %s; records are kept in memory", self.baseFilename, trouble)
        elif trouble is None and (self._told_trouble or lost > self._told_lost):
            level = logging.ERROR if lost > self._told_lost else logging.WARNING
            news, self._told_trouble, self._told_lost = lost - self._told_lost, False, lost
            _report.log(level, "%s can be written again; %d records were lost meanwhile", self.baseFilename, news)

    def _publish(self) -> bool:
        sheet = self._counts.snapshot()
        if sheet != self._last_published:
            try:
                self._counts.publish(self._state)
            except StateError:  # the next time adds it
                return False
            self._last_published = sheet
        return True

    def flush(self) -> None:
        """Write what is kept in memory, if it can be written."""
        with self._locked():
            self._write_kept()

    def close(self) -> None:
        """Write and sync what is left, and close the file; a later record opens it again."""
        self._worker.stop(2.0)
        with self._locked():
            self._write_kept()
            if self._kept:
                self._counts.drop("file not writable", len(self._kept))
                print(f"{self.baseFilename}: {len(self._kept)} records lost: {self._trouble}", file=sys.stderr)  # noqa: T201 -- the last chance to say it
                self._kept.clear()
                self._kept_bytes = 0
            if self._dirty:
                self._sync_all()
            self._file.close()
        self._publish()
        super().close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def after_fork_in_child(self) -> None:
        """What is kept in memory is the parent's to write."""
        self._kept.clear()
        self._kept_bytes = 0
        self._dirty = False
        self._last_published = self._counts.snapshot()


def _permissions(value: int | str) -> int:
    """Permissions given as a number, or as text of octal digits, which YAML's readers do not agree on."""
    try:
        mode = int(value, 8) if isinstance(value, str) else int(value)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ConfigurationError("file_mode", f'permissions are wanted, as in "0640", met {value!r}')
    return mode


_datasync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
