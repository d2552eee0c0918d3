"""What the other processes of the host can see of this one, and that it has gone without a goodbye.

In the ``processes`` folder of the state directory each process has a file, which it keeps locked while it lives, so
that the system itself says who is gone (https://man7.org/linux/man-pages/man2/flock.2.html). Whoever ends in an
orderly way removes it; what is left and not locked is of one that ended without a word.
"""

import contextlib
import fcntl
import os
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.detail.masking import sanitiser
from visigate_logging.host.clock import clock, monotonic, utc_text
from visigate_logging.host.directories import make_directory, opened_directory
from visigate_logging.lifecycle.held import HeldFile, unlink

__all__ = ["DUMP", "MAX_TOLD", "Gone", "Presence", "gone", "present", "start_ticks"]

MAX_TOLD = 8192
"""Bytes of a message, or of the facts, that are told."""
FOLDER = "processes"
DUMP = ".dump"
_PATIENCE = 1.0


class Presence:
    """What others see of the process.

    Args:
        directory: a state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._facts: dict[str, Any] = {}
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._telling = threading.RLock()  # a signal handler may end the process in the middle
        self._is_over = False
        self._file: HeldFile | None = None
        self._last: HeldFile | None = None
        now = clock()
        self._born = {"boot_id": now.boot_id, "started": now.seconds, "ticks": start_ticks(os.getpid())}

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it tells of itself."""
        return {"name": _process_name(), **self._facts}

    @property
    def path(self) -> Path | None:
        """The file that others see; None when they see nothing."""
        return self._file.path if self._file is not None else None

    @property
    def is_seen(self) -> bool:
        """Whether others see the process; not any more when somebody has closed all its descriptors."""
        return self._file is not None and self._file.is_held

    def tell(self, **facts: Any) -> None:
        """Change what others see; that the card cannot be written is no reason to stop."""
        with self._telling:
            self._facts |= facts
            with contextlib.suppress(OSError):
                if not self._is_over:
                    self._write(self._told())

    def leave(self, *, keep: bool = False) -> None:
        """Say goodbye: be seen no more.

        Args:
            keep: leave the file, with the goodbye in it: something may still happen in the process's last moments.
        """
        locked = self._telling.acquire(timeout=_PATIENCE)
        self._is_over = True
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if keep and file is not None:
                file.rewrite(self._told(said_goodbye=True))
                self._last = file  # not to be closed: others would take it for gone
            elif file is not None:
                unlink(file.path)
                file.close()
        if locked:
            self._telling.release()

    def go_on(self) -> None:
        """Take back the goodbye."""
        self._is_over = False
        self.tell()

    def after_fork_in_child(self) -> None:
        """Be seen as a process of its own; what the child has inherited is the parent's."""
        inherited = self._file
        for file in filter(None, (inherited, self._last)):
            file.close()
        self._begin_afresh()
        if inherited is not None:
            self.tell()

    def _told(self, **more: Any) -> bytes:
        seen = {"time": utc_text(timespec="milliseconds"), "monotonic": monotonic()}
        told = sanitiser(MAX_TOLD).value(self.facts)
        return orjson.dumps({"pid": os.getpid(), **told, **self._born, **seen, **more}) + b"\n"

    def _write(self, text: bytes) -> None:
        if self._file is not None and self._file.is_held:
            self._file.rewrite(text)
            return
        if self._file is not None:  # somebody has closed all descriptors: the file looks like one of a dead process
            unlink(self._file.path)
        folder = self.directory / FOLDER
        make_directory(folder)
        # Locked before it has its name: a file that is not locked is taken for that of a process that is gone.
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        file = HeldFile(folder / f"{name}.new")
        file.rewrite(text)
        file.rename(f"{name}.json")
        self._file = file


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
        """Remove what it has left."""
        for path in (self.dump_path, self.path):
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
            if suffix not in (".json", DUMP) or (suffix == DUMP and f"{stem}.json" in names):
                continue
            fd = _lock(name, folder)
            if fd is None:
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
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
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


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since the boot; 0 where there is none, or nobody says so.

    It tells a process from another that later has its number, and stays when it executes another program
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        state, *fields = stat.rpartition(")")[2].split()
        return 0 if state in "ZX" else int(fields[18])
    except (OSError, ValueError, IndexError):
        return 0


def _process_name() -> str:
    multiprocessing = sys.modules.get("multiprocessing.process")
    with contextlib.suppress(AttributeError, NameError):  # another thread imports it just now
        if multiprocessing is not None and (name := multiprocessing.current_process().name) != "MainProcess":
            return str(name)
    return Path(sys.argv[0] or "python").name


def _read(path: Path) -> Mapping[str, Any] | None:
    """What a process tells; None when it is gone."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            facts = _facts(file.readline())
            return facts if facts and "said_goodbye" not in facts else None
    return None


def _facts(line: bytes) -> Mapping[str, Any]:
    with contextlib.suppress(orjson.JSONDecodeError):
        facts = orjson.loads(line.partition(b"\n")[0])
        if isinstance(facts, dict):
            return facts
    return {}
