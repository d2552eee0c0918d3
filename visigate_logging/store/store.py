"""ErrorStore: every question about the errors on disk."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from visigate_logging.store.differences import Spread, spread
from visigate_logging.store.facets import Filter, choices_of, facets_of
from visigate_logging.store.group_queries import GroupQueries
from visigate_logging.store.groups import Group
from visigate_logging.store.insights import together
from visigate_logging.store.statistics import count_errors, count_over_time, count_totals
from visigate_logging.store.times import micros
from visigate_logging.store.trends import bursting
from visigate_logging.store.upkeep import check_index, files_before, overview


class ErrorStore(GroupQueries):
    """The errors of one log: the details file, and what has been rotated away from it.

    It only reads the log. Each question first takes in what is new. Threads may share a store, and any
    number of processes may have one each.

    Args:
        path: the details file, or the directory that holds ``details.jsonl``.
        tz: the time zone of days; None is the local one.
        clock: seconds since 1970, for tests.
        progress: told while the index is brought up to date: bytes read, and of how many.
    """

    def statistics(self, days: int = 7, tz: tzinfo | None = None) -> dict[str, Any]:
        """Counts over the last days, today included.

        Args:
            days: how many, each from midnight to midnight.
            tz: the time zone of the days; that of the store when not given.

        Returns:
            ``total_errors``; ``error_types``, ``modules``, ``categories``, ``severities``, ``hosts`` and
            ``processes`` with their counts, the most frequent first; ``daily_counts`` by date, days without
            errors as 0; ``hours`` by hour of the day; ``states``: how many groups with errors in these days are open,
            resolved, muted.
        """

        def question(db: sqlite3.Connection) -> dict[str, Any]:
            return count_errors(db, self._period(days, tz)) | {"states": self.groups(1, days=days).states}

        return self._access.ask(question)

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

    def totals(self, limit: int = 100) -> dict[str, Any]:
        """Return all that was ever counted, of files that are gone too: numbers that grow while the index stands.

        Args:
            limit: at most so many of each.

        Returns:
            ``kinds`` (severity and category, count) and ``types`` (name, count), the most frequent first; ``groups``
            (key, type, count), the latest seen first; ``last``, when the last error was, in seconds since 1970.
        """
        return self._access.ask(lambda db: count_totals(db, limit))

    def choices(self) -> dict[str, list[str]]:
        """Return the values that errors can be filtered by, by facet; those of the application's own as well."""
        return self._access.ask(choices_of)

    def bursting(self, keys: Iterable[str], since: datetime) -> set[str]:
        """Return the keys of those groups of some that have had a burst that began after a time, of the last days."""
        return self._access.ask(lambda db: bursting(db, self._period(2), keys, micros(since)))

    def together(self, groups: Sequence[Group]) -> dict[str, list[str]]:
        """Return which of some groups come with one another: their errors within seconds, and not by chance.

        Args:
            groups: from one answer of :meth:`groups`.

        Returns:
            The keys of the others by that of each, as far as the newest 1,000 errors tell.
        """
        return self._access.ask(lambda db: together(db, groups))

    def spread(self, keys: Sequence[str], names: Sequence[str]) -> dict[str, Spread]:
        """Return at which places groups have been, and since which release, by key; without those that were at none.

        Args:
            keys: of the groups.
            names: facets of the application's own that name a place together, such as ``site`` and ``gate``.
        """
        return self._access.ask(lambda db: spread(db, keys, names))

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
        """Return what is wrong with the index: found by SQLite itself, and by reading all files again."""
        access = self._access
        return access.ask(lambda db: check_index(db, access.files, self.path, access.reader_clock()))

    def health(self) -> dict[str, Any]:
        """Return what the answers rest on: files, records, unreadable places, and where the index is."""
        found = self._access.ask(lambda db: overview(db, self._access.files))
        return {"log": str(self.path)} | found | {"index": self._access.place, "note": self._access.note}
