"""Lines on disk: what stands in them, and what is passed over."""

import gzip
import re
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import orjson

from visigate_logging.host.log_files import LogFile

__all__ = ["Line", "holds_records", "parse", "read_lines", "skimmer"]

RECORD_START = b'{"timestamp":"'
EXCEPTIONS, AFTER_EXCEPTIONS = b',"exceptions":[', b'],"stack_info":'
"""As a line has them, one after the other: a quote that is not escaped stands in no text."""
MOST_MET, LONGEST_MET = 256, 16_384
"""Lists of exceptions that a skimmer remembers, and their bytes."""
MAX_LINE = 16 * 1024 * 1024
"""Bytes after which a line without an end is damage, not a record."""
LOOKED_AT = 100
"""Lines of a file of which one must be a record, for it to be taken for a log's."""
SETTLED = 5.0
"""Seconds without a write after which a line without a newline counts as it stands: nobody is writing it."""


class Line(NamedTuple):
    """What stands at a place in a file: a record, or why it is none, or (without both) white space."""

    offset: int
    length: int
    record: dict[str, Any] | None
    problem: str = ""


def skimmer() -> Callable[[bytes], Any]:
    """Return what parses a line as ``orjson.loads`` does, but may leave out ``exceptions``.

    They are left out if the same bytes stood there in an earlier line and are a list by themselves. A member whose
    value is known to be whole can go without a trace: the rest is JSON if the line is, and all else in it the same.
    """
    met: set[bytes] = set()

    def loads(line: bytes) -> Any:
        begin, end = line.rfind(EXCEPTIONS), line.rfind(AFTER_EXCEPTIONS)
        if not 0 < begin < end:
            return orjson.loads(line)
        value = line[begin + len(EXCEPTIONS) - 1 : end + 1]
        if value in met:
            return orjson.loads(line[:begin] + line[end + 1 :])
        if len(met) < MOST_MET and len(value) <= LONGEST_MET and _is_list(value):
            met.add(value)
        return orjson.loads(line)

    return loads


def _is_list(text: bytes) -> bool:
    try:
        return type(orjson.loads(text)) is list
    except orjson.JSONDecodeError:
        return False


def read_lines(file: LogFile, start: int = 0, loads: Callable[[bytes], Any] = orjson.loads) -> Iterator[Line]:
    """Return the lines of a file from an offset on, as far as they are complete.

    A last line without its newline is left for later while somebody may still be writing it. Damage
    is yielded as a line with a problem; a whole record behind it is rescued.

    Args:
        file: the file, as ``log_files`` found it.
        start: offset in bytes (of the unpacked content) to begin at.
        loads: what parses a line: ``orjson.loads`` for the whole record, or a :func:`skimmer`.

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


def holds_records(file: LogFile) -> bool:
    """Return whether a file is one of a log, as far as its beginning tells."""
    return any(line.record for line in islice(read_lines(file), LOOKED_AT))


def _settled(file: LogFile) -> bool:
    return file.gzipped or time.time() - file.mtime_ns / 1e9 > SETTLED


def _is_record(value: Any) -> bool:
    return type(value) is dict and type(value.get("timestamp")) is str and type(value.get("error_type")) is str


def parse(line: bytes, offset: int) -> tuple[Line, ...]:
    """Return what stands in a line: white space, a record, or damage with perhaps whole records behind it."""
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
    """Return what stands in a line that is no record: each place where one may begin is tried."""
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
