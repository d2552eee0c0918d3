"""Lines on disk: which files hold records, and what stands in them."""

import gzip
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson

from visigate_logging.detail.record import ErrorDetail

__all__ = ["Line", "LogFile", "log_files", "parse", "read_lines", "skim"]

RECORD_START = b'{"timestamp":"'
_FIELDS = [f.name for f in fields(ErrorDetail)]
AFTER_EXCEPTIONS = f'],"{_FIELDS[_FIELDS.index("exceptions") + 1]}":'.encode()
MAX_LINE = 16 * 1024 * 1024
"""Bytes after which a line without an end is damage, not a record."""
SETTLED = 5.0
"""Seconds without a write after which a line without a newline counts as it stands: nobody is writing it."""
BUFFER = 1024 * 1024
LOOKS = 100
"""How often a directory is looked at anew because a rotation was in the way."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log, as it was when looked at."""

    path: Path
    dev: int
    ino: int
    size: int
    mtime_ns: int

    @property
    def gzipped(self) -> bool:
        """Whether its content is packed."""
        return self.path.suffix == ".gz"

    def open(self, buffering: int = BUFFER) -> IO[bytes]:
        """The records' bytes, unpacked.

        Args:
            buffering: bytes to read at once.

        Raises:
            OSError: the file cannot be opened, or another one has taken its name meanwhile.
        """
        stream: IO[bytes] = self.path.open("rb", buffering=buffering)
        status = os.fstat(stream.fileno())
        if (status.st_dev, status.st_ino) != (self.dev, self.ino):
            stream.close()
            raise FileNotFoundError(f"{self.path}: rotated while it was being opened")
        return cast(IO[bytes], _Unpacked(stream)) if self.gzipped else stream


class _Unpacked(gzip.GzipFile):
    """A gzip reader that closes the file it was given."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


class Line(NamedTuple):
    """What stands at a place in a file: a record, or why it is none, or (without both) white space."""

    offset: int
    length: int
    record: dict[str, Any] | None
    problem: str = ""


def log_files(log: Path) -> list[LogFile]:
    """The files of a log, the one being written first, then the rotated ones as their names number them."""
    for _ in range(LOOKS):
        names = os.listdir(log.parent)
        current = _look(log)
        found = _rotated(log, names)
        # A rotation meanwhile would have let us see a file twice and another not at all.
        if set(names) == set(os.listdir(log.parent)) and _inode(current) == _inode(_look(log)):
            break
    return ([current] if current else []) + found


def _rotated(log: Path, names: Sequence[str]) -> list[LogFile]:
    pattern = re.compile(re.escape(log.name) + r"(?:[.-](\d[\d-]*)|\.imported)?(?:\.gz)?")
    found = []
    for name in names:
        if name == log.name or (name.endswith(".gz") and name.removesuffix(".gz") in names):
            continue  # the latter is still being packed
        if (match := pattern.fullmatch(name)) and (file := _look(log.parent / name)):
            found.append((_age(match[1]), name, file))
    return [file for *_, file in sorted(found, key=lambda item: item[:2])]


def _inode(file: LogFile | None) -> int | None:
    return None if file is None else file.ino


def _age(number: str | None) -> tuple[int, int]:
    """Sort key of a rotated file: ``.1`` is newer than ``.2``, but ``-20260102`` newer than ``-20260101``."""
    if number is None:
        return (0, 0)
    value = int(number.replace("-", ""))
    return (1, value) if value < 10_000_000 else (2, -value)


def _look(path: Path) -> LogFile | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # rotated away since the directory was listed
        return None
    if not os.path.isfile(path):
        return None
    return LogFile(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def skim(line: bytes) -> Any:
    """A line's record without its ``exceptions``: most of the bytes, and nothing that is searched by.

    The cut is where :class:`ErrorDetail` has that field. A line that is laid out in another way has
    unbalanced brackets after it, and is parsed whole. Damage within the part left out is not seen, but for
    the zero bytes of a power cut.

    Raises:
        orjson.JSONDecodeError: the line is not JSON.
    """
    cut, end = line.find(b',"exceptions":[{'), line.rfind(AFTER_EXCEPTIONS)
    if 0 < cut < end and b"\0" not in line:
        try:
            return orjson.loads(line[:cut] + line[end + 1 :])
        except orjson.JSONDecodeError:
            pass
    return orjson.loads(line)


def read_lines(file: LogFile, start: int = 0, loads: Callable[[bytes], Any] = orjson.loads) -> Iterator[Line]:
    """The lines of a file from an offset on, as far as they are complete.

    A last line without its newline is left for later while somebody may still be writing it. Damage
    is yielded as a line with a problem; a whole record behind it is rescued.

    Args:
        file: the file, as :func:`log_files` found it.
        start: offset in bytes (of the unpacked content) to begin at.
        loads: what parses a line: orjson.loads for the whole record, or :func:`skim`.

    Raises:
        OSError: the file cannot be read.
    """
    offset = start
    with file.open() as stream:
        try:
            stream.seek(start)
            while line := stream.readline(MAX_LINE):
                if not line.endswith(b"\n") and len(line) < MAX_LINE and not _settled(file):
                    return
                # As parse() does, without its calls: this runs a million times.
                try:
                    record = loads(line)
                except orjson.JSONDecodeError:
                    record = None
                if _is_record(record):
                    yield Line(offset, len(line), record)
                else:
                    yield from parse(line, offset)
                offset += len(line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield Line(offset, 0, None, f"the gzip file is damaged from here on: {error}")


def _settled(file: LogFile) -> bool:
    return file.gzipped or time.time() - file.mtime_ns / 1e9 > SETTLED


def _is_record(value: Any) -> bool:
    return type(value) is dict and type(value.get("timestamp")) is str and type(value.get("error_type")) is str


def parse(line: bytes, offset: int) -> tuple[Line, ...]:
    """What stands in a line: white space, a record, or damage with perhaps whole records behind it."""
    found = _record(line, offset)
    return (found,) if found.record else tuple(_damaged(line, offset, found.problem))


def _record(text: bytes, offset: int) -> Line:
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Line(offset, len(text), None, _what_happened(text))
    if _is_record(record):
        return Line(offset, len(text), record)
    return Line(offset, len(text), None, "JSON, but not a record")


def _damaged(line: bytes, offset: int, problem: str) -> Iterator[Line]:
    """What stands in a line that is no record: each place where one may begin is tried."""
    if not line.strip():
        yield Line(offset, len(line), None)
        return
    starts = sorted({0, *(match.start() for match in re.finditer(re.escape(RECORD_START), line))})
    damaged = 0
    for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
        found = _record(line[start:end], offset + start)
        if found.record:
            if start > damaged:
                yield Line(offset + damaged, start - damaged, None, _what_happened(line[damaged:start]))
            yield found
            damaged = end
    if damaged == 0:
        yield Line(offset, len(line), None, problem)
    elif damaged < len(line):
        yield Line(offset + damaged, len(line) - damaged, None, _what_happened(line[damaged:]))


def _what_happened(damage: bytes) -> str:
    if b"\0" in damage:
        return "zero bytes, as a power cut leaves them"
    return "a record cut short" if damage.startswith(RECORD_START[:2]) else "not JSON"
