"""A lock that one process of the host holds at a time."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.host.files import close_own, identity, is_still, open_safely
from visigate_logging.host.forks import ForkAware, notice_fork, watch_forks

_POLL = 0.02


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file, unless somebody else has; it is let go when nobody has that any more who opened it.

    Args:
        fd: of the file (https://man7.org/linux/man-pages/man2/flock.2.html).
        shared: beside others that share it, rather than alone.

    Raises:
        OSError: it cannot be locked at all.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class HostLock(ForkAware):
    """An exclusive ``flock`` on a file, let go when its process dies, however it dies.

    A forked child would share the lock and keep it alive after the parent's death; it therefore closes its
    copy of the descriptor at once. Programs that are executed do not inherit it. Not reentrant, and for use
    by one thread at a time.

    Args:
        path: the file, which is made when absent and stays.
        mode: permissions of the file, whatever the umask: who can open it can hold the lock, and stop the others.
    """

    def __init__(self, path: str | os.PathLike[str], mode: int = 0o600) -> None:
        self.path = Path(path)
        self._mode = mode
        self._fd: int | None = None
        self._identity = (0, 0)
        watch_forks(self)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None and is_still(self._fd, self._identity)

    def acquire(self, timeout: float = 0.0) -> bool:
        """Try for up to ``timeout`` seconds; False when another holder has it.

        Raises:
            OSError: the file cannot be opened.
        """
        notice_fork()
        if self.held:
            return False
        self._fd = None  # should somebody have closed it
        fd = self._open()
        known, deadline = identity(os.fstat(fd)), time.monotonic() + timeout
        try:
            while not (locked := try_lock(fd)) and time.monotonic() < deadline:
                time.sleep(_POLL)
            if locked:
                self._fd, self._identity = fd, known  # no call from here: one that is interrupted would keep the lock
        finally:
            if self._fd is None:
                os.close(fd)
        return locked

    def _open(self) -> int:
        fd = open_safely(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, self._mode)
        if stat.S_IMODE(os.fstat(fd).st_mode) != self._mode:  # made by an earlier version
            with contextlib.suppress(PermissionError):  # another's
                os.fchmod(fd, self._mode)
        return fd

    def release(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._fd is not None:
            close_own(self._fd, self._identity)
            self._fd = None

    @contextlib.contextmanager
    def tried(self, timeout: float = 0.0) -> Iterator[bool]:
        """Hold it while the body runs, which is given whether it could be had within ``timeout`` seconds."""
        is_ours = self.acquire(timeout)
        try:
            yield is_ours
        finally:
            if is_ours:
                self.release()

    def after_fork_in_child(self) -> None:
        """Close the copy, which does not unlock the parent's."""
        self.release()
