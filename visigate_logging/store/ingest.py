"""Taking lines into the index: where each record stands, and what it is searched by."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from visigate_logging.store.batch import Batch, Newest, Part
from visigate_logging.store.clocks import Clocks
from visigate_logging.store.counts import count
from visigate_logging.store.facets import word_of
from visigate_logging.store.identity import LONGEST, identify
from visigate_logging.store.index import Index, Row
from visigate_logging.store.interning import title
from visigate_logging.store.lines import parse
from visigate_logging.store.times import QUARTER

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


def take(index: Index, lines: Iterable[tuple[int, bytes, str]], part: Part) -> Taken:
    """Take lines of a file into the index.

    Args:
        index: in a transaction.
        lines: what stands in the file from the part's start on, as ``raw_lines`` gives it.
        part: which part of which file they are.
    """
    batch = Batch(index, part)
    number, position = 0, part.start
    skim = batch.skimmer()
    with _uncollected():
        for offset, line, problem in lines:
            number += 1
            position = offset + len(line)
            if problem:
                batch.damage.append((part.source, offset, 0, problem))
            elif offset < part.carried or not skim(offset, line):
                for found in parse(line, offset):
                    batch.add(found, line[found.offset - offset :][: found.length])
    _count(index, _insert(index, batch.rows, part.lasting), part, batch.carried)
    noted = batch.noted()
    _note_groups(index, noted)
    index.db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", batch.damage)
    times = [at for newest in noted.values() for at in (newest.first, newest.last)]
    return Taken(number, position, min(times, default=None), max(times, default=None), batch.clocks)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from looking through rows again and again that are all still needed."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _count(
    index: Index, rows: Iterable[Row], part: Part, carried: Mapping[tuple[int, bytes], tuple[int, int]]
) -> None:
    """Count new rows; those that an index of an older form had counted leave the counts that come from there."""
    fresh = [row for row in rows if row[3] >= part.counted] if part.counted else rows
    changes = Counter((row[5], row[0] // QUARTER) for row in fresh if not row[7])
    if carried:
        changes.subtract(carried[row[:2]] for row in fresh if row[:2] in carried)
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


def _note_groups(index: Index, groups: dict[int, Newest]) -> None:
    heirs = dict(index.db.execute("SELECT id, heir FROM grp WHERE heir NOTNULL"))
    for group, newest in groups.items():
        group = heirs.get(group, group)  # noqa: PLW2901 -- it may have become part of another in this batch
        index.db.execute("UPDATE grp SET first = min(first, ?) WHERE id = ?", (newest.first, group))
        sql = "UPDATE grp SET last = ?, latest = ? WHERE id = ? AND last <= ?"
        try:
            record = orjson.loads(newest.line)
        except orjson.JSONDecodeError:  # damaged between its ends: the newest is looked up when it is asked for
            index.db.execute(sql, (newest.last, "", group, newest.last))
            continue
        if index.db.execute(sql, (newest.last, identify(record), group, newest.last)).rowcount:
            words = title(record), word_of(record.get("culprit"), LONGEST), group
            index.db.execute("UPDATE grp SET title = ?, culprit = ? WHERE id = ?", words)


def drop_damaged(index: Index, rows: Iterable[Row]) -> None:
    """Have records be unreadable places of whose lines the middle has turned out to be damaged.

    Args:
        index: not in a transaction.
        rows: of these records.

    Raises:
        sqlite3.Error: somebody else writes to the index.
    """
    index.db.execute("BEGIN IMMEDIATE")
    try:
        sql = "DELETE FROM record WHERE at = ? AND tie = ? AND source = ? AND offset = ?"
        gone = [row for row in rows if index.db.execute(sql, row[:4]).rowcount]
        count(index, {key: -n for key, n in Counter((r[5], r[0] // QUARTER) for r in gone if not r[7]).items()})
        told = [(*row[2:5], "damaged between its ends") for row in gone]
        index.db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", told)
    finally:
        index.db.execute("COMMIT")
