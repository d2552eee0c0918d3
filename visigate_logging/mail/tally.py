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
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.state import ForkAware, watch_forks

__all__ = ["OTHER", "SHARED_MEMORY", "Batch", "Entry", "Tally"]

OTHER = "other"
"""Fingerprint of the entry that takes what there is no room for."""

_SIZE = 512 * 1024
_ROOM_FOR_WHOLE = _SIZE * 3 // 4  # the rest is for the heads of those that come later
_LONGEST = 64 * 1024
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- files there are opened O_EXCL under random names, with mode 0600
"""Where files are that need no disk."""

# Native order: the count is then written by one instruction, and a kill cannot leave half of it.
_HEAD = struct.Struct("@32sQI")  # time of the last error, how many, length of the detail
_NEWS = struct.Struct("@32sQ")


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
    """What was taken at one time: to be stored once, by its token, and then removed.

    Args:
        token: names it for ever.
        entries: one for each group.
        path: the file that holds it; None for one that only this process's memory holds.
        fd: keeps the file locked.
    """

    token: str
    entries: tuple[Entry, ...]
    path: Path | None = None
    fd: int | None = None

    @property
    def count(self) -> int:
        """How many errors it has."""
        return sum(entry.count for entry in self.entries)

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
        self._lock = threading.RLock()  # reentrant: a destructor that logs may interrupt this very thread in here
        self._page: _Page | None = None
        self._taken: Batch | None = None
        watch_forks(self)

    def add(self, detail: ErrorDetail) -> bool:
        """Count one error; True when it is the first since the last `take`."""
        with self._lock:
            if self._page is not None:
                self._page.add(detail)
                return False
            page = _Page(self._directory, self._prefix)
            if self._page is None:
                self._page = page
            else:  # a destructor that logged while the page was made has made one
                page.batch().remove()
            self._page.add(detail)
            return True

    @property
    def has_news(self) -> bool:
        """Whether anything has been counted since the last `take`."""
        return self._page is not None

    @property
    def is_behind(self) -> bool:
        """Whether what was taken has not been forgotten, and so will be given again."""
        return self._taken is not None

    @property
    def count(self) -> int:
        """How many errors have been counted and not forgotten."""
        with self._lock:
            return (self._page.count if self._page else 0) + (self._taken.count if self._taken else 0)

    def take(self) -> Batch | None:
        """All that has been counted, to be stored; the same again until it is forgotten."""
        with self._lock:
            if self._taken is None and self._page is not None:
                self._taken, self._page = self._page.batch(), None
            return self._taken

    def forget(self) -> None:
        """Remove what was taken, now that it is stored."""
        with self._lock:
            taken, self._taken = self._taken, None
        if taken is not None:
            taken.remove()

    def orphans(self) -> Iterator[Batch]:
        """Batches that killed processes have left; each is to be stored unless its token was, and removed."""
        for path in sorted(self._directory.glob(f"{self._prefix}*.tally")):
            batch = _orphan(path)
            if batch is not None:
                yield batch

    def before_fork(self) -> None:
        """Be between two calls, which take no longer than a copy in memory."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's memory: what is in there is the parent's to store."""
        self._lock = threading.RLock()
        for held in (self._page, self._taken):
            if held is not None:
                held.let_go()
        self._page = self._taken = None


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
        self._other = self._reserve(
            orjson.dumps({"fingerprint": OTHER, "error_type": "Errors of further groups", "severity": "CRITICAL"})
        )
        self._known: dict[str, list[int]] = {}

    def add(self, detail: ErrorDetail) -> None:
        slot = self._known.get(detail.fingerprint) or self._new(detail)
        slot[1] += 1
        _NEWS.pack_into(self._memory, slot[0], detail.timestamp.encode("ascii", "replace"), slot[1])

    @property
    def count(self) -> int:
        return self._other[1] + sum(count for _, count in self._known.values())

    def batch(self) -> Batch:
        return Batch(self.token, tuple(_read(self._memory[: self._end])), self.path, self.fd)

    def let_go(self) -> None:
        """Close this process's copies; a lock that is the parent's stays."""
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()  # it has a descriptor of its own, which would keep the lock
        if self.fd is not None:
            os.close(self.fd)

    def _new(self, detail: ErrorDetail) -> list[int]:
        for shown, end in ((detail, _ROOM_FOR_WHOLE), (_head(detail), _SIZE)):
            text = shown.to_json()
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
        _HEAD.pack_into(self._memory, start, b"", 0, len(text))
        return [start, 0]


def _head(detail: ErrorDetail) -> ErrorDetail:
    """What names an error, when all of its detail is too much."""
    head = replace(detail, message="", message_template="", traceback="", stack_info="", exceptions=())
    return replace(head, error_message=detail.error_message[:400], additional_info={})


def _shared(path: Path) -> tuple[int, mmap.mmap]:
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


def _orphan(path: Path) -> Batch | None:
    """What a file holds, with its lock; None when its process lives or it is not ours."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        opened.callback(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink:
            batch = Batch(path.stem, tuple(_read(os.pread(fd, _SIZE, 0))), path, fd)
            opened.pop_all()
            return batch
    return None


def _read(memory: bytes | bytearray) -> Iterator[Entry]:
    at = 0
    while at + _HEAD.size <= len(memory):
        last_time, count, length = _HEAD.unpack_from(memory, at)
        text = memory[at + _HEAD.size : at + _HEAD.size + length]
        at += _HEAD.size + length
        if not length:
            return
        if count:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                first = ErrorDetail.from_dict(orjson.loads(text))
                yield Entry(count, first, last_time.rstrip(b"\0").decode("ascii", "replace"))
