"""The processes that tell of themselves in a state directory: those that live, and those that are gone.

Each has a file in the ``processes`` folder, which it keeps locked while it lives, so that the system itself says who
is gone (https://man7.org/linux/man-pages/man2/flock.2.html). Whoever ends in an orderly way removes it; what is left
and not locked is of one that ended without a word.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.host.directories import opened_directory
from visigate_logging.host.files import identity, is_still
from visigate_logging.host.lock import try_lock
from visigate_logging.host.machine import UNREADABLE
from visigate_logging.lifecycle.locked_file import unlink

MAX_TOLD = 8192
"""Bytes of a message, or of the facts, that are told."""
FOLDER = "processes"
DUMP, NEW = ".dump", ".new"
_NEW_FOR = 60.0


class Gone:
    """A process that ended without a goodbye; kept locked while it is looked into, so that it is told of once.

    Args:
        path: its file.
        fd: that opened and locked.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.facts = _facts(os.pread(fd, 2 * MAX_TOLD, 0))
        """What it last told of itself."""
        self.last_told = os.fstat(fd).st_mtime
        """When, by the wall clock of that moment; seconds since 1970."""
        self._fd = fd

    @property
    def dump_path(self) -> Path:
        """Where its stacks are, if it had time to leave them."""
        return self.path.with_suffix(DUMP)

    def forget(self) -> None:
        """Remove what it has left; nothing when it lives, and has made another file of that name."""
        with contextlib.suppress(FileNotFoundError):
            if is_still(self._fd, identity(os.stat(self.path, follow_symlinks=False))):
                for path in (self.path, self.dump_path):  # stacks alone are tidied up; without them it had vanished
                    unlink(path)
        self.let_go()

    def let_go(self) -> None:
        """Leave it to who looks next."""
        os.close(self._fd)


def gone(directory: Path) -> Iterator[Gone]:
    """Take up the processes that ended without a goodbye, and tidy up after those that said it.

    Args:
        directory: a state directory.

    Raises:
        OSError: it cannot be looked into.
    """
    path = directory / FOLDER
    with opened_directory(path) as folder:
        names = sorted(os.listdir(folder))
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix not in (".json", DUMP, NEW) or (suffix == DUMP and f"{stem}.json" in names):
                continue
            fd = _lock(name, folder)
            if fd is None:
                continue
            if suffix == NEW and time.time() - os.fstat(fd).st_mtime < _NEW_FOR:  # it is about to be locked
                os.close(fd)
                continue
            if suffix == ".json":
                yield Gone(path / name, fd)
            else:  # left over
                os.unlink(name, dir_fd=folder)
                os.close(fd)


def _lock(name: str, folder: int) -> int | None:
    """Open and lock a file; None when somebody has it, or has just removed it."""
    fd = None
    try:
        fd = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        if try_lock(fd) and os.fstat(fd).st_nlink:
            return fd
    except OSError:  # another user's, for one
        pass
    if fd is not None:
        os.close(fd)
    return None


def present(directory: Path, config: Path | None = None) -> list[Mapping[str, Any]]:
    """Return the living processes that tell of themselves in a state directory.

    Args:
        directory: a state directory.
        config: only those that run this configuration file; default all.
    """
    found = (_read(path) for path in sorted((directory / FOLDER).glob("*.json")))
    wanted = None if config is None else os.path.realpath(config)
    return [f for f in found if f is not None and wanted in (None, os.path.realpath(f.get("path", "")))]


def pid_namespace() -> int:
    """Return the number of the namespace that this process's own number is of; 0 where there are none."""
    with contextlib.suppress(OSError):
        return os.stat("/proc/self/ns/pid").st_ino
    return 0


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since the boot; 0 where there is none, or nobody says so.

    It tells a process from another that later has its number, and stays when it executes another program
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        state, *fields = stat.rpartition(")")[2].split()
        return 0 if state in "ZX" else int(fields[18])
    except UNREADABLE:
        return 0


def _read(path: Path) -> Mapping[str, Any] | None:
    """Return what a process tells; None when it is gone."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        if not try_lock(file.fileno(), shared=True):
            facts = _facts(file.readline())
            return facts if facts and "said_goodbye" not in facts else None
    return None


def _facts(line: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(orjson.JSONDecodeError):
        facts = orjson.loads(line.partition(b"\n")[0])
        if isinstance(facts, dict):
            return facts
    return {}
