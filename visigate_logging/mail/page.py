"""Where errors are counted until they are stored: one entry for each group, in memory that outlives a kill."""

import contextlib
import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import orjson

from visigate_logging.detail.record import ErrorDetail

__all__ = ["OTHER", "Entry", "Page"]

OTHER = "other"
"""Fingerprint of the entry that takes what there is no room for."""

_SIZE = 512 * 1024
_ROOM_FOR_WHOLE = _SIZE * 3 // 4  # the rest is for the heads of those that come later
_LONGEST = 64 * 1024

# Native order: the count is then written by one instruction, and a kill cannot leave half of it.
_HEAD = struct.Struct("@32sQI")  # time of the last error, how many, length of the detail
_NEWS = struct.Struct("@32sQ")


@dataclass(frozen=True, slots=True)
class Entry:
    """Errors of one group on one page.

    Args:
        count: how many.
        first: the detail of the first; only its head when there was no room for all of it.
        last_time: timestamp of the last.
    """

    count: int
    first: ErrorDetail
    last_time: str


class Page:
    """Errors of one span of time: to be stored once, by its token, and then removed.

    Args:
        token: names it for ever.
        memory: heads and details, one after the other.
        path: file that has that memory; None when only this process has.
        fd: keeps the file locked as long as the process lives.
    """

    def __init__(
        self, token: str, memory: mmap.mmap | bytearray, path: Path | None = None, fd: int | None = None
    ) -> None:
        self.token = token
        self.path = path
        self._memory = memory
        self._fd = fd
        self._end = 0
        self._slots: dict[str, list[int]] = {}

    @classmethod
    def new(cls, directory: Path, prefix: str) -> Self:
        """An empty page, in a new file of a directory; in plain memory when there can be none."""
        token = prefix + os.urandom(8).hex()
        path = directory / f"{token}.tally"
        try:
            page = cls(token, *_shared(path))
        except OSError:
            page = cls(token, bytearray(_SIZE))
        other = {"fingerprint": OTHER, "error_type": "Errors of further groups", "severity": "CRITICAL"}
        page._slots[OTHER] = page._reserve(orjson.dumps(other))
        return page

    @classmethod
    def orphan(cls, path: Path) -> Self | None:
        """What a process that was killed has left in a file; None when it lives or the file is not ours."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            opened.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink:
                page = cls(path.stem, bytearray(os.pread(fd, _SIZE, 0)), path, fd)
                opened.pop_all()
                return page
        return None

    def add(self, detail: ErrorDetail) -> None:
        """Count one error: it counts from the moment that its count is written, which is last."""
        slot = self._slots.get(detail.fingerprint) or self._new_slot(detail)
        slot[1] += 1
        _NEWS.pack_into(self._memory, slot[0], detail.timestamp.encode("ascii", "replace"), slot[1])

    @property
    def count(self) -> int:
        """How many errors have been added here."""
        return sum(slot[1] for slot in self._slots.values())

    def entries(self) -> Iterator[Entry]:
        """What can be read of it, in the order in which the groups came."""
        at = 0
        while at + _HEAD.size <= len(self._memory):
            last_time, count, length = _HEAD.unpack_from(self._memory, at)
            text = self._memory[at + _HEAD.size : at + _HEAD.size + length]
            at += _HEAD.size + length
            if not length:
                return
            if count:
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    first = ErrorDetail.from_dict(orjson.loads(text))
                    yield Entry(count, first, last_time.rstrip(b"\0").decode("ascii", "replace"))

    def remove(self) -> None:
        """Remove its file, and let go of the lock only then."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Close this process's copies; in a forked child the lock stays the parent's."""
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()  # it has a descriptor of its own, which would keep the lock
        if self._fd is not None:
            os.close(self._fd)

    def _new_slot(self, detail: ErrorDetail) -> list[int]:
        for shown, end in ((detail, _ROOM_FOR_WHOLE), (_head(detail), _SIZE)):
            text = shown.to_json()
            if len(text) <= _LONGEST and self._end + _HEAD.size + len(text) <= end:
                slot = self._reserve(text)
                self._slots[detail.fingerprint] = slot
                return slot
        return self._slots[OTHER]

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


def _shared(path: Path) -> tuple[mmap.mmap, Path, int]:
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
    return memory, path, fd


def _allocate(fd: int) -> None:
    """Take the memory now: where there is none this raises, but writing to it later would be a SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, _SIZE)
    else:
        os.pwrite(fd, bytes(_SIZE), 0)
