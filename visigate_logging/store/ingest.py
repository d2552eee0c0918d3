"""Taking lines into the index: where each record stands, and what it is searched by."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from visigate_logging.store.clocks import Clocks
from visigate_logging.store.facets import word_of
from visigate_logging.store.identity import id_bytes, identify
from visigate_logging.store.index import Index, Row
from visigate_logging.store.interning import MOST_TRIED, always, carried_facet, claim, numbers_of, title
from visigate_logging.store.keys import LONGEST
from visigate_logging.store.lines import Line
from visigate_logging.store.tally import count
from visigate_logging.store.times import QUARTER, parse_timestamp

__all__ = ["Part", "Taken", "take"]


MOVED = (
    "UPDATE record SET source = ?, offset = ?, length = ? "
    "WHERE at = ? AND tie = ? AND source NOT IN (SELECT value FROM json_each(?))"
)
"""A record that is met again stands in that file of the two which will be there for longer."""


class Taken(NamedTuple):
    """What came of reading on in a file: lines read, the position after them, the records' times and clocks."""

    lines: int
    position: int
    first: int | None
    last: int | None
    clocks: Clocks


class _Newest:
    """Of one group in one batch: first and last time, and the record that was last."""

    __slots__ = ("first", "last", "record")

    def __init__(self, at: int, record: dict[str, Any]) -> None:
        self.first = self.last = at
        self.record = record


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


def take(index: Index, lines: Iterable[Line], part: Part) -> Taken:  # noqa: C901 -- the loop that runs a million times
    """Take lines of a file into the index.

    Args:
        index: in a transaction.
        lines: what stands in the file from the part's start on.
        part: which part of which file they are.
    """
    rows: list[Row] = []
    groups: dict[int, _Newest] = {}
    damage: list[tuple[int, int, int, str]] = []
    carried: dict[tuple[int, bytes], tuple[int, int]] = {}
    clocks = Clocks(index)
    source, position, number, at = part.source, part.start, 0, None
    # The one loop that runs a million times: it calls little, and makes plain tuples.
    for offset, length, record, problem in lines:
        number += 1
        position = offset + length
        if record is None:
            if problem:
                damage.append((source, offset, length, problem))
            continue
        try:
            stamped = parse_timestamp(record["timestamp"])
        except ValueError as error:
            damage.append((source, offset, length, f"a record without a time: {error}"))
            continue
        boot = record.get("boot_id")
        clock, shift = clocks.of(boot, record.get("monotonic"), stamped, at) if boot and type(boot) is str else (0, 0)
        at = stamped + shift
        own = record.get("facets")
        try:
            facet, group = index.facets[always(record), record.get("handled"), orjson.dumps(own) if own else None]
        except (KeyError, TypeError):  # a new one; or a field is missing, or is a list, as no writer of ours makes it
            facet, group = numbers_of(index, record)
        if len(index.claimed.get(group, ())) < MOST_TRIED:
            claim(index, group, record)
        newest = groups.get(group)
        if newest is None:
            groups[group] = _Newest(at, record)
        elif at >= newest.last:
            newest.last, newest.record = at, record
        elif at < newest.first:
            newest.first = at
        whole = id_bytes(record.get("event_id")) or bytes.fromhex(identify(record))
        first = record.get("repeats")  # what is no id, as no writer of ours makes it, names no earlier record
        repeats = 1 if first and id_bytes(first) else 0
        rows.append((at, whole[8:], source, offset, length, facet, clock, repeats))
        if offset < part.carried:
            carried[at, whole[8:]] = carried_facet(index, facet, record), stamped // QUARTER
    _count(index, _insert(index, rows, part.lasting), part, carried)
    _note_groups(index, groups)
    index.db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", damage)
    first = min((newest.first for newest in groups.values()), default=None)
    last = max((newest.last for newest in groups.values()), default=None)
    return Taken(number, position, first, last, clocks)


def _count(
    index: Index, rows: Iterable[Row], part: Part, carried: Mapping[tuple[int, bytes], tuple[int, int]]
) -> None:
    """Count new rows; those that an index of an older form had counted leave the counts that come from there."""
    changes = Counter[tuple[int, int]]()
    for row in rows:
        if row[3] >= part.counted:
            if not row[7]:
                changes[row[5], row[0] // QUARTER] += 1
            if row[:2] in carried:
                changes[carried[row[:2]]] -= 1
    count(index, changes)


def _insert(index: Index, rows: Sequence[Row], lasting: Sequence[int]) -> Sequence[Row]:
    """Put rows in; those that were not there before."""
    statement = "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    index.db.execute("SAVEPOINT rows")
    before = index.db.total_changes
    index.db.executemany(statement, rows)
    if index.db.total_changes - before == len(rows):
        index.db.execute("RELEASE rows")
        return rows
    # Some stand in another file too, such as a copy, or one that this has been made of: none is counted twice.
    index.db.execute("ROLLBACK TO rows")
    fresh = []
    for row in rows:
        if index.db.execute(statement, row).rowcount:
            fresh.append(row)
        else:
            index.db.execute(MOVED, (*row[2:5], *row[:2], orjson.dumps(lasting).decode()))
    index.db.execute("RELEASE rows")
    return fresh


def _note_groups(index: Index, groups: dict[int, _Newest]) -> None:
    heirs = dict(index.db.execute("SELECT id, heir FROM grp WHERE heir NOTNULL"))
    for group, newest in groups.items():
        record = newest.record
        group = heirs.get(group, group)  # noqa: PLW2901 -- it may have become part of another in this batch
        words = identify(record), title(record), word_of(record.get("culprit"), LONGEST)
        index.db.execute(
            "UPDATE grp SET last = ?, latest = ?, title = ?, culprit = ? WHERE id = ? AND last <= ?",
            (newest.last, *words, group, newest.last),
        )
        index.db.execute("UPDATE grp SET first = min(first, ?) WHERE id = ?", (newest.first, group))
