"""Following a log: each new record once, while it is written, rotated, packed and removed."""

import logging
import os
from collections import deque
from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.log_files import BUFFER, LogFile, log_files
from visigate_logging.store.facets import Filter, fits
from visigate_logging.store.fetch import searchable
from visigate_logging.store.identity import identify
from visigate_logging.store.lines import Line, parse
from visigate_logging.store.times import micros, parse_timestamp
from visigate_logging.store.typed import read_record

TELLING = 1024
"""Bytes at the end of what has been read by which it is known again, at least.

The last line is always among them as a whole: what tells records apart, such as their times and ids, stands at its
ends, and what is between may be of any length and the same in all records.
"""

REMEMBERED = 4096
"""Ids of records that were given, by which a file is known again that the retention has written anew."""

_logger = logging.getLogger("visigate_logging")


class Follower:
    """What is appended to a log from now on.

    Each file stays open until it has been gone for a while and is read to its end: a record that a writer puts into a
    file that has just been rotated away is not missed, and no other file can take its inode meanwhile.

    Args:
        log: the details file; it need not be there yet.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._tails: dict[tuple[int, int], _Tail] = {}
        self._given: deque[str] = deque(maxlen=REMEMBERED)
        for file in log_files(log):
            if tail := self._add(file, from_end=True):
                self._given += map(identify, tail.last_records())

    def poll(self) -> Iterator[Line]:
        """Return what has come since the last time, the oldest file first."""
        files = log_files(self._log)
        present = {(file.dev, file.ino) for file in files}
        if self._tails and not present & self._tails.keys():
            _logger.warning("%s is rotated faster than it is followed: records may be missed", self._log)
        for key, tail in list(self._tails.items()):
            yield from self._read(tail, self._given if key not in present else ())
            tail.absences = 0 if key in present else tail.absences + 1
            if tail.absences > 1:
                tail.close()
                del self._tails[key]
        is_rewritten = not self._tails.keys() <= present  # or removed
        for file in reversed(files):
            if (file.dev, file.ino) not in self._tails and (added := self._add(file, from_end=False)):
                if is_rewritten:
                    added.skip_to(set(self._given))
                yield from self._read(added, ())

    def _read(self, tail: "_Tail", known: Container[str]) -> Iterator[Line]:
        for line in tail.read():
            number = identify(line.record) if line.record else ""
            if not number or number not in known:
                yield line
            if number:
                self._given.append(number)

    def close(self) -> None:
        """Let go of all files."""
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    def _add(self, file: LogFile, *, from_end: bool) -> "_Tail | None":
        if file.gzipped:  # packed from one that was followed
            return None
        try:
            tail = self._tails[file.dev, file.ino] = _Tail(file.open(), from_end=from_end)
        except FileNotFoundError:  # rotated meanwhile: the next look finds it under its new name
            return None
        return tail


class _Tail:
    """The end of one open file.

    What was read last is looked at again before more is: if it stands there no more, the file has been emptied in
    place, as logrotate's copytruncate does, however long it has become again since.

    Attributes:
        absences: how many times in a row it was not among the log's files; once may be a rotation in the way.
    """

    def __init__(self, stream: IO[bytes], *, from_end: bool) -> None:
        self.absences = 0
        self._stream = stream
        self._offset = self._line_start(os.fstat(stream.fileno()).st_size) if from_end else 0
        last_line = self._offset - self._line_start(self._offset - 1)
        self._before = self._bytes_before(max(TELLING, last_line))

    def read(self) -> Iterator[Line]:
        """Return the whole lines that have come."""
        found = self._bytes_before(len(self._before))
        if not _same(found, self._before):
            self._offset, found = 0, b""
        self._before = found
        self._stream.seek(0, os.SEEK_END)  # so that nothing comes from the buffer, which may be of before
        self._stream.seek(self._offset)
        while (line := self._stream.readline()).endswith(b"\n"):
            yield from parse(line, self._offset)
            self._offset += len(line)
            self._before = (self._before + line)[-max(TELLING, len(line)) :]

    def last_records(self) -> Iterator[dict[str, Any]]:
        """Return the records at the end of what was read, as far as they are remembered."""
        lines = (line for text in self._before.splitlines() for line in parse(text, 0))
        return (line.record for line in lines if line.record)

    def skip_to(self, given: Container[str]) -> None:
        """Pass over what was given already: the file has been written anew from one that was followed.

        Args:
            given: ids of records.
        """
        self._stream.seek(0)
        end = 0
        while (line := self._stream.readline()).endswith(b"\n"):
            end += len(line)
            if any(found.record and identify(found.record) in given for found in parse(line, 0)):
                self._offset, self._before = end, line

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    def _bytes_before(self, count: int) -> bytes:
        start = max(0, self._offset - count)
        return os.pread(self._stream.fileno(), self._offset - start, start)

    def _line_start(self, end: int) -> int:
        """Return where the line of a place begins: a record that is being written just now still comes."""
        while end > 0:
            start = max(0, end - BUFFER)
            self._stream.seek(start)
            found = self._stream.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0


def _same(found: bytes, before: bytes) -> bool:
    """Return whether the last line is the same, or the same record of which a text was overwritten in place."""
    if found == before:
        return True
    one, other = (parse(content[content.rfind(b"\n", 0, -1) + 1 :], 0)[0] for content in (found, before))
    if one.record is None or other.record is None:
        return False
    return one.length == other.length and identify(one.record) == identify(other.record)


def matching(
    lines: Iterable[Line], asked: Filter, text: str | None, since: datetime | None, until: datetime | None
) -> Iterator[ErrorDetail]:
    """Return the records among lines that a question lets through; see ``ErrorStore.recent``."""
    wanted = (text or "").casefold()
    for line in lines:
        if line.record and fits(line.record, asked):
            at = parse_timestamp(line.record["timestamp"])
            record = read_record(line.record | {"event_id": identify(line.record)}, at)
            in_time = (not since or at >= micros(since)) and (not until or at < micros(until))
            if in_time and (not wanted or wanted in searchable(record)):
                yield record
