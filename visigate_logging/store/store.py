"""ErrorStore: every question about the errors on disk."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError, UnknownEventError
from visigate_logging.store.access import Access
from visigate_logging.store.check import check_index
from visigate_logging.store.courses import find_trends
from visigate_logging.store.follow import Follower
from visigate_logging.store.groups import GroupPage, find_groups, varying
from visigate_logging.store.ingest import event_key
from visigate_logging.store.legacy import legacy_tie
from visigate_logging.store.search import SELECT, Filter, Page, Pointer, facets_of, find, search_text
from visigate_logging.store.statistics import count_errors, count_over_time
from visigate_logging.store.times import Period, from_micros, micros

__all__ = ["ErrorStore"]

EVENTS = 50


class ErrorStore:
    """The errors of one log: the details file, and what has been rotated away from it.

    It only reads the log. Each question first takes in what is new. Threads may share a store, and any
    number of processes may have one each.

    Args:
        path: the details file, or the directory that holds ``details.jsonl``.
        tz: the time zone of days; None is the local one.
        clock: seconds since 1970, for tests.
        progress: told while the index is brought up to date: bytes read, and of how many.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tz: tzinfo | None = None,
        clock: Callable[[], float] = time.time,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        given = Path(path)
        self.path = given / "details.jsonl" if given.is_dir() else given
        self.tz = tz
        self._clock = clock
        self._access = Access(self.path, progress)

    def recent(
        self,
        limit: int = 10,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        cursor: str | None = None,
        **words: str | None,
    ) -> Page:
        """Errors, the newest first.

        Args:
            limit: at most so many.
            since: from this time on.
            until: before this time.
            text: only those that have it in type, messages, names, traceback or additional information, in
                any case. This reads the records themselves, up to 20,000 of them; see :class:`Page`.
            cursor: from an earlier page: go on after it.
            words: type, module, severity, category, host, process or group, exactly as the record has it.

        Raises:
            StoreError: the log cannot be read, or the cursor is none.
        """
        asked = Filter(**words)

        def question(db: sqlite3.Connection) -> Page:
            found = find(db, facets_of(db, asked), since, until, cursor)
            if text:
                return _page(*search_text(found, text, limit, self._access.read), limit)
            pointers = list(islice(found, limit + 1))
            return _page(list(zip(pointers, self._access.read(pointers), strict=True)), None, limit)

        return self._access.ask(question)

    def get(self, event_id: str) -> ErrorDetail:
        """The error with that id.

        Raises:
            UnknownEventError: there is none, or not any more.
            StoreError: the log cannot be read.
        """
        wanted = "".join(event_id.lower().replace("-", "").split())
        tie = event_key(wanted)
        record = None if tie is None else self._access.ask(lambda db: self._by_id(db, wanted, tie))
        if record is None:
            raise UnknownEventError(f"no error in {self.path} and its rotated files has the id {event_id!r}")
        return record

    def neighbours(self, record: ErrorDetail) -> tuple[str | None, str | None]:
        """The ids of the errors before and after one in its group."""

        def question(db: sqlite3.Connection) -> tuple[str | None, str | None]:
            tie = event_key(record.event_id) or b""
            place = _locate(db, record.event_id, tie)
            if place is None:
                return None, None
            facets = facets_of(db, Filter(group=record.fingerprint))
            older = next(find(db, facets, None, None, f"{place[0]}-{tie.hex()}"), None)
            newer = _next_newer(db, facets or (), place)
            return self._id_of(older), self._id_of(newer)

        return self._access.ask(question)

    def follow(self, poll: float = 0.5) -> Iterator[ErrorDetail]:
        """New errors as they come, across rotation; waits for more for ever.

        Args:
            poll: seconds between two looks.
        """
        follower = self.follower()
        try:
            while True:
                for line in follower.poll():
                    if line.record:
                        yield ErrorDetail.from_dict(line.record)
                time.sleep(poll)
        finally:
            follower.close()

    def follower(self) -> Follower:
        """What :meth:`follow` looks with, for who has a loop of their own."""
        try:
            return Follower(self.path)
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}; name the log with --log") from error

    def statistics(self, days: int = 7, tz: tzinfo | None = None) -> dict[str, Any]:
        """Counts over the last days, today included.

        Args:
            days: how many, each from midnight to midnight.
            tz: the time zone of the days; that of the store when not given.

        Returns:
            ``total_errors``; ``error_types``, ``modules``, ``categories``, ``severities``, ``hosts`` and
            ``processes`` with their counts, the most frequent first; ``daily_counts`` by date, days without
            errors as 0; ``hours`` by hour of the day.
        """
        return self._access.ask(lambda db: count_errors(db, self._period(days, tz)))

    def timeline(self, *, days: int = 0, hours: int = 0, **words: str | None) -> list[dict[str, Any]]:
        """Counts by severity for each of the last days or hours: ``start``, ``total``, ``severities``.

        Args:
            days: how many; or
            hours: how many.
            words: as in :meth:`recent`; only errors with them count.
        """
        asked = Filter(**words)

        def question(db: sqlite3.Connection) -> list[dict[str, Any]]:
            facets = facets_of(db, asked)
            return count_over_time(db, self._period(days), hours=hours, facets=facets)

        return self._access.ask(question)

    def groups(
        self,
        limit: int = 50,
        *,
        days: int = 30,
        order: str = "last",
        text: str | None = None,
        cursor: str | None = None,
        **words: str | None,
    ) -> GroupPage:
        """The groups with errors in the last days.

        Args:
            limit: at most so many.
            days: the period, today included.
            order: ``last`` for the latest seen first, ``count`` for the most frequent in the period first.
            text: only those with it in title or culprit, in any case.
            cursor: from an earlier page: go on after it.
            words: as in :meth:`recent`; only errors with them count.
        """
        period, asked = self._period(days), Filter(**words)
        return self._access.ask(
            lambda db: find_groups(db, period, asked, limit=limit, order=order, text=text, cursor=cursor)
        )

    def group(self, key: str, *, days: int = 30, limit: int = EVENTS, cursor: str | None = None) -> dict[str, Any]:
        """One group: itself, its events, what differs between them, its trend and bursts.

        Args:
            key: its fingerprint.
            days: the period of its counts.
            limit: how many events.
            cursor: from an earlier page of events.

        Returns:
            ``group`` (a :class:`Group`, None when it had no error in the period), ``total`` (all that were
            ever counted), ``events`` (a :class:`Page`), ``varying``, ``trend``, ``bursts``.

        Raises:
            UnknownEventError: there is no such group.
        """
        events = self.recent(limit, group=key, cursor=cursor)
        found = self.groups(1, days=days, group=key)
        trend = self.trends(days=days, group=key)["groups"]
        if not trend:
            raise UnknownEventError(f"no group in {self.path} has the key {key!r}")
        return {
            "group": found[0] if found.groups else None,
            "total": trend[0]["total"],
            "events": events,
            "varying": varying(events.records),
            "trend": trend[0]["trend"],
            "bursts": trend[0]["bursts"],
        }

    def trends(self, days: int = 30, group: str | None = None) -> dict[str, Any]:
        """Whether errors rise or fall over the last whole days, and their bursts: ``total`` and ``groups``.

        Each has ``count`` and ``daily`` of the period, ``total`` (all that were ever counted), ``trend``
        (``rising``, ``falling``, ``steady``) with its ``p``, and ``bursts``: ``start``, ``count``,
        ``expected``, ``score``.
        """
        period = self._period(days)
        return self._access.ask(lambda db: find_trends(db, period, group))

    def choices(self) -> dict[str, list[str]]:
        """The values that records can be filtered by: of type, module, severity, category, host, process."""
        names = ("type", "module", "severity", "category", "host", "process")
        return self._access.ask(
            lambda db: {
                name: [row[0] for row in db.execute(f"SELECT DISTINCT {name} FROM facet ORDER BY 1")]  # noqa: S608
                for name in names
            }
        )

    def unreadable(self, limit: int = 100) -> list[dict[str, Any]]:
        """Where the files hold something that is no record: ``file``, ``offset``, ``length``, ``problem``."""

        def question(db: sqlite3.Connection) -> list[dict[str, Any]]:
            rows = db.execute("SELECT * FROM unreadable ORDER BY source DESC, offset DESC LIMIT ?", (limit,))
            return [
                {
                    "file": str(self._access.files[s].path),
                    "offset": offset,
                    "length": length,
                    "problem": problem,
                }
                for s, offset, length, problem in rows
                if s in self._access.files
            ]

        return self._access.ask(question)

    def imported(self, name: str) -> ErrorDetail:
        """The error that was imported from a file of the old kind, ``error_YYYYMMDD_HHMMSS_Type.json``.

        Raises:
            UnknownEventError: no file of that name has been imported.
        """
        tie = legacy_tie(name)
        place = self._access.ask(lambda db: db.execute(f"{SELECT} WHERE tie = ?", (tie,)).fetchone())
        record = self._access.ask(lambda _db: self._access.read([place])[0]) if place else None
        if record is None:
            raise UnknownEventError(f"{name!r} has not been imported into {self.path}")
        return record

    def prune(self, before: datetime, *, dry_run: bool = False) -> list[Path]:
        """Remove the rotated files in which all records are older than a time; what they counted stays counted.

        Args:
            before: that time.
            dry_run: only find them.

        Returns:
            The files. The one that is being written is never among them.
        """

        def question(db: sqlite3.Connection) -> list[Path]:
            old = {row[0] for row in db.execute("SELECT id FROM source WHERE last < ?", (micros(before),))}
            return [f.path for source, f in self._access.files.items() if source in old and f.path != self.path]

        paths = self._access.ask(question)
        if not dry_run:
            for path in paths:
                path.unlink(missing_ok=True)
        return paths

    def rebuild(self) -> None:
        """Make the index anew from the files. The counts of files that have been rotated out are forgotten."""
        self._access.discard()
        self._access.ask(lambda _db: None)

    def check(self) -> list[str]:
        """What is wrong with the index: found by SQLite itself, and by reading all files again."""
        return self._access.ask(lambda db: check_index(db, self.path))

    def health(self) -> dict[str, Any]:
        """What the answers rest on: files, records, unreadable places, and where the index is."""

        def question(db: sqlite3.Connection) -> dict[str, Any]:
            return {
                "log": str(self.path),
                "files": [str(file.path) for file in self._access.files.values()],
                "bytes": sum(file.size for file in self._access.files.values()),
                "records": db.execute("SELECT count(*) FROM record").fetchone()[0],
                "unreadable": db.execute("SELECT count(*) FROM unreadable").fetchone()[0],
                "index": self._access.place,
                "note": self._access.note,
            }

        return self._access.ask(question)

    def close(self) -> None:
        """Let go of the index."""
        self._access.close()

    def __enter__(self) -> "ErrorStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _period(self, days: int, tz: tzinfo | None = None) -> Period:
        return Period(int(self._clock() * 1e6), days, tz or self.tz)

    def _id_of(self, place: Pointer | None) -> str | None:
        (record,) = self._access.read([place]) if place else [None]
        return record.event_id if record else None

    def _by_id(self, db: sqlite3.Connection, event_id: str, tie: bytes) -> ErrorDetail | None:
        place = _locate(db, event_id, tie)
        (record,) = self._access.read([place]) if place else [None]
        return record


