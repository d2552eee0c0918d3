"""A file that a process keeps open and locked while it lives."""

import contextlib
import errno
import fcntl
import os
import resource
from pathlib import Path

from visigate_logging.host.directories import opened_directory
from visigate_logging.host.files import identity, is_still, open_safely
from visigate_logging.host.lock import try_lock

_HIGHEST = 1024
_ROOM = 24


class LockedFile:
    """A new file, locked for as long as this process has it open.

    Its descriptor has a high number: what is opened after somebody has closed all descriptors, a database, gets a low
    one, and nothing that is meant for this file is written there. That may happen at any moment, also while this is
    made: so the file that has the name says whether the descriptor is of it.

    Args:
        path: the file; what has the name is removed.
        flags: beside those to make it and to read and write.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path, flags: int = 0) -> None:
        self.path = path
        self._longest = 0
        unlink(path)
        low = open_safely(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o640)
        try:
            self._identity = identity(os.stat(path, follow_symlinks=False))
            self.fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _high_number())
            if is_still(low, self._identity):
                os.close(low)
            self._must_be_held()
            if not try_lock(self.fd):
                raise BlockingIOError(errno.EWOULDBLOCK, "somebody else has locked it", str(path))
        except BaseException:
            with contextlib.suppress(OSError):
                unlink(path)
            raise

    def _must_be_held(self) -> None:
        if not self.is_held:
            raise OSError(errno.EBADF, "somebody has closed the descriptor", str(self.path))

    @property
    def is_held(self) -> bool:
        """Whether the descriptor is still that of the file, and the file still has its name.

        Without the name its number may be another file's: a file system gives numbers of removed files to new ones.
        """
        with contextlib.suppress(OSError):
            named = os.stat(self.path, follow_symlinks=False)
            return identity(named) == self._identity and is_still(self.fd, self._identity)
        return False

    @property
    def size(self) -> int:
        """Bytes that are in it; 0 when it is not held."""
        return os.stat(self.path).st_size if self.is_held else 0

    def rewrite(self, content: bytes) -> None:
        """Give it another content; spaces stand behind one that is shorter than another was.

        Raises:
            OSError: it cannot be written.
        """
        self._longest = max(self._longest, len(content))
        content = content.ljust(self._longest)  # not cut: between the two calls it could become somebody else's
        self._must_be_held()
        os.pwrite(self.fd, content, 0)

    def take(self, most: int) -> bytes:
        """Return what is in it, and empty it; nothing when it is not held.

        Args:
            most: bytes that are returned at most.
        """
        with contextlib.suppress(OSError):
            self._must_be_held()
            content = os.pread(self.fd, most, 0)
            self._must_be_held()
            os.ftruncate(self.fd, 0)
            return content
        return b""

    def rename(self, name: str) -> None:
        """Give it another name in its directory.

        Raises:
            OSError: it cannot be renamed.
        """
        with opened_directory(self.path.parent) as folder:
            os.rename(self.path.name, name, src_dir_fd=folder, dst_dir_fd=folder)
        self.path = self.path.with_name(name)

    def close(self, *, remove: bool = False) -> None:
        """Let go of it.

        Args:
            remove: remove it first.

        Raises:
            OSError: it cannot be removed.
        """
        is_ours = self.is_held or self._is_removed()  # else the descriptor may be another file's by now
        if remove:
            unlink(self.path)
        if is_ours:
            os.close(self.fd)

    def _is_removed(self) -> bool:
        with contextlib.suppress(OSError):
            return is_still(self.fd, self._identity) and not os.fstat(self.fd).st_nlink
        return False


def unlink(path: Path) -> None:
    """Remove a file, if it is there; for root through no link but root's own.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        with opened_directory(path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)
    except FileNotFoundError:
        return


def _high_number() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _HIGHEST if soft == resource.RLIM_INFINITY else min(soft, _HIGHEST)
    return max(most - _ROOM, 3)
