"""The journal: errors that are to be told, appended by all processes of the host and read by the one that tells."""

import contextlib
import os
import threading
import time
from pathlib import Path

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import JournalFullError
from visigate_logging.host import ForkAware, HostLock, watch_forks
from visigate_logging.host.follower import Cursor, Follower
from visigate_logging.host.shared_file import SharedFile

_SEGMENT = 1024 * 1024
_MOST_SEGMENTS = 16
_LEFT = 2
"""Files behind the newest that are not removed: a writer may still be at them."""
_HELD = 0.1
"""Seconds for which a writer in a storm does not look whether the file still has its name."""
_LOOK_EVERY = 64 * 1024
_MOST_SEEN = 2000


class Journal(ForkAware):
    """One append-only file. For use by many threads, and by destructors that interrupt them.

    The whole record is written for the first error of a group and whenever the number of its errors has doubled;
    for a repeat a line of some ninety bytes is enough.

    Args:
        path: of the file.
        whole_after: seconds after which a group is taken for a new one, and written whole again.
    """

    def __init__(self, path: Path, whole_after: float) -> None:
        self.path = path
        self.follower = Follower(path)
        self._whole_after = whole_after
        self._file = SharedFile(path, max_bytes=_SEGMENT, backups=8 * _MOST_SEGMENTS)
        self._busy = False
        self._seen: dict[tuple[str, ...], tuple[int, float]] = {}
        self._last = f"{path}.{_MOST_SEGMENTS}"
        self._look_at, self._until_look = 0.0, 0
        self._lock = threading.RLock()
        watch_forks(self)

    def append(self, detail: ErrorDetail, count: int = 1) -> None:
        """Write one error, or ``count`` of the same group.

        Raises:
            OSError: nothing of it counts: the file cannot be written, or has its size.
        """
        with self._lock:
            try:
                now = time.monotonic()
                line = self._line(detail, count, now)
                self._until_look -= len(line)
                must_look = now >= self._look_at or self._until_look <= 0
                if self._busy:  # a destructor or a signal handler logs in the middle of its own thread's write
                    self._write_aside(line)
                elif must_look or not self._file.append_unlooked(line):
                    self._write(line)
            except BaseException:
                self._seen.clear()  # what follows must be written whole: this may not have been
                raise

    def _write(self, line: bytes) -> None:
        try:
            self._busy = True
            if os.path.exists(self._last):
                raise JournalFullError(f"{self.path} has its size: errors come faster than they can be told")
            self._file.append(line)
            self._file.close_left()
            self._look_at, self._until_look = time.monotonic() + _HELD, _LOOK_EVERY
        finally:
            self._busy = False

    def _write_aside(self, line: bytes) -> None:
        aside = self._file.aside()
        try:
            aside.append(line)
        finally:
            aside.close()

    def _line(self, detail: ErrorDetail, count: int, now: float) -> bytes:
        values = detail.__dict__
        causes = values["exceptions"]
        fingerprint, severity = values["fingerprint"], values["severity"]
        key = (fingerprint, severity, values["host"], causes[1].type if len(causes) > 1 else "")  # as `signs_of`
        n, since = self._seen.get(key, (0, now))
        if now - since > self._whole_after:
            n, since = 0, now
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[key] = n + 1, since
        short = f"{fingerprint} {values['timestamp']} {severity} {values['event_id']}"
        # Neither the first, nor twice as many as at the last whole one, nor what a short line cannot carry.
        if n & (n + 1) and short.count(" ") == 3 and short.isprintable() and short[0] not in "{ ":
            return f"{short} {count}\n".encode() if count > 1 else f"{short}\n".encode()
        rest = f"{short} {count - 1}\n".encode() if count > 1 else b""
        return detail.to_json() + b"\n" + rest

    def tidy(self, cursor: Cursor) -> None:
        """Remove what has been read; some rotations late, since a writer may still be at a file just rotated."""
        left = {Path(f"{self.path}.{n + 1}") for n in range(_LEFT)}
        with contextlib.suppress(FileNotFoundError):
            done = [path for path in self.follower.read_through(cursor) if path not in left]
            if not done:
                return
            lock = HostLock(self.path.with_name(f".{self.path.name}.lock"), 0o640)  # of the rotation
            with lock.tried() as is_ours:
                for path in self.follower.read_through(cursor) if is_ours else ():
                    if path in done:
                        path.unlink()

    def close(self) -> None:
        """Close the file; the next error opens it again."""
        with self._lock:
            self._file.close()

    def after_fork_in_child(self) -> None:
        """Begin afresh: the first error of each group is written whole."""
        self._lock = threading.RLock()
        self._busy = False
        self._seen.clear()
        self._look_at = 0.0
        self._file.forget()
