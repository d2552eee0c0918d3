"""From places in the index to the records on disk, and to pages of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.log_files import LogFile
from visigate_logging.store.identity import identify
from visigate_logging.store.index import Row
from visigate_logging.store.lines import RECORD_START, parse
from visigate_logging.store.search import cursor_at
from visigate_logging.store.times import from_micros
from visigate_logging.store.typed import read_record

SEARCHED = 20_000
"""Records that one question for a text reads at most; its page says how far back that was."""
STEP = 500
SMALL = 4096
"""Bytes to read at once where single records are wanted."""


Read = Callable[[Sequence[Row]], list[ErrorDetail | None]]
"""What fetches the records of rows."""


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


def fetch(
    rows: Sequence[Row], files: Mapping[int, LogFile], damaged: list[Row], *, partial: bool = False
) -> list[ErrorDetail | None]:
    """Return the records that rows of the index point to, in their order; None for one that cannot be read any more.

    Args:
        rows: of the index.
        files: by source.
        damaged: gets those whose line is there, but damaged between the ends that the index was made of.
        partial: whether the index is still being made, so that files may be missing.

    Raises:
        FileNotFoundError: a file has been rotated since the index was brought up to date.
    """
    found: dict[tuple[int, int], ErrorDetail | None] = {}
    with ExitStack() as stack:
        streams: dict[int, IO[bytes]] = {}
        for row in sorted(rows, key=lambda row: (row[2], row[3])):
            source, offset, length = row[2:5]
            if source not in streams:
                if partial and source not in files:
                    found[source, offset] = None
                    continue
                if source not in files:
                    raise FileNotFoundError(f"the file of source {source} is gone")
                streams[source] = stack.enter_context(files[source].open(SMALL))
            streams[source].seek(offset)
            line = streams[source].read(length)
            record = found[source, offset] = _detail(line, row)
            if record is None and line.startswith(RECORD_START) and line.endswith(row[1].hex().encode() + b'"}\n'):
                damaged.append(row)
    return [found[row[2], row[3]] for row in rows]


def _detail(line: bytes, row: Row) -> ErrorDetail | None:
    """Return the record of a row; where its line is damaged, which its ends did not tell, the one with its id."""
    for found in parse(line, 0):
        try:
            if (record := found.record) and (found.length == len(line) or _tie(record) == row[1]):
                return read_record(record | {"event_id": identify(record)}, row[0])
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    return None


def _tie(record: dict[str, Any]) -> bytes:
    return bytes.fromhex(identify(record))[8:]


def first_page(rows: Iterator[Row], limit: int, read: Read) -> Page:
    """Return the first records of some."""
    some = list(islice(rows, limit + 1))
    shown = [record for record in read(some[:limit]) if record]
    return Page(shown, cursor_at(some[limit - 1]) if len(some) > limit else None)


def search_text(rows: Iterator[Row], text: str, limit: int, read: Read) -> Page:
    """Return the first records with a text anywhere in them, in any case, as far as it goes."""
    wanted = text.casefold()
    found: list[tuple[Row, ErrorDetail | None]] = []
    last = None
    for _ in range(SEARCHED // STEP):
        some = list(islice(rows, STEP))
        for row, record in zip(some, read(some), strict=True):
            if record and wanted in searchable(record):
                found.append((row, record))
                if len(found) > limit:
                    return _page(found, limit)
            last = row
        if len(some) < STEP:
            return _page(found, limit)
    return _page(found, limit, stopped=last)


def _page(found: Sequence[tuple[Row, ErrorDetail | None]], limit: int, stopped: Row | None = None) -> Page:
    shown = [record for _, record in found[:limit] if record]
    if len(found) > limit:
        return Page(shown, cursor_at(found[limit - 1][0]))
    if stopped:
        return Page(shown, cursor_at(stopped), from_micros(stopped[0]))
    return Page(shown)


def searchable(record: ErrorDetail) -> str:
    """Return the texts of a record that are searched, in one case."""
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
