"""Errors that wait to be stored: one entry for each group, in memory that outlives a kill of the process."""

import contextlib
import fcntl
import hashlib
import mmap
import os
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.state import ForkAware, watch_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OTHER", "SHARED_MEMORY", "Batch", "Entry", "Tally"]

OTHER = "other"
"""Fingerprint of the entry that takes what there is no room for."""

_SIZE = 512 * 1024
_ROOM_FOR_WHOLE = _SIZE * 3 // 4  # the rest is for the heads of those that come later
_LONGEST = 64 * 1024
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- files there are opened O_EXCL under random names, with mode 0600
"""Where files are that need no disk."""

_HEAD = struct.Struct("<QI32s")  # how many, length of the detail, time of the last
_COUNT = struct.Struct("<Q")
_TIME = struct.Struct("32s")
_HEAD_FIELDS = (
    *("timestamp", "error_type", "module", "function", "event_id", "level", "logger", "severity", "category"),
    *("fingerprint", "culprit", "process", "pid", "host", "service"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Errors of one group that came since the last batch.

    Args:
        count: how many.
        first: the detail of the first; only its head when there was no room for all of it.
        last_time: timestamp of the last.
    """

    count: int
    first: ErrorDetail
    last_time: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was taken at one time: to be stored once, by its token, and then forgotten."""

    token: str
    entries: tuple[Entry, ...]
    path: Path | None
    fd: int | None

    def remove(self) -> None:
        """Remove the file, and let go of its lock only then."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Let go of the file's lock."""
        if self.fd is not None:
            os.close(self.fd)


class Tally(ForkAware):
    """Counts errors by group without any wait, and keeps them over a SIGKILL.

    Adding an error writes into memory that is shared with a file in ``/dev/shm``, or in ``fallback`` where there
    is none: no system call, no disk. When the process is killed the file is left, unlocked, and any other
    process of the host takes it over with `orphans`. When no such file can be made, plain memory serves, and a
    kill loses what had not been stored.

    Args:
        owner: what names the counts' owner: state directory and handler.
        fallback: directory for the file where the system has no shared memory.
    """

    def __init__(self, owner: str, fallback: Path) -> None:
        self._prefix = f"visigate-{hashlib.sha256(owner.encode()).hexdigest()[:16]}-"
        self._directory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else fallback
        self._lock = threading.RLock()
        self._page: _Page | None = None
        self._taken: Batch | None = None
        watch_forks(self)

    def add(self, detail: ErrorDetail) -> bool:
        """Count one error; True when it is the first since the last `take`."""
        with self._lock:
            page, first = self._page, False
            if page is None:
                page, first = self._begin(), True
            page.add(detail)
            return first

    @property
    def has_news(self) -> bool:
        """Whether anything has been counted since the last `take`."""
        return self._page is not None

    def take(self) -> Batch | None:
        """All that has been counted, to be stored; the same again until it is forgotten."""
        with self._lock:
            if self._taken is None and self._page is not None:
                page, self._page = self._page, None
                self._taken = page.batch()
            return self._taken

    def forget(self, batch: Batch) -> None:
        """Remove what held a batch, now that it is stored."""
        with self._lock:
            if batch is self._taken:
                self._taken = None
        batch.remove()

    def orphans(self) -> Iterator[Batch]:
        """Batches that killed processes have left; each is to be stored unless its token was, and forgotten."""
        for path in sorted(self._directory.glob(f"{self._prefix}*.tally")):
            with contextlib.suppress(OSError):
                fd = _locked(path)
                if fd is not None:
                    with contextlib.ExitStack() as opened:
                        opened.callback(os.close, fd)
                        content = os.pread(fd, _SIZE, 0)
                        opened.pop_all()
                    yield Batch(path.stem, tuple(_read(content)), path, fd)

    def before_fork(self) -> None:
        """Be between two calls, which take no longer than a copy in memory."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's memory: what is in there is the parent's to store."""
        self._lock = threading.RLock()
        if self._page is not None:
            self._page.let_go()
        if self._taken is not None:
            self._taken.let_go()
        self._page = self._taken = None

    def _begin(self) -> "_Page":
        page = _Page(self._directory, self._prefix)
        if self._page is None:
            self._page = page
        else:  # a destructor that logged while the page was made has made one
            page.batch().remove()
        return self._page


class _Page:
    """One batch in the making."""

    def __init__(self, directory: Path, prefix: str) -> None:
        self.token = prefix + os.urandom(8).hex()
        self.path: Path | None = directory / f"{self.token}.tally"
        self.fd: int | None = None
        self._memory: mmap.mmap | bytearray
        try:
            self.fd, self._memory = _shared(self.path)
        except OSError:
            self.path, self._memory = None, bytearray(_SIZE)
        self._end = 0
        self._known: dict[str, list[int]] = {}
        self._other = self._reserve(_beginning_of_other())

    def add(self, detail: ErrorDetail) -> None:
        slot = self._known.get(detail.fingerprint)
        if slot is None:
            slot = self._new(detail)
        slot[1] += 1
        # The time first: an entry counts from the moment that its count is written.
        _TIME.pack_into(self._memory, slot[0] + 12, detail.timestamp.encode("ascii", "replace"))
        _COUNT.pack_into(self._memory, slot[0], slot[1])

    def let_go(self) -> None:
        """Close this process's copies; a lock that is the parent's stays."""
        with contextlib.suppress(BufferError):
            if not isinstance(self._memory, bytearray):
                self._memory.close()  # it has a descriptor of its own, which would keep the lock
        if self.fd is not None:
            os.close(self.fd)

    def batch(self) -> Batch:
        return Batch(self.token, tuple(_read(bytes(self._memory))), self.path, self.fd)

    def _new(self, detail: ErrorDetail) -> list[int]:
        for text, end in ((detail.to_json(), _ROOM_FOR_WHOLE), (_head(detail), _SIZE)):
            if len(text) <= _LONGEST and self._end + _HEAD.size + len(text) <= end:
                slot = self._reserve(text)
                self._known[detail.fingerprint] = slot
                return slot
        return self._other

    def _reserve(self, text: bytes) -> list[int]:
        # No call between these two: a destructor that logs may run inside one, and add an entry of its own.
        start = self._end
        self._end = start + _HEAD.size + len(text)
        self._memory[start + _HEAD.size : self._end] = text
        _HEAD.pack_into(self._memory, start, 0, len(text), b"")
        return [start, 0]


def _shared(path: Path) -> "tuple[int, mmap.mmap]":
    making = path.with_suffix(".making")
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _allocate(fd)
        memory = mmap.mmap(fd, _SIZE)
        making.rename(path)  # only now, so that nobody takes a file over before it is locked
    except BaseException:
        making.unlink(missing_ok=True)
        os.close(fd)
        raise
    return fd, memory


def _allocate(fd: int) -> None:
    """Take the memory now: where there is none this raises, but writing to it later would be a SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, _SIZE)
    else:
        os.pwrite(fd, bytes(_SIZE), 0)


def _locked(path: Path) -> int | None:
    """A descriptor of an orphan, locked; None when its process lives or it is not ours."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink:
            return fd
    except OSError:
        pass
    os.close(fd)
    return None


def _read(memory: bytes) -> Iterator[Entry]:
    at = 0
    while at + _HEAD.size <= len(memory):
        count, length, last_time = _HEAD.unpack_from(memory, at)
        text = memory[at + _HEAD.size : at + _HEAD.size + length]
        at += _HEAD.size + length
        if not length:
            return
        if count:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                data: Mapping[str, object] = orjson.loads(text)
                yield Entry(count, ErrorDetail.from_dict(data), last_time.rstrip(b"\0").decode("ascii", "replace"))


def _head(detail: ErrorDetail) -> bytes:
    """What names an error, when all of its detail is too much."""
    head = {name: getattr(detail, name) for name in _HEAD_FIELDS}
    head = {name: value[:200] if isinstance(value, str) else value for name, value in head.items()}
    return orjson.dumps(head | {"error_message": detail.error_message[:400], "traceback": ""})


def _beginning_of_other() -> bytes:
    return orjson.dumps({"fingerprint": OTHER, "error_type": "Errors of further groups", "severity": "CRITICAL"})
