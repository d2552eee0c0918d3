"""What is learned of some lines of a log: where each record stands, and what it is searched by."""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from visigate_logging.store.clocks import Clocks
from visigate_logging.store.identity import id_bytes, identify
from visigate_logging.store.index import Index, Row
from visigate_logging.store.interning import FUTURE, MOST_TRIED, PAST, carried_facet, claim, numbers_of, part_numbers
from visigate_logging.store.lines import HEAD, ID, ID_AT, MESSAGE, RECORD_START, TAIL, WORDS, WORDS_END, Line, parse
from visigate_logging.store.times import QUARTER, parse_timestamp

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- see below
"""Without a zone, as the times are that our writers make: all of them are UTC."""
fromisoformat, from_bytes = datetime.fromisoformat, int.from_bytes


class Newest:
    """Of one group in one batch: first and last time, the line of the record that was last.

    Args:
        tried: hashes of its messages whose older keys were looked for; None when that were enough.
    """

    __slots__ = ("first", "last", "line", "tried")

    def __init__(self, tried: set[int] | None) -> None:
        self.first, self.last = FUTURE, PAST
        self.line = b""
        self.tried = tried


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
        self._met: dict[tuple[bytes, ...], tuple[int, int, str, Newest]] = {}
        self._at: int | None = None

    def skimmer(self) -> Callable[[int, bytes], bool]:
        """Return what takes a line by its two ends, and returns whether that is enough.

        What is between them is looked at when the record is read. It runs a million times: it calls little.
        """
        source, rows, at_clock, met = self._source, self.rows, self.clocks.at, self._met
        head_of, tail_of, parted = HEAD.match, TAIL.match, self._index.split_groups

        def skim(offset: int, line: bytes) -> bool:
            head, tail = head_of(line), tail_of(line, line.rfind(MESSAGE))
            if head is None or tail is None or line[WORDS_END:ID_AT] != ID or line[-3:] != b'"}\n':
                return False
            text, kind, module = head.groups()
            message, seconds, repeats = tail.groups()
            try:
                since = fromisoformat(text.decode()) - EPOCH
                number = unhexlify(line[ID_AT:-3])
            except ValueError:
                return False
            stamped = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            if from_bytes(number[:6]) != stamped // 1000 and RECORD_START in line[1:]:
                return False  # perhaps the beginning of one line and the end of another
            like = line[tail.end() : WORDS_END], kind, module
            found = met.get(like) or self._recall(like)
            if found is None or found[1] in parted:
                return self._learn(offset, line, like)
            facet, group, boot, newest = found
            tried = newest.tried
            if tried is not None and hash(message) not in tried and not self._claim(newest, group, line, message):
                return False
            clock, shift = at_clock(boot, float(seconds), stamped, self._at) if boot else (0, 0)
            at = self._at = stamped + shift
            if at >= newest.last:
                newest.last, newest.line = at, line
            if at < newest.first:  # noqa: PLR1730 -- a call costs more than all of the comparison
                newest.first = at
            rows.append((at, number[8:], source, offset, len(line), facet, clock, 1 if repeats else 0))
            return True

        return skim

    def _recall(self, like: tuple[bytes, ...]) -> tuple[int, int, str, Newest] | None:
        """Return what is known of lines with the same words, if such were met before."""
        known = self._index.facets.get(like)
        if known is None:
            return None
        found = self._met[like] = *known, self._newest(known[1])
        return found

    def _newest(self, group: int) -> Newest:
        if group not in self.groups:
            tried = self._index.claimed.setdefault(group, set())
            self.groups[group] = Newest(tried if len(tried) < MOST_TRIED else None)
        return self.groups[group]

    def _claim(self, newest: Newest, group: int, line: bytes, message: bytes) -> bool:
        """Look for older keys of a message that is new; what is no record is none."""
        try:
            claim(self._index, group, orjson.loads(line), message)
        except orjson.JSONDecodeError:
            return False
        self._met.clear()  # it may have made another group of this one
        if newest.tried and len(newest.tried) >= MOST_TRIED:
            newest.tried = None
        return True

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

    def noted(self) -> dict[int, Newest]:
        """Return the groups of which there were records."""
        return {group: newest for group, newest in self.groups.items() if newest.line}

    def _note(self, group: int, at: int, line: bytes) -> None:
        newest = self._newest(group)
        newest.first = min(newest.first, at)
        if at >= newest.last:
            newest.last, newest.line = at, line
