"""What is learned of some lines of a log: where each record stands, and what it is searched by."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from visigate_logging.store.clocks import Clocks
from visigate_logging.store.identity import id_bytes, identify
from visigate_logging.store.index import Index, Row
from visigate_logging.store.interning import MOST_TRIED, carried_facet, claim, numbers_of, part_numbers
from visigate_logging.store.lines import HEAD, ID, ID_AT, MESSAGE, RECORD_START, TAIL, WORDS, WORDS_END, Line, parse
from visigate_logging.store.times import QUARTER, parse_timestamp

__all__ = ["Batch", "Newest", "Part"]

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- see below
"""Without a zone, as the times are that our writers make: all of them are UTC."""
fromisoformat, fromhex = datetime.fromisoformat, bytes.fromhex


class Newest:
    """Of one group in one batch: first and last time, and the line of the record that was last."""

    __slots__ = ("first", "last", "line")

    def __init__(self, at: int, line: bytes) -> None:
        self.first = self.last = at
        self.line = line


class Part(NamedTuple):
    """A part of a file whose lines are taken.

    Args:
        source: the number of the file in the index.
        start: offset of the first line.
        counted: offset up to which the records are in the counts already.
        carried: offset up to which an index of an older form had counted them.
        lasting: numbers of the files that will be there for longer.
    """

    source: int
    start: int = 0
    counted: int = 0
    carried: int = 0
    lasting: Sequence[int] = ()


class Batch:
    """What is learned of some lines of a file, before it goes into the index.

    Args:
        index: in a transaction.
        part: which part of which file they are.
    """

    def __init__(self, index: Index, part: Part) -> None:
        self.clocks = Clocks(index)
        self.groups: dict[int, Newest] = {}
        self.rows: list[Row] = []
        self.damage: list[tuple[int, int, int, str]] = []
        self.carried: dict[tuple[int, bytes], tuple[int, int]] = {}
        self._index = index
        self._source = part.source
        self._carried_to = part.carried
        self._claimed: set[int] = set()
        self._at: int | None = None

    def skimmer(self) -> Callable[[int, bytes], bool]:
        """Return what takes a line by its two ends, and returns whether that is enough.

        What is between them is looked at when the record is read. It runs a million times: it calls little.
        """
        index, source, rows, groups, of = self._index, self._source, self.rows, self.groups, self.clocks.of
        head_of, tail_of, known, parted = HEAD.match, TAIL.match, index.facets, index.split_groups

        def skim(offset: int, line: bytes) -> bool:
            head, tail = head_of(line), tail_of(line, line.rfind(MESSAGE))
            if head is None or tail is None or line[WORDS_END:ID_AT] != ID or line[-3:] != b'"}\n':
                return False
            text, kind, module = head.groups()
            message, seconds, repeats = tail.groups()
            like = line[tail.end() : WORDS_END], kind, module
            try:
                since = fromisoformat(text.decode()) - EPOCH
                stamped = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
                number = line[ID_AT:-3].decode()
                tie = fromhex(number[16:])
                if int(number[:12], 16) != stamped // 1000 and RECORD_START in line[1:]:
                    return False  # perhaps the beginning of one line and the end of another
                facet, group, boot = known[like]
            except ValueError:
                return False
            except KeyError:
                return self._learn(offset, line, like)
            if group in parted:
                return False
            clock, shift = of(boot, float(seconds), stamped, self._at) if boot else (0, 0)
            at = self._at = stamped + shift
            if group not in self._claimed:
                self._claim(group, line, message)
            newest = groups.get(group)
            if newest is None or at < newest.last:
                self._note(group, at, line)
            else:
                newest.last, newest.line = at, line
            rows.append((at, tie, source, offset, len(line), facet, clock, 1 if repeats else 0))
            return True

        return skim

    def _claim(self, group: int, line: bytes, message: bytes) -> None:
        tried = self._index.claimed.get(group, ())
        if hash(message) not in tried:
            claim(self._index, group, orjson.loads(line), message)
        if len(tried) >= MOST_TRIED:
            self._claimed.add(group)

    def _learn(self, offset: int, line: bytes, like: tuple[bytes, ...]) -> bool:
        """Take a line whose words are new; where they are plain, the next with the same is taken by its ends."""
        found = parse(line, offset)
        if len(found) != 1 or found[0].record is None:
            return False
        if self.add(found[0], line) and WORDS.fullmatch(like[0]):
            numbers = numbers_of(self._index, found[0].record)
            self._index.facets[like] = *numbers, found[0].record["boot_id"]
        return True

    def add(self, found: Line, line: bytes) -> bool:
        """Take what stands in a line, and return whether it is a record.

        Args:
            found: what stands there.
            line: its bytes.
        """
        record = found.record
        if record is None:
            if found.problem:
                self.damage.append((self._source, found.offset, found.length, found.problem))
            return False
        try:
            stamped = parse_timestamp(record["timestamp"])
        except ValueError as error:
            told = f"a record without a time: {error}"
            self.damage.append((self._source, found.offset, found.length, told))
            return False
        boot = record.get("boot_id")
        clock, shift = 0, 0
        if boot and type(boot) is str:
            clock, shift = self.clocks.of(boot, record.get("monotonic"), stamped, self._at)
        at = self._at = stamped + shift
        facet, group = numbers_of(self._index, record)
        claim(self._index, group, record, record.get("message"))
        facet, group = part_numbers(self._index, record, (facet, group))
        self._note(group, at, line)
        whole = id_bytes(record.get("event_id")) or bytes.fromhex(identify(record))
        first = record.get("repeats")  # what is no id, as no writer of ours makes it, names no earlier record
        repeats = 1 if first and id_bytes(first) else 0
        self.rows.append((at, whole[8:], self._source, found.offset, found.length, facet, clock, repeats))
        if found.offset < self._carried_to:
            self.carried[at, whole[8:]] = carried_facet(self._index, facet, record), stamped // QUARTER
        return True

    def _note(self, group: int, at: int, line: bytes) -> None:
        newest = self.groups.get(group)
        if newest is None:
            self.groups[group] = Newest(at, line)
        elif at >= newest.last:
            newest.last, newest.line = at, line
        elif at < newest.first:
            newest.first = at
