"""The rotation of a file that many processes append to: one of them renames, the others write on meanwhile."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from visigate_logging.host.directories import opened_directory
from visigate_logging.host.lock import HostLock


class Rotation:
    """Renames ``path`` to ``path.1``, that to ``path.2`` and so on, under a lock that nobody waits for.

    Args:
        path: the file, an absolute path.
        max_bytes: size at which it is rotated; 0 for never.
        backups: how many rotated files are kept, ``path.1`` the newest; 0 for no rotation.
        mode: permissions of the file: who may write it may stop its rotation, and nobody else.
        leave: what is done with a file that is to be removed, before it is; None for nothing.
    """

    def __init__(
        self, path: str, max_bytes: int, backups: int, mode: int, leave: Callable[[Path], None] | None
    ) -> None:
        self.error: OSError | None = None
        """Why the last one that was due could not be done; lines are appended all the same."""
        self._path = path
        self.max_bytes = max_bytes if backups else 0
        """What a line may not go beyond, unless it is the first; 0 for no rotation."""
        self._backups = backups
        self._leave = leave
        self._leaving = Path(f"{path}.{backups + 1}")
        directory, name = os.path.split(path)
        self._lock = HostLock(Path(directory, f".{name}.lock"), mode & 0o600 | mode & 0o022 | (mode & 0o022) << 1)

    def rotate(self, length: int) -> bool:
        """Rename the files; return False when another process is at it, or when it cannot be done.

        Args:
            length: bytes of the line that is to be appended.
        """
        try:
            if not self._lock.acquire():
                return False
            try:
                with contextlib.suppress(FileNotFoundError):  # somebody else removes or renames as well
                    self._rename_all(length)
            finally:
                self._lock.release()
        except OSError as error:
            self.error = error
            return False
        self.error = None
        return True

    def let_go(self) -> None:
        """Do what is to be done with a file that waits to be removed, and remove it; unless somebody else is at it.

        Raises:
            OSError: it cannot be done.
        """
        if self._backups and self._leaving.exists() and self._lock.acquire():
            try:
                self._remove_leaving()
            finally:
                self._lock.release()

    def _rename_all(self, length: int) -> None:
        size = os.stat(self._path).st_size
        if size == 0 or size + length <= self.max_bytes:  # another process has done it
            return
        self._remove_leaving()
        backups = self._backups + (self._leave is not None)
        folder, name = os.path.split(self._path)
        names = [name, *(f"{name}.{number}" for number in range(1, backups + 1))]
        with opened_directory(folder) as directory:
            # Only up to a gap, which a rotation that was killed has left: a kept file is not pushed out for it.
            there = set(os.listdir(directory))
            last = next((n for n, name in enumerate(names) if name not in there), backups)
            for number in range(last, 0, -1):
                os.rename(names[number - 1], names[number], src_dir_fd=directory, dst_dir_fd=directory)

    def _remove_leaving(self) -> None:
        if self._leaving.exists():
            try:
                if self._leave:
                    self._leave(self._leaving)
            except OSError as error:
                if error.errno != errno.ENOSPC:  # a full card needs the room more
                    raise
            self._leaving.unlink(missing_ok=True)
