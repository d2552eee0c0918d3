"""One file that many processes append lines to, and rotate, without a lock for each line.

What it rests on: on a local file system one ``write`` to a descriptor opened with ``O_APPEND`` is not mixed with
another's (https://man7.org/linux/man-pages/man2/write.2.html), and a file that is renamed stays the same file for
those who have it open. So a writer looks whether the path still names its file, writes, and looks whether its file
still has a name; only rotation takes a lock, and who does not get it at once writes on.
"""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from visigate_logging.exceptions import ShortWriteError
from visigate_logging.host.directories import make_directory, opened_directory
from visigate_logging.host.files import close_own, identity, is_still, open_safely
from visigate_logging.host.rotation import Rotation
from visigate_logging.host.sync import force

_MOST_TRIES = 20
_LOOKED_AT = 65_536
"""Bytes in which others may have written meanwhile, when a line is looked for."""
_MOST_LEFT = 8
"""Files left behind that wait to be synced; a writer that outruns the sync lets go of the oldest."""


class SharedFile:
    """A file that lines are appended to. Not for use by several threads at once.

    Args:
        path: the file; its directory is made when absent.
        max_bytes: size at which it is rotated; 0 for never.
        backups: how many rotated files are kept, ``path.1`` the newest; 0 for no rotation.
        mode: permissions of files that are made.
        leave: what is done with a file that is to be removed, before it is; None for nothing. The file waits as the
            one behind the last for `Rotation.let_go`, which the next rotation calls at the latest.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 0,
        backups: int = 0,
        mode: int = 0o640,
        leave: Callable[[Path], None] | None = None,
    ) -> None:
        self.path = os.path.abspath(path)
        self.rotation = Rotation(self.path, max_bytes, backups, mode, leave)
        self._mode = mode
        self._fd: int | None = None
        self._identity = (0, 0)
        self._like: os.stat_result | None = None  # whose owner the next file gets, when root makes it
        self._is_new = False  # whether its name may not be on the medium yet
        self._end = -1  # where our last line ended, to know without reading that the file ends with a whole line
        self._cut: tuple[int, int] | None = None  # where the last write was a short one: a pipe cannot be looked at
        # Files that were written to and then left, to be synced: descriptors, and what they are of.
        self._left: list[tuple[int, tuple[int, int]]] = []

    def append(self, line: bytes) -> None:
        """Write one line, which ends with a newline, with one ``write``.

        Raises:
            ShortWriteError: a part of it is on disk, as a line of its own once anyone writes again.
            OSError: nothing of it is on disk.
        """
        try:
            for _ in range(_MOST_TRIES):
                if self._append(line):
                    return
        except OSError as error:
            if error.errno == errno.EBADF:  # someone closed it, and the number may be another file's by now
                self._fd = None
            self._leave()  # after a remount the same path can be reached only by opening it again
            raise
        raise FileNotFoundError(errno.ENOENT, "removed or replaced each time it was opened", self.path)

    def append_unlooked(self, line: bytes) -> bool:
        """Write one line to the file that is open, whatever the path names by now; return whether it is there whole.

        In a storm nearly all of an append goes into looking for the file by its name. The newline comes first: what
        stands before may be half a line of a writer that was killed.
        """
        if self._fd is None:
            return False
        try:
            status = os.fstat(self._fd)  # somebody may have closed the number and have got it again
            is_ours = identity(status) == self._identity and status.st_nlink > 0
            return is_ours and os.write(self._fd, b"\n" + line) > len(line)
        except OSError:
            return False

    def _append(self, line: bytes) -> bool:
        """Try once; return False when the file was not, or is no longer, the one that the path names."""
        fd = self._fd if self._fd is not None else self._open()
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return self._leave()
        if identity(status) != self._identity:
            return self._leave()
        size = status.st_size
        if 0 < self.rotation.max_bytes < size + len(line) and size and self.rotation.rotate(len(line)):
            return self._leave()
        if not is_still(fd, self._identity):
            self._fd = None
            return False
        if size != self._end and self._ends_torn(fd, size):
            line = b"\n" + line
        self._end = -1
        written = os.write(fd, line)
        if written < len(line):
            self._cut = self._identity
            raise ShortWriteError(errno.ENOSPC, f"only {written} of {len(line)} bytes could be written", self.path)
        self._cut = None
        return self._is_in(fd, line, size)

    def _is_in(self, fd: int, line: bytes, start: int) -> bool:
        """Return whether a line that was just written to ``fd``, where the file ended, stands by itself in it."""
        try:
            status = os.fstat(fd)
        except OSError:
            return self._has_come(line, start)
        if identity(status) != self._identity:
            return self._has_come(line, start)
        if not status.st_nlink:  # it was removed before the write: what was written there nobody will find
            return self._leave()
        if status.st_size == start + len(line):  # nobody else wrote in between
            self._end = status.st_size
            return True
        return not _is_glued(fd, line)

    def _has_come(self, line: bytes, start: int) -> bool:
        """Return whether a line is in the file, though somebody has closed its descriptor around the write."""
        self._fd = None
        fd = self._open()
        return line in os.pread(fd, len(line) + _LOOKED_AT, start)

    def _ends_torn(self, fd: int, size: int) -> bool:
        return self._cut == self._identity if size == 0 else _is_torn(fd, size)

    def open(self) -> None:
        """Open the file now rather than with the first line.

        Raises:
            OSError: it cannot be opened.
        """
        if self._fd is None:
            self._open()

    def _open(self) -> int:
        make_directory(os.path.dirname(self.path))
        # O_NONBLOCK means nothing to a regular file; a pipe that nobody empties must not stop its writer.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        fd = open_safely(self.path, flags, self._mode, like=self._like)
        self._like = status = os.fstat(fd)
        self._fd, self._identity, self._end = fd, identity(status), -1
        self._is_new = self._is_new or status.st_size == 0
        return fd

    def _leave(self) -> Literal[False]:
        """Let go of a file that the path names no longer; it is synced with the next."""
        if self._fd is not None:
            self._left.append((self._fd, self._identity))
            self._fd = None
        while len(self._left) > _MOST_LEFT:
            close_own(*self._left.pop(0))
        return False

    def aside(self) -> "SharedFile":
        """Return the same file for one line in the middle of another's ``append``; it does not rotate."""
        return SharedFile(self.path, mode=self._mode)

    def unsynced(self) -> list[int]:
        """Return descriptors, for the caller to sync and close: of the file, and of those left since the last time.

        Of the directory as well, when it has got a new file: a power cut could leave that without a name.

        Raises:
            OSError: the process has no descriptor free; nothing has changed.
        """
        fd, ours = self._fd, self._identity
        current = [os.dup(fd)] if fd is not None and is_still(fd, ours) else []
        if self._is_new:
            self._is_new = False
            with contextlib.suppress(OSError), opened_directory(os.path.dirname(self.path)) as directory:
                current.append(os.dup(directory))
        taken, self._left = self._left, []
        return [left for left, known in taken if is_still(left, known)] + current

    def sync(self) -> None:
        """Force to the medium what was appended.

        Raises:
            OSError: it cannot be forced.
        """
        for fd in self.unsynced():
            try:
                force(fd)
            finally:
                os.close(fd)

    def forget(self) -> None:
        """Close the parent's descriptors, in a forked child, so that it opens its own."""
        self._end = -1
        self.close()

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        self._leave()
        self.close_left()

    def close_left(self) -> None:
        """Close the files that were left behind, which then are not synced."""
        while self._left:
            close_own(*self._left.pop())


def _is_glued(fd: int, line: bytes) -> bool:
    """Return whether the line just written stands behind half a line of a writer that was killed meanwhile."""
    try:
        start = os.lseek(fd, 0, os.SEEK_CUR) - len(line)
        return start > 0 and not line.startswith(b"\n") and os.pread(fd, 1, start - 1) != b"\n"
    except OSError:  # a pipe
        return False


def _is_torn(fd: int, size: int) -> bool:
    """Return whether a file ends within a line, and not in one that is just being written."""
    for _ in range(_MOST_TRIES):
        if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
            return False
        # The size grows while a write is under way. An empty write changes nothing, but waits until that is done.
        os.write(fd, b"")
        before, size = size, os.fstat(fd).st_size
        if size == before:
            return True
    return True
