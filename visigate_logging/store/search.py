"""Finding where records stand: filters, and places between two pages."""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from visigate_logging.exceptions import StoreError
from visigate_logging.store.facets import word_of
from visigate_logging.store.identity import id_bytes
from visigate_logging.store.index import Row
from visigate_logging.store.times import micros, parse_timestamp

MERGED = 400
"""Facets up to which each is read from its newest on; beyond, records are read by time and sorted out."""
IS_SORTED = "SELECT 1 FROM sqlite_schema WHERE name = 'record_by_facet'"
"""Whether a facet's records can be found by themselves: not while an index is made for the first time."""
FEW = 50
"""Candidates for an id of which a part is known."""
SELECT = "SELECT at, tie, source, offset, length, facet, clock, repeats FROM record"


def _place_of(cursor: str) -> tuple[int, bytes]:
    """Return where a page ended.

    Raises:
        StoreError: it is not a cursor that a page gave.
    """
    try:
        at, tie = cursor.rsplit("-", 1)  # a time before 1970 begins with a minus itself
        return int(at), bytes.fromhex(tie)
    except ValueError as error:
        raise StoreError(f"{cursor!r} is not a cursor; take the one that the page before gave") from error


def cursor_at(row: Row) -> str:
    """Return what to ask with for those after a record."""
    return f"{row[0]}-{row[1].hex()}"


def find(
    db: sqlite3.Connection,
    facets: Sequence[int] | None,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
) -> Iterator[Row]:
    """Return where records stand, the newest first, read from the index as they are asked for.

    Args:
        db: the index.
        facets: as from ``facets_of``.
        since: from this time on.
        until: before this time.
        cursor: after this place of an earlier question.
    """
    before = _place_of(cursor) if cursor else (1 << 62, b"")
    if until and micros(until) <= before[0]:
        before = (micros(until), b"")
    span = (micros(since) if since else -(1 << 62), *before)
    if facets is None:
        return _rows(db, "", span)
    if len(facets) <= MERGED and db.execute(IS_SORTED).fetchone():
        newest = [_rows(db, "facet = ? AND", (facet, *span)) for facet in facets]
        return heapq.merge(*newest, reverse=True)
    some = "facet IN (SELECT value FROM json_each(?)) AND"
    return _rows(db, some, (json.dumps(facets), *span))


def _rows(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[Row]:
    sql = f"{SELECT} WHERE {where} at >= ? AND (at, tie) < (?, ?) ORDER BY at DESC, tie DESC"
    return iter(db.execute(sql, values))


def locate(db: sqlite3.Connection, event_id: str) -> Row | None:
    """Return where the error with an id is: its upper half says when (RFC 9562), unless it was made elsewhere."""
    whole = id_bytes(event_id)
    return None if whole is None else locate_in_time(db, event_id) or locate_tie(db, whole[8:])


def locate_in_time(db: sqlite3.Connection, event_id: str) -> Row | None:
    """Return where the error with an id is, if its id says when; that needs no search."""
    whole = id_bytes(event_id)
    if whole is None:
        return None
    at = int.from_bytes(whole[:6]) * 1000
    for shift in (0, *(row[0] for row in db.execute("SELECT DISTINCT shift FROM clock WHERE shift"))):
        sql = f"{SELECT} WHERE at BETWEEN ? AND ? AND tie = ?"
        found: Row | None = db.execute(sql, (at + shift, at + shift + 999, whole[8:])).fetchone()
        if found:
            return found
    return None


def known_of(db: sqlite3.Connection, records: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of those records that are in the index.

    Args:
        db: the index.
        records: as on disk, each with a valid time and id.
    """
    shifts: dict[object, set[int]] = {}
    sql = "SELECT 1 FROM record WHERE at = ? AND tie = ?"
    found = set()
    for record in records:
        boot, at, tie = record.get("boot_id"), parse_timestamp(record["timestamp"]), id_bytes(record["event_id"])
        if isinstance(boot, str) and boot not in shifts:
            moved = db.execute("SELECT shift FROM clock WHERE boot = ?", (word_of(boot),))
            shifts[boot] = {row[0] for row in moved}
        for shift in {0} | shifts.get(boot if isinstance(boot, str) else None, set()):
            if tie and db.execute(sql, (at + shift, tie[8:])).fetchone():
                found.add(record["event_id"])
    return found


def locate_tie(db: sqlite3.Connection, tie: bytes) -> Row | None:
    """Return where the error is whose id has that lower half; all of the index may have to be read for it."""
    found: Row | None = db.execute(f"{SELECT} WHERE tie = ?", (tie,)).fetchone()
    return found


def locate_part(db: sqlite3.Connection, digits: str) -> list[Row]:
    """Return where errors may be whose id begins or ends with some hex digits: a few, and others among them.

    All of the index may have to be read for it.
    """
    found: list[Row] = db.execute(f"{SELECT} WHERE hex(tie) LIKE ? LIMIT {FEW}", (f"%{digits[-16:]}",)).fetchall()
    first, last = (int(digits[:12].ljust(12, filler), 16) * 1000 for filler in "0f")
    for shift in (0, *(row[0] for row in db.execute("SELECT DISTINCT shift FROM clock WHERE shift"))):
        sql = f"{SELECT} WHERE at BETWEEN ? AND ? LIMIT {FEW}"
        found += db.execute(sql, (first + shift, last + shift + 999)).fetchall()
    return found


def keys_beginning(db: sqlite3.Connection, part: str) -> list[str]:
    """Return the keys of groups that begin with some characters, or do so behind the version of their rules."""
    sql = "SELECT key FROM grp WHERE instr(key, ?) = 1 OR instr(key, ':' || ?) > 0 LIMIT ?"
    return [row[0] for row in db.execute(sql, (part, part, FEW))]


def next_newer(db: sqlite3.Connection, facets: Sequence[int], place: Row) -> Row | None:
    """Return the oldest record of some facets that is newer than another."""
    newer = [
        db.execute(
            f"{SELECT} WHERE facet = ? AND (at, tie) > (?, ?) ORDER BY at, tie LIMIT 1",
            (facet, place[0], place[1]),
        ).fetchone()
        for facet in facets
    ]
    return min((row for row in newer if row), default=None)
