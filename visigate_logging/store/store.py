"""ErrorStore: every question about the errors on disk."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError, UnknownEventError
from visigate_logging.store.access import Access
from visigate_logging.store.courses import find_trends
from visigate_logging.store.facets import Filter, choices_of, facets_of
from visigate_logging.store.fetch import Page, first_page, search_text
from visigate_logging.store.follow import Follower
from visigate_logging.store.groups import Group, GroupPage, find_groups, varying
from visigate_logging.store.imported import legacy_tie
from visigate_logging.store.insights import find_forecasts, insights_of
from visigate_logging.store.search import cursor_at, find, locate, locate_tie, next_newer
from visigate_logging.store.statistics import count_errors, count_over_time
from visigate_logging.store.times import Period
from visigate_logging.store.upkeep import check_index, files_before, overview, unreadable_places

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
        self._access = Access(self.path, progress, clock)

    @property
    def patience(self) -> float | None:
        """Seconds that a question waits for an index that is far behind; None, as at first, to wait for all of it.

        After that it is answered from what has been read, the newest first, and a thread goes on: see ``building``.
        """
        return self._access.patience

    @patience.setter
    def patience(self, seconds: float | None) -> None:
        self._access.patience = seconds

    @property
    def building(self) -> str:
        """How far an index that is being made has come, in a sentence; empty when all has been read."""
        return self._access.building

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
        asked, read = Filter(words), self._access.read

        def question(db: sqlite3.Connection) -> Page:
            rows = find(db, facets_of(db, asked), since, until, cursor)
            return search_text(rows, text, limit, read) if text else first_page(rows, limit, read)

        return self._access.ask(question)

    def get(self, event_id: str) -> ErrorDetail:
        """The error with that id.

        Raises:
            UnknownEventError: there is none, or not any more.
            StoreError: the log cannot be read.
        """
        wanted = "".join(event_id.lower().replace("-", "").split())
        record = self._access.ask(lambda db: self._access.read_one(locate(db, wanted)))
        if record is None:
            raise UnknownEventError(f"no error in {self.path} and its rotated files has the id {event_id!r}")
        return record

    def neighbours(self, record: ErrorDetail) -> tuple[str | None, str | None]:
        """The ids of the errors before and after one in its group."""

        def question(db: sqlite3.Connection) -> tuple[str | None, str | None]:
            place = locate(db, record.event_id)
            if place is None:
                return None, None
            facets = facets_of(db, Filter({"group": record.fingerprint})) or ()
            beside = next(find(db, facets, None, None, cursor_at(place)), None), next_newer(db, facets, place)
            older, newer = map(self._access.read_one, beside)
            return older.event_id if older else None, newer.event_id if newer else None

        return self._access.ask(question)

    def follow(self, poll: float = 0.5) -> Iterator[ErrorDetail]:
        """New errors as they come, across rotation; waits for more for ever.

        Args:
            poll: seconds between two looks.
        """
        with closing(self.follower()) as follower:
            while True:
                yield from (ErrorDetail.from_dict(line.record) for line in follower.poll() if line.record)
                time.sleep(poll)

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
        asked = Filter(words)

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
        period, asked = self._period(days), Filter(words)

        def question(db: sqlite3.Connection) -> GroupPage:
            page = find_groups(db, period, asked, limit=limit, order=order, text=text, cursor=cursor)
            return replace(page, groups=[g if g.latest else self._with_latest(db, g) for g in page])

        return self._access.ask(question)

    def _with_latest(self, db: sqlite3.Connection, group: Group) -> Group:
        """A group whose records have been moved in time with its latest error, which has to be looked up."""
        newest = next(find(db, facets_of(db, Filter({"group": group.key})), None, None, None), None)
        record = self._access.read_one(newest)
        return replace(group, latest=record.event_id) if record else group

    def group(self, key: str, *, days: int = 30, limit: int = EVENTS, cursor: str | None = None) -> dict[str, Any]:
        """One group: itself, its events, what differs between them, its trend and bursts.

        Args:
            key: its fingerprint.
            days: the period of its counts.
            limit: how many events.
            cursor: from an earlier page of events.

        Returns:
            ``group`` (a :class:`Group`, None when it had no error in the period), ``total`` (all that were
            ever counted), ``events`` (a :class:`Page`), ``varying``, ``why`` (what its errors have in common, by
            which they are told from others), ``trend``, ``bursts``; ``forecast`` (``within_days``, ``probability``),
            ``rhythm`` (``begin`` and ``end`` hour, on ``days`` ``of`` days), each None where nothing can be said;
            ``comes_with`` (``key`` and ``title`` of groups whose errors come within seconds), ``only`` (facets of
            which its errors have but one value, though others have others).

        Raises:
            UnknownEventError: there is no such group.
        """
        return self._access.ask(lambda db: self._group(db, key, days, limit, cursor))

    def _group(self, db: sqlite3.Connection, key: str, days: int, limit: int, cursor: str | None) -> dict[str, Any]:
        events = self.recent(limit, group=key, cursor=cursor)
        found = self.groups(1, days=days, group=key)
        trend = self.trends(days=days, group=key)["groups"]
        if not trend:
            raise UnknownEventError(f"no group in {self.path} has the key {key!r}")
        return insights_of(db, self._period(days), key) | {
            "group": found[0] if found.groups else None,
            "total": trend[0]["total"],
            "events": events,
            "varying": varying(events.records),
            "why": dict(events[0].grouping) if events else {},
            "trend": trend[0]["trend"],
            "bursts": trend[0]["bursts"],
        }

    def trends(self, days: int = 30, group: str | None = None) -> dict[str, Any]:
        """Whether errors rise or fall over the last whole days, and their bursts: ``total`` and ``groups``.

        Each has ``count`` and ``daily`` of the period, ``total`` (all that were ever counted), ``trend``
        (``rising``, ``falling``, ``steady``, ``too few days``) with its ``p``, and ``bursts``: ``start``, ``hours``,
        ``count``, ``expected``, ``score``.
        """
        period = self._period(days)
        return self._access.ask(lambda db: find_trends(db, period, group))

    def forecast(self, within: int = 7) -> list[dict[str, Any]]:
        """Which groups are likely to come back, the likeliest first.

        Each has ``key``, ``title``, ``within_days``, ``probability`` in steps of a tenth, and ``days`` with errors,
        which are at least three.

        Args:
            within: days ahead.
        """
        return self._access.ask(lambda db: find_forecasts(db, self._period(1), within))

    def choices(self) -> dict[str, list[str]]:
        """The values that errors can be filtered by, by facet; those of the application's own as well."""
        return self._access.ask(choices_of)

    def unreadable(self, limit: int = 100) -> list[dict[str, Any]]:
        """Where the files hold something that is no record: ``file``, ``offset``, ``length``, ``problem``."""
        return self._access.ask(lambda db: unreadable_places(db, self._access.files, limit))

    def imported(self, name: str) -> ErrorDetail:
        """The error that was imported from a file of the old kind, ``error_YYYYMMDD_HHMMSS_Type.json``.

        Raises:
            UnknownEventError: no file of that name has been imported.
        """
        record = self._access.ask(lambda db: self._access.read_one(locate_tie(db, legacy_tie(name))))
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
        old = self._access.ask(lambda db: files_before(db, self._access.files, before))
        return [file.path for file in old if file.path != self.path and (dry_run or file.remove())]

    def rebuild(self) -> None:
        """Make the index anew from the files. The counts of files that have been rotated out are forgotten."""
        self._access.discard()
        self._access.ask(lambda _db: None)

    def check(self) -> list[str]:
        """What is wrong with the index: found by SQLite itself, and by reading all files again."""
        return self._access.ask(lambda db: check_index(db, self.path, self._access.reader_clock()))

    def health(self) -> dict[str, Any]:
        """What the answers rest on: files, records, unreadable places, and where the index is."""
        found = self._access.ask(lambda db: overview(db, self._access.files))
        return {"log": str(self.path)} | found | {"index": self._access.place, "note": self._access.note}

    def close(self) -> None:
        """Let go of the index."""
        self._access.close()

    def __enter__(self) -> "ErrorStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _period(self, days: int, tz: tzinfo | None = None) -> Period:
        return Period(int(self._clock() * 1e6), days, tz or self.tz)
