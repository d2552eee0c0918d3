"""Finding records: filters, pages, and the way from a pointer in the index to the record on disk."""

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import IO, Any

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError
from visigate_logging.store.files import LogFile
from visigate_logging.store.ingest import identify
from visigate_logging.store.times import micros
from visigate_logging.store.typed import typed

__all__ = ["Filter", "Page", "Pointer", "facets_of", "fetch", "find", "parse_cursor", "search_text"]

MERGED = 400
"""Facets up to which each is read from its newest on; beyond, records are read by time and sorted out."""
SEARCHED = 20_000
"""Records that one question for a text reads at most; its page says how far back that was."""
STEP = 500
SMALL = 4096
"""Bytes to read at once where single records are wanted."""
SELECT = "SELECT at, tie, source, offset, length, facet FROM record"

Pointer = tuple[int, bytes, int, int, int, int]
"""at, tie, source, offset, length, facet."""


@dataclass(frozen=True)
class Filter:
    """Which records; what is None does not matter.

    Args:
        type, module, severity, category, host, process, group: as the record has them, exactly.
    """

    type: str | None = None
    module: str | None = None
    severity: str | None = None
    category: str | None = None
    host: str | None = None
    process: str | None = None
    group: str | None = None

    def words(self) -> dict[str, str]:
        """What was asked for, by column."""
        asked = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: word for name, word in asked.items() if word is not None}


@dataclass(frozen=True)
class Page:
    """Some records, the newest first.

    Args:
        records: the records.
        cursor: what to pass as ``cursor`` for the next page; None when there are no more.
        searched_back_to: with ``text``, when the search stopped for having read enough: the time it got to.
            The cursor goes on from there.
    """

    records: Sequence[ErrorDetail]
    cursor: str | None = None
    searched_back_to: datetime | None = None

    def __iter__(self) -> Iterator[ErrorDetail]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> ErrorDetail:
        return self.records[number]


def facets_of(db: sqlite3.Connection, asked: Filter) -> list[int] | None:
    """The facets that a filter lets through; None for all of them."""
    words = asked.words()
    if not words:
        return None
    clauses = " AND ".join(
        "grp = (SELECT id FROM grp WHERE key = :group)" if name == "group" else f"{name} = :{name}" for name in words
    )
    return [row[0] for row in db.execute(f"SELECT id FROM facet WHERE {clauses}", words)]  # noqa: S608 -- names are the dataclass's own


def parse_cursor(cursor: str) -> tuple[int, bytes]:
    """A place between two records.

    Raises:
        StoreError: it is not a cursor that a page gave.
    """
    try:
        at, tie = cursor.split("-")
        return int(at), bytes.fromhex(tie)
    except ValueError as error:
        raise StoreError(f"{cursor!r} is not a cursor; take the one that the page before gave") from error


def find(
    db: sqlite3.Connection,
    facets: Sequence[int] | None,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
) -> Iterator[Pointer]:
    """Pointers to records, the newest first, read from the index as they are asked for.

    Args:
        db: the index.
        facets: as from :func:`facets_of`.
        since: from this time on.
        until: before this time.
        cursor: after this place of an earlier question.
    """
    before = parse_cursor(cursor) if cursor else (1 << 62, b"")
    if until and micros(until) <= before[0]:
        before = (micros(until), b"")
    span = (micros(since) if since else -(1 << 62), *before)
    if facets is None:
        return _pointers(db, "", span)
    if len(facets) <= MERGED:
        newest = [_pointers(db, "facet = ? AND", (facet, *span)) for facet in facets]
        return heapq.merge(*newest, reverse=True)
    some = "facet IN (SELECT value FROM json_each(?)) AND"
    return _pointers(db, some, (json.dumps(facets), *span))


def _pointers(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[Pointer]:
    sql = f"{SELECT} WHERE {where} at >= ? AND (at, tie) < (?, ?) ORDER BY at DESC, tie DESC"
    return iter(db.execute(sql, values))


def fetch(pointers: Sequence[Pointer], files: Mapping[int, LogFile]) -> list[ErrorDetail | None]:
    """The records that pointers point to, in their order; None for one that cannot be read any more.

    Raises:
        FileNotFoundError: a file has been rotated since the index was brought up to date.
    """
    found: dict[tuple[int, int], ErrorDetail | None] = {}
    with ExitStack() as stack:
        streams: dict[int, IO[bytes]] = {}
        for _, _, source, offset, length, _ in sorted(pointers, key=lambda p: (p[2], p[3])):
            if source not in streams:
                if source not in files:
                    raise FileNotFoundError(f"the file of source {source} is gone")
                streams[source] = stack.enter_context(files[source].open(SMALL))
            streams[source].seek(offset)
            found[source, offset] = _detail(streams[source].read(length))
    return [found[pointer[2], pointer[3]] for pointer in pointers]


def _detail(line: bytes) -> ErrorDetail | None:
    try:
        record = orjson.loads(line)
        return ErrorDetail.from_dict(typed(record | {"event_id": identify(record)}))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def search_text(
    pointers: Iterator[Pointer],
    text: str,
    limit: int,
    read: Callable[[Sequence[Pointer]], list[ErrorDetail | None]],
) -> tuple[list[tuple[Pointer, ErrorDetail | None]], Pointer | None]:
    """Records with a text anywhere in them, in any case; and where the search stopped if it did."""
    wanted = text.casefold()
    found: list[tuple[Pointer, ErrorDetail | None]] = []
    last = None
    for _ in range(SEARCHED // STEP):
        some = list(islice(pointers, STEP))
        for pointer, record in zip(some, read(some), strict=True):
            if record and wanted in _searchable(record):
                found.append((pointer, record))
                if len(found) > limit:
                    return found, None
            last = pointer
        if len(some) < STEP:
            return found, None
    return found, last


def _searchable(record: ErrorDetail) -> str:
    parts = (
        record.error_type,
        record.error_message,
        record.message,
        record.module,
        record.function,
        record.culprit,
        record.traceback,
        orjson.dumps(record.additional_info, default=str).decode(),
    )
    return "\n".join(parts).casefold()