def _page(found: list[tuple[Pointer, ErrorDetail | None]], stopped: Pointer | None, limit: int) -> Page:
    shown = [record for _, record in found[:limit] if record]
    if len(found) > limit:
        return Page(shown, _cursor(found[limit - 1][0]))
    if stopped:
        return Page(shown, _cursor(stopped), from_micros(stopped[0]))
    return Page(shown)


def _cursor(pointer: Pointer) -> str:
    return f"{pointer[0]}-{pointer[1].hex()}"


def _locate(db: sqlite3.Connection, event_id: str, tie: bytes) -> Pointer | None:
    """Where the error with an id is: its upper half says when (RFC 9562), unless it was made elsewhere."""
    at = int(event_id[:12], 16) * 1000
    place: Pointer | None = db.execute(
        f"{SELECT} WHERE at BETWEEN ? AND ? AND tie = ?", (at, at + 999, tie)
    ).fetchone()
    return place or db.execute(f"{SELECT} WHERE tie = ?", (tie,)).fetchone()


def _next_newer(db: sqlite3.Connection, facets: Sequence[int], place: Pointer) -> Pointer | None:
    newer = [
        db.execute(
            f"{SELECT} WHERE facet = ? AND (at, tie) > (?, ?) ORDER BY at, tie LIMIT 1",
            (facet, place[0], place[1]),
        ).fetchone()
        for facet in facets
    ]
    return min((row for row in newer if row), default=None)
