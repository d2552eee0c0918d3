"""Accepting what the log has, whether it can be sent or not, and writing off what has gone from it unsent."""

import logging
from collections import Counter
from io import BytesIO

from visigate_logging.forward.progress import Changes, Progress
from visigate_logging.forward.selection import Selection, parsed
from visigate_logging.host.follower import Follower

TAKEN = "removed before it could be sent"
_UNREADABLE = "not a record"
_PIECE = 16 * 1024
"""Bytes to look through at a time: what is freed behind larger ones the process keeps."""

_logger = logging.getLogger("visigate_logging")


class Intake:
    """Looks through the log.

    Args:
        follower: of the log.
        selection: which records there are for the target.
        name: of the handler.
    """

    def __init__(self, follower: Follower, selection: Selection, name: str) -> None:
        self._follower = follower
        self._selection = selection
        self._name = name
        self._absent: set[str] = set()

    def scan(self, books: Progress, changes: Changes) -> None:
        """Accept what has come: from now on it is either sent, or dropped for a reason."""
        self._recognise(books, changes)
        while (batch := self._follower.read(books.scanned, _PIECE)).cursor != books.scanned:
            file, (found, last) = list(batch.cursor)[-1], self._look_through(batch.lines, books.since)
            for name, lane in books.lanes.items():
                lane.count(file, found[name])
                changes.accepted += found[name]
            if broken := found[_UNREADABLE]:
                changes.accepted += broken
                changes.dropped[_UNREADABLE] += broken
            books.scanned = dict(batch.cursor)
            if last:
                books.ends[file] = last
            books.ends = {name: end for name, end in books.ends.items() if name in books.scanned}

    def _look_through(self, lines: bytes, since: str) -> tuple[Counter[str | None], str]:
        """Return how many records there are of each lane, and the id of the last."""
        found, last = Counter[str | None](), ""
        for line in BytesIO(lines):  # one at a time: parsed, a record takes several times its line
            record = parsed(line)
            if record is not None:
                found[self._selection.lane(record, since)] += 1
                last = record["event_id"]
            elif line.strip():
                found[_UNREADABLE] += 1
        return found, last

    def _recognise(self, books: Progress, changes: Changes) -> None:
        """Know a file again that was written anew without what was too old: its first line names it no more."""
        present = self._follower.end()
        gone = {name: books.ends[name] for name in books.ends if name not in present}
        for name in [name for name in present if gone and name not in books.scanned]:
            for old, end in gone.items():
                place = self._follower.after(name, f'"event_id":"{end}"'.encode())
                if place is None:
                    continue
                waiting = sum(lane.waiting.pop(old, 0) for lane in books.lanes.values())
                if waiting:
                    changes.accepted -= waiting  # all of it is accepted once more
                else:
                    books.scanned[name], books.ends[name] = place, end
                    for lane in books.lanes.values():
                        lane.cursor[name] = place

    def write_off(self, books: Progress, changes: Changes) -> None:
        """Count what has gone from the disk before it could be sent."""
        waiting = {file for lane in books.lanes.values() for file in lane.waiting}
        absent = waiting - self._follower.end().keys() if waiting else set()
        gone = absent & self._absent  # at two looks: between the renames of a rotation a file may be hidden at one
        self._absent = absent
        taken = 0
        for lane in books.lanes.values():
            taken += sum(lane.waiting.pop(file, 0) for file in gone)
            lane.done = {file: done for file, done in lane.done.items() if file not in gone}
            if not lane.pending:
                lane.catch_up(books.scanned)
        if taken:
            changes.dropped[TAKEN] += taken
            changes.failed = f"{_records_were(taken)} {TAKEN}: the log keeps too little for so long an outage"
            _logger.warning("%s: %s", self._name, changes.failed)


def _records_were(number: int) -> str:
    return f"{number} records were" if number > 1 else "a record was"
