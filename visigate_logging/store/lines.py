"""Lines on disk: what stands in them, and what is passed over."""

import gzip
import re
import time
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import orjson

from visigate_logging.host.log_files import LogFile

RECORD_START = b'{"timestamp":"'
_WORD, _TEXT = rb'[^"\\\x00-\x1f]*+', rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
HEAD = re.compile(
    rb'\{"timestamp":"((?:19[7-9]|20\d|21\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z",'
    rb'"error_type":"(%s)","error_message":"%s","module":"(%s)",' % (_WORD, _TEXT, _WORD)
)
"""How a line of our own writers begins: time, type, module."""
MESSAGE = b',"message":"'
TAIL = re.compile(rb'%s(%s)","monotonic":(\d{1,10}\.\d{1,17}),"repeats":"((?:[0-9a-f]{32})?)",' % (MESSAGE, _TEXT))
"""How its end begins: what was logged, seconds since the boot, the record that it repeats."""
_NAMES = b"boot_id severity category host process service logger release"
WORDS = re.compile(
    b"".join(rb'"%s":"%s",' % (name, _WORD) for name in _NAMES.split())
    + rb'"handled":(?:true|false),"fingerprint":"%s","facets":\{(?:"%s":"%s",?+)*+\}' % (_WORD, _WORD, _WORD)
)  # fmt: skip
"""The other words that a record is searched by, if they are plain: equal bytes are equal words in every line."""
ID = b',"event_id":"'
"""What stands before the id with which a line ends: a line that ends so is whole."""
ID_AT, WORDS_END = -35, -35 - len(ID)
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


def read_lines(file: LogFile, start: int = 0) -> Iterator[Line]:
    """Return what stands in a file, as far as its lines are complete.

    Damage is yielded as a line with a problem; a whole record behind it is rescued.

    Args:
        file: the file, as ``log_files`` found it.
        start: offset in bytes (of the unpacked content) to begin at.

    Raises:
        OSError: the file cannot be read.
    """
    for offset, line, problem in raw_lines(file, start):
        yield from (Line(offset, 0, None, problem),) if problem else parse(line, offset)


def raw_lines(file: LogFile, start: int = 0) -> Iterator[tuple[int, bytes, str]]:
    """Return the complete lines of a file with their offsets, and at its end why there are no more, if it is damaged.

    A last line without its newline is left for later while somebody may still be writing it.

    Args:
        file: the file, as ``log_files`` found it.
        start: offset in bytes (of the unpacked content) to begin at.

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
                yield offset, line, ""
                offset += len(line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield offset, b"", f"the gzip file is damaged from here on: {error}"


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
