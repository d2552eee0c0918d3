"""One lane: the records that are next, and what becomes of the books when they are settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from visigate_logging.forward.progress import LaneProgress
from visigate_logging.forward.selection import CRITICAL, Selection, parsed
from visigate_logging.forward.target import Later, Outcome, Record
from visigate_logging.host.follower import Follower

_MARK = b'"CRITICAL"'
"""What every critical line has in it: of the others, the critical lane parses none."""
_USUAL = 2048
"""Bytes of a record, as most are."""


class Entry(NamedTuple):
    """One record of the lane, and the byte of its file that its line begins at."""

    record: Record
    start: int


@dataclass(frozen=True)
class Load:
    """Records that are handed over together.

    Args:
        file: the name of the file that they stand in.
        entries: the records; empty when there was none of this lane in what was read.
        end: the byte of the file up to which was read.
    """

    file: str
    entries: Sequence[Entry]
    end: int


class Lane:
    """Records of one kind, in the order of the log.

    Args:
        name: which lane.
        follower: of the log.
        selection: which records there are for the target.
        most: records to hand over at a time.
        max_bytes: bytes to hand over at a time; one record may be larger.
    """

    def __init__(self, name: str, follower: Follower, selection: Selection, most: int, max_bytes: int) -> None:
        self.name = name
        self._follower = follower
        self._selection = selection
        self._most = most
        self._max_bytes = min(max_bytes, most * _USUAL)  # no more is read than is handed over
        self.halvings = 0
        """How often the load was halved: a slow link, or a record that the other side stumbles over."""

    def next(self, books: LaneProgress, since: str) -> Load | None:
        """Return the next load; None when the lane has been read to its end.

        The cursor passes what is not of this lane, however far that goes.
        """
        while True:
            batch = self._follower.read(books.cursor, max(1, self._max_bytes >> self.halvings))
            if batch.cursor == books.cursor:
                return None
            file, end = list(batch.cursor.items())[-1]
            most = max(1, self._most >> self.halvings)
            found = self._load(file, batch.lines, end - len(batch.lines), books, since, most)
            if found.entries:
                return found
            self._move(books, file, found.end)

    def behind(self, books: LaneProgress, entry: Entry, since: str) -> Record | None:
        """Return the record of the lane that comes after one."""
        batch = self._follower.read(books.cursor, 2 * self._max_bytes)
        file, end = list(batch.cursor.items() or [("", 0)])[-1]
        found = self._load(file, batch.lines, end - len(batch.lines), books, since, most=self._most)
        return next((other.record for other in found.entries if other.start > entry.start), None)

    def settle(self, books: LaneProgress, load: Load, outcomes: Sequence[Outcome]) -> int:
        """Take what is settled off the books; the cursor moves up to the first record that is not.

        Returns:
            How many of them nobody had accepted: more is selected than there was when they were looked through.
        """
        verdicts = list(zip(load.entries, outcomes, strict=True))
        settled = [entry.start for entry, outcome in verdicts if not isinstance(outcome, Later)]
        unsettled = [entry.start for entry, outcome in verdicts if isinstance(outcome, Later)]
        unaccepted = max(0, len(settled) - books.waiting.get(load.file, 0))
        books.count(load.file, unaccepted - len(settled))
        self._move(books, load.file, min(unsettled, default=load.end), settled)
        return unaccepted

    def _load(self, file: str, lines: bytes, start: int, books: LaneProgress, since: str, most: int) -> Load:
        entries: list[Entry] = []
        done = {*books.done.get(file, ())}
        for line in BytesIO(lines):
            if len(entries) == most:
                break
            record = parsed(line) if start not in done and (self.name != CRITICAL or _MARK in line) else None
            if record is not None and self._selection.lane(record, since) == self.name:
                entries.append(Entry(record, start))
            start += len(line)
        return Load(file, entries, start)

    def _move(self, books: LaneProgress, file: str, offset: int, settled: Sequence[int] = ()) -> None:
        done = sorted(start for start in {*books.done.pop(file, ()), *settled} if start > offset)
        if done:
            books.done[file] = done
        books.cursor = dict(self._follower.moved(books.cursor, file, offset))
