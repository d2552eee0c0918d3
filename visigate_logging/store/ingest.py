"""Taking lines into the index: where each record stands, and what it is searched by."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from visigate_logging.store.index import Index, Row
from visigate_logging.store.lines import Line
from visigate_logging.store.tally import count
from visigate_logging.store.times import parse_timestamp

__all__ = ["Taken", "id_bytes", "identify", "take"]

WORD, SENTENCE = 200, 500
"""Characters that the index keeps of a name and of a title; the records on disk keep all."""
FACET = ("error_type", "module", "severity", "category", "host", "process", "fingerprint")
"""What records are searched and counted by."""
MAX_FACETS = 50_000
"""Facets that are remembered; a hostile log may make any number."""
TELLING = ("timestamp", "error_type", "error_message", "module", "function", "message", "pid")
"""What tells a record without an id from another."""
_facet_words = itemgetter(*FACET)


class Taken(NamedTuple):
    """What came of reading on in a file: lines read, the position after them, and the records' times."""

    lines: int
    position: int
    first: int | None
    last: int | None


class _Newest:
    """Of one group in one batch: first and last time, and the record that was last."""

    __slots__ = ("first", "last", "record")

    def __init__(self, at: int, record: dict[str, Any]) -> None:
        self.first = self.last = at
        self.record = record


def take(index: Index, source: int, lines: Iterable[Line], *, start: int, counted: int) -> Taken:
    """Take lines of a file into the index.

    Args:
        index: in a transaction.
        source: the number of the file there.
        lines: what stands in the file from ``start`` on.
        start: offset of the first line.
        counted: offset up to which the records are in the counts already.
    """
    rows: list[Row] = []
    groups: dict[int, _Newest] = {}
    damage: list[tuple[int, int, int, str]] = []
    position, number = start, 0
    # The one loop that runs a million times: it calls little, and makes plain tuples.
    for offset, length, record, problem in lines:
        number += 1
        position = offset + length
        if record is None:
            if problem:
                damage.append((source, offset, length, problem))
            continue
        try:
            at = parse_timestamp(record["timestamp"])
        except ValueError as error:
            damage.append((source, offset, length, f"a record without a time: {error}"))
            continue
        try:
            facet, group = index.facets[_facet_words(record)]
        except (KeyError, TypeError):  # a new one; or a field is missing, or is a list, as no writer of ours makes it
            facet, group = _new_facet(index, record)
        newest = groups.get(group)
        if newest is None:
            groups[group] = _Newest(at, record)
        elif at >= newest.last:
            newest.last, newest.record = at, record
        elif at < newest.first:
            newest.first = at
        whole = id_bytes(record.get("event_id")) or bytes.fromhex(identify(record))
        rows.append((at, whole[8:], source, offset, length, facet))
    count(index, [row for row in _insert(index, rows) if row[3] >= counted])
    _note_groups(index, groups)
    index.db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", damage)
    first = min((newest.first for newest in groups.values()), default=None)
    last = max((newest.last for newest in groups.values()), default=None)
    return Taken(number, position, first, last)


def id_bytes(event_id: object) -> bytes | None:
    """The 16 bytes of an event's id, of which the lower half tells it from others; None for what is no id."""
    try:
        whole = bytes.fromhex(event_id)  # type: ignore[arg-type]  # what is no text is refused here
    except (ValueError, TypeError):
        return None
    return whole if len(whole) == 16 else None


def identify(record: dict[str, Any]) -> str:
    """The id of a record: its own, or one made from its content when it has none that is valid."""
    if id_bytes(record.get("event_id")):
        return str(record["event_id"])
    telling = orjson.dumps([_scalar(record.get(name)) for name in TELLING])
    content = blake2b(telling, digest_size=10).hexdigest()
    milliseconds = parse_timestamp(record["timestamp"]) // 1000
    return f"{milliseconds & (1 << 48) - 1:012x}7{content[:3]}{content[-16:]}"


def _new_facet(index: Index, record: dict[str, Any]) -> tuple[int, int]:
    """The numbers of a record's facet and group, looked up in the index or given."""
    words = [_text(record.get(name), WORD) for name in FACET[:-1]]
    group = _text(record.get(FACET[-1]), SENTENCE)
    if len(index.facets) >= MAX_FACETS:
        index.facets.clear()
    # Errors without a fingerprint, as other programs write them, are grouped by type and module.
    found = _intern(index, words, group or f"{words[0]} in {words[1]}", record)
    return index.facets.setdefault((*words, group), found)


def _intern(index: Index, words: Sequence[str], name: str, record: dict[str, Any]) -> tuple[int, int]:
    title, culprit = _title(record), _text(record.get("culprit"), SENTENCE)
    index.db.execute(
        "INSERT OR IGNORE INTO grp (key, title, culprit, first, last, latest) VALUES (?, ?, ?, ?, ?, '')",
        (name, title, culprit, (1 << 63) - 1, -(1 << 63)),
    )
    (group,) = index.db.execute("SELECT id FROM grp WHERE key = ?", (name,)).fetchone()
    index.db.execute(
        "INSERT OR IGNORE INTO facet (type, module, severity, category, host, process, grp) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*words, group),
    )
    (facet,) = index.db.execute(
        "SELECT id FROM facet WHERE (type, module, severity, category, host, process, grp) = (?, ?, ?, ?, ?, ?, ?)",
        (*words, group),
    ).fetchone()
    return facet, group


def _scalar(value: object) -> object:
    """A value of the kinds that fields of ours have; what is within a nested one may not have been read."""
    return None if isinstance(value, dict | list) else value


def _text(value: object, longest: int) -> str:
    """A value as text that SQLite takes: no lone surrogates, not too long."""
    value = _scalar(value)
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text[:longest].encode("utf-8", "replace").decode()


def _title(record: dict[str, Any]) -> str:
    message = _text(record.get("error_message"), SENTENCE).partition("\n")[0]
    return f"{_text(record['error_type'], WORD)}: {message}"[:SENTENCE]


def _insert(index: Index, rows: Sequence[Row]) -> Sequence[Row]:
    """Put rows in; those that were not there before."""
    statement = "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?)"
    index.db.execute("SAVEPOINT rows")
    before = index.db.total_changes
    index.db.executemany(statement, rows)
    if index.db.total_changes - before == len(rows):
        index.db.execute("RELEASE rows")
        return rows
    # Some stand in another file too, such as a copy: find out which, so that none is counted twice.
    index.db.execute("ROLLBACK TO rows")
    fresh = [row for row in rows if index.db.execute(statement, row).rowcount]
    index.db.execute("RELEASE rows")
    return fresh


def _note_groups(index: Index, groups: dict[int, _Newest]) -> None:
    index.db.executemany(
        "UPDATE grp SET first = min(first, ?), last = ?, latest = ?, title = ?, culprit = ? "
        "WHERE id = ? AND last <= ?",
        [
            (
                newest.first,
                newest.last,
                identify(newest.record),
                _title(newest.record),
                _text(newest.record.get("culprit"), SENTENCE),
                group,
                newest.last,
            )
            for group, newest in groups.items()
        ],
    )
    index.db.executemany(
        "UPDATE grp SET first = min(first, ?) WHERE id = ?",
        [(newest.first, group) for group, newest in groups.items()],
    )
