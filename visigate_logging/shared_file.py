"""One file that many processes append lines to, and rotate, without a lock for each line.

What it rests on: on a local file system one ``write`` to a descriptor opened with ``O_APPEND`` is not mixed with
another's (https://man7.org/linux/man-pages/man2/write.2.html), and a file that is renamed stays the same file for
those who have it open. So a writer looks whether the path still names its file, writes, and looks whether its file
still has a name; only rotation takes a lock, and who does not get it at once writes on.
"""

import contextlib
import os
from pathlib import Path

from visigate_logging.state import HostLock

__all__ = ["SharedFile", "ShortWriteError"]

_MOST_TRIES = 10


class ShortWriteError(OSError):
    """Only the beginning of a line could be written: the disk is full."""


class SharedFile:
    """A file that lines are appended to. Not for use by several threads at once.

    Args:
        path: the file; its directory is made when absent.
        max_bytes: size at which it is rotated; 0 for never.
        backups: how many rotated files are kept, ``path.1`` the newest; 0 for no rotation.
        mode: permissions of files that are made.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int = 0, backups: int = 0, mode: int = 0o640
    ) -> None:
        self.path = os.path.abspath(path)
        self._max_bytes = max_bytes if backups else 0
        self._backups = backups
        self._mode = mode
        directory, name = os.path.split(self.path)
        self._lock = HostLock(Path(directory, f".{name}.lock"))
        self._fd: int | None = None
        self._identity = (0, 0)
        self._end = -1  # where our last line ended, to know without reading that the file ends with a whole line
        self._unsynced: list[int] = []  # descriptors of files that were written to and then left

    def append(self, line: bytes) -> None:
        """Write one line, which ends with a newline, with one ``write``.

        Raises:
            ShortWriteError: a part of it is on disk, as a line of its own once anyone writes again.
            OSError: nothing of it is on disk.
        """
        for _ in range(_MOST_TRIES):
            fd, size = self._current(len(line))
            data = line if size in (0, self._end) or os.pread(fd, 1, size - 1) == b"\n" else b"\n" + line
            written = os.write(fd, data)
            if written < len(data):
                self._end = -1
                raise ShortWriteError(f"{written} of {len(data)} bytes written to {self.path}: no space left")
            self._end = size + written
            if os.fstat(fd).st_nlink:
                return
            self._leave()  # it was removed before the write: what was written there nobody will find

    def _current(self, length: int) -> tuple[int, int]:
        """Descriptor and size of the file that the path names, after rotation when that is due."""
        for _ in range(_MOST_TRIES):
            fd = self._fd if self._fd is not None else self._open()
            try:
                status = os.stat(self.path)
            except FileNotFoundError:
                self._leave()
                continue
            if (status.st_dev, status.st_ino) != self._identity:
                self._leave()
            elif not self._is_due(status.st_size, length) or not self._rotate(length):
                return fd, status.st_size
        raise FileNotFoundError(f"{self.path} is removed or replaced each time it is opened")

    def _is_due(self, size: int, length: int) -> bool:
        return 0 < self._max_bytes < size + length and size > 0

    def open(self) -> None:
        """Open the file now rather than with the first line.

        Raises:
            OSError: it cannot be opened.
        """
        if self._fd is None:
            self._open()

    def _open(self) -> int:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self.path, flags | os.O_EXCL, self._mode)
            os.fchmod(fd, self._mode)  # past the umask
        except FileExistsError:
            fd = os.open(self.path, flags, self._mode)
        status = os.fstat(fd)
        self._fd, self._identity, self._end = fd, (status.st_dev, status.st_ino), -1
        return fd

    def _leave(self) -> None:
        """Let go of a file that the path names no longer; it is synced with the next."""
        if self._fd is not None:
            self._unsynced.append(self._fd)
            self._fd = None
        while len(self._unsynced) > 2:  # a writer that outruns the sync
            os.close(self._unsynced.pop(0))

    def _rotate(self, length: int) -> bool:
        """Rename the files; False when another process is at it."""
        if not self._lock.acquire():
            return False
        try:
            status = os.stat(self.path)
            if self._is_due(status.st_size, length):
                for number in range(self._backups - 1, 0, -1):
                    _rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
                _rename(self.path, f"{self.path}.1")
        except FileNotFoundError:
            pass
        finally:
            self._lock.release()
        self._leave()
        return True

    def unsynced(self) -> list[int]:
        """Descriptors to be synced and closed by the caller: of the file, and of those left since the last time."""
        taken, self._unsynced = self._unsynced, []
        if self._fd is not None:
            taken.append(os.dup(self._fd))
        return taken

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        self._leave()
        while self._unsynced:
            os.close(self._unsynced.pop())


def _rename(old: str, new: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.replace(old, new)
