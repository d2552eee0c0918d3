"""A durable cursor over an append-only file: each line once, through rotation, truncation and copies.

Lines that this package writes carry a random id, so the first line names a file for ever: not its path, which changes
with rotation, and not its inode, which the next file may get. The cursor holds an offset for each file that is still
there, because a writer that was stopped in the middle may append to a file after its rotation.
"""

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.host.sync import force

Cursor = Mapping[str, int]
"""For each file, by its name for ever, the bytes that have been read; plain data, to be kept by the reader."""

_HEAD = 64 * 1024
_KEPT = 64
"""Files that a cursor remembers although they are gone, as they may come back; those that were seen last."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read.

    Args:
        lines: whole lines; empty when there is nothing new.
        cursor: to be kept, in one step with what is done with the lines.
    """

    lines: bytes
    cursor: Cursor


class Follower:
    """Reads what is appended to a file, and what is left of its predecessors, ``path.1`` the newest.

    What is given has been forced to the medium: a cursor never points beyond what a power cut leaves.

    Args:
        path: of the file, which may not exist yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._present: frozenset[str] = frozenset()

    def read(self, cursor: Cursor, limit: int = 64 * 1024) -> Batch:
        """Return lines that the cursor has not passed, the oldest first.

        Args:
            cursor: where the last batch ended; an empty one for the beginning.
            limit: bytes to read; a single line may be longer.

        Raises:
            OSError: a file cannot be read.
        """
        with self._files() as files:
            for name, fd in reversed(files):
                start, size = cursor.get(name, 0), os.fstat(fd).st_size
                lines = _whole_lines(fd, start, limit) if size > start else b""
                if lines:
                    force(fd)
                if lines or size < start:  # cut off by a power failure: what came after is all new
                    return Batch(lines, self.moved(cursor, name, min(start, size) + len(lines)))
        return Batch(b"", cursor)

    def moved(self, cursor: Cursor, name: str, offset: int) -> Cursor:
        """Return a cursor that has passed so much of a file; it comes last.

        Args:
            cursor: where it was.
            name: of the file, as a cursor has it.
            offset: bytes.
        """
        kept = {**{n: o for n, o in cursor.items() if n != name}, name: offset}
        last = {*list(kept)[-_KEPT:]}
        return {n: o for n, o in kept.items() if n in last or n in self._present}

    def end(self) -> Cursor:
        """Return the cursor of somebody who has read all that there is."""
        with self._files() as files:
            return {name: os.fstat(fd).st_size for name, fd in reversed(files)}

    def after(self, name: str, mark: bytes) -> int | None:
        """Return where the last line of a file ends that has a mark in it; None when none has.

        Args:
            name: of the file, as a cursor has it.
            mark: bytes.
        """
        with self._files() as files:
            fd = dict(files).get(name)
            if fd is None:
                return None
            with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
                end = content.find(b"\n", content.rfind(mark)) if content.rfind(mark) >= 0 else -1
                return end + 1 or None

    def read_through(self, cursor: Cursor) -> list[Path]:
        """Return the predecessors of which nothing is left to read, the newest first."""
        with self._files() as files:
            done = {os.fstat(fd).st_ino for name, fd in files if cursor.get(name, -1) >= os.fstat(fd).st_size}
        return [path for path in self._paths()[1:] if path.stat().st_ino in done]

    @contextlib.contextmanager
    def _files(self) -> Iterator[list[tuple[str, int]]]:
        """Yield the files that begin with a whole line, by name and descriptor, each once, the newest first.

        The newest is opened first: a rotation meanwhile then shows a file twice, but hides none.
        """
        found: dict[str, int] = {}
        with contextlib.ExitStack() as opened:
            for path in self._paths():
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                    opened.callback(os.close, fd)
                    if name := _name(fd):
                        found.setdefault(name, fd)
            self._present = frozenset(found)
            yield list(found.items())

    def _paths(self) -> list[Path]:
        numbers = (p.name.removeprefix(f"{self.path.name}.") for p in self.path.parent.glob(f"{self.path.name}.*"))
        return [self.path, *(Path(f"{self.path}.{n}") for n in sorted(int(n) for n in numbers if n.isdecimal()))]


def furthest(one: Cursor, other: Cursor) -> Cursor:
    """Return the cursor of who has passed what either has passed."""
    return {**one, **{name: max(offset, one.get(name, 0)) for name, offset in other.items()}}


def _name(fd: int) -> str:
    for size in (512, _HEAD):
        head, found, _ = os.pread(fd, size, 0).partition(b"\n")
        if found or len(head) == _HEAD:
            return hashlib.sha256(head).hexdigest()[:16]
    return ""


def _whole_lines(fd: int, start: int, limit: int) -> bytes:
    read = os.pread(fd, limit, start)
    while (end := read.rfind(b"\n")) < 0:
        more = os.pread(fd, limit, start + len(read))
        if not more:
            return b""
        read += more
    return read[: end + 1]
