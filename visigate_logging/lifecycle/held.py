"""A file that a process keeps open and locked while it lives."""

import fcntl
import os
import resource
from pathlib import Path

from visigate_logging.host.directories import opened_directory
from visigate_logging.host.files import identity, is_still, open_safely

__all__ = ["HeldFile", "unlink"]

_HIGHEST = 1024
_ROOM = 24


class HeldFile:
    """A new file, locked for as long as this process has it open.

    Its descriptor has a high number: what is opened after somebody has closed all descriptors, a database, gets a low
    one, and nothing that is meant for this file is written there.

    Args:
        path: the file; it must not be there yet.
        flags: beside those to make it and to read and write.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path, flags: int = 0) -> None:
        self.path = path
        low = open_safely(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o640)
        try:
            fcntl.flock(low, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _high_number())
        finally:
            os.close(low)
        self._identity = identity(os.fstat(self.fd))

    @property
    def is_held(self) -> bool:
        """Whether the descriptor is still that of the file."""
        return is_still(self.fd, self._identity)

    def rewrite(self, content: bytes) -> None:
        """Give it another content.

        Raises:
            OSError: it cannot be written.
        """
        if self.is_held:
            os.ftruncate(self.fd, os.pwrite(self.fd, content, 0))

    def rename(self, name: str) -> None:
        """Give it another name in its directory.

        Raises:
            OSError: it cannot be renamed.
        """
        with opened_directory(self.path.parent) as folder:
            os.rename(self.path.name, name, src_dir_fd=folder, dst_dir_fd=folder)
        self.path = self.path.with_name(name)

    def close(self) -> None:
        """Let go of it."""
        if self.is_held:  # else the number may be another file's by now
            os.close(self.fd)


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
