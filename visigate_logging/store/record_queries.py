"""Questions about single errors."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from string import hexdigits
from typing import Any, Self

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError, UnknownEventError
from visigate_logging.store.access import Access
from visigate_logging.store.facets import Filter, facets_of
from visigate_logging.store.fetch import Page, first_page, search_text
from visigate_logging.store.follow import Follower, matching
from visigate_logging.store.identity import legacy_tie
from visigate_logging.store.search import cursor_at, find, known_of, locate, locate_part, locate_tie, next_newer
from visigate_logging.store.times import Period, from_micros, parse_timestamp
from visigate_logging.store.typed import about
from visigate_logging.store.upkeep import unreadable_places
from visigate_logging.triage.decisions import DecisionLog, decisions_path

MOST_AROUND = 20
"""Errors that are looked at around another."""
SHORTEST, WHOLE = 4, 32
"""Digits of a part of an id, and of a whole one."""


class OpenedLog:
    """One log and access to its index; see :class:`~visigate_logging.store.store.ErrorStore`."""

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
        self._decisions = DecisionLog(decisions_path(self.path))

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

    def close(self) -> None:
        """Let go of the index."""
        self._access.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _period(self, days: int, tz: tzinfo | None = None) -> Period:
        return Period(int(self._clock() * 1e6), days, tz or self.tz)


class RecordQueries(OpenedLog):
    """Questions about single errors; see :class:`~visigate_logging.store.store.ErrorStore`."""

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
        """Return the error with that id.

        Args:
            event_id: the id, or so much of its beginning or end that no other's is the same.

        Raises:
            UnknownEventError: there is none, or not any more, or several.
            StoreError: the log cannot be read.
        """
        wanted = "".join(event_id.lower().replace("-", "").split())
        if SHORTEST <= len(wanted) < WHOLE and not set(wanted) - set(hexdigits):
            return self._get_by_part(wanted)
        record = self._access.ask(lambda db: self._access.read_one(locate(db, wanted)))
        if record is None:
            raise UnknownEventError(f"no error in {self.path} and its rotated files has the id {event_id!r}")
        return record

    def known(self, records: Iterable[Mapping[str, Any]]) -> set[str]:
        """Return the ids of those records that the log has already.

        Args:
            records: as they would be on disk, each with a valid ``event_id`` and ``timestamp``.
        """
        return self._access.ask(lambda db: known_of(db, records))

    def _get_by_part(self, part: str) -> ErrorDetail:
        some = self._access.ask(lambda db: self._access.read(locate_part(db, part)))
        found = {r.event_id: r for r in some if r and (r.event_id.startswith(part) or r.event_id.endswith(part))}
        if len(found) != 1:
            told = f"{len(found)} do: {', '.join(list(found)[:5])}" if found else "none does"
            raise UnknownEventError(f"one error in {self.path} must begin or end with {part!r}; {told}")
        return found.popitem()[1]

    def neighbours(self, record: ErrorDetail) -> tuple[str | None, str | None]:
        """Return the ids of the errors before and after one in its group."""

        def question(db: sqlite3.Connection) -> tuple[str | None, str | None]:
            place = locate(db, record.event_id)
            if place is None:
                return None, None
            facets = facets_of(db, Filter({"group": record.fingerprint})) or ()
            beside = next(find(db, facets, None, None, cursor_at(place)), None), next_newer(db, facets, place)
            older, newer = map(self._access.read_one, beside)
            return older.event_id if older else None, newer.event_id if newer else None

        return self._access.ask(question)

    def around(self, record: ErrorDetail, seconds: float = 60.0) -> list[ErrorDetail]:
        """Return the errors of other groups at the same time, of all processes, oldest first; 20 at most.

        Args:
            record: one that the log has.
            seconds: before and after it.
        """
        try:
            at = from_micros(parse_timestamp(about(record) or record.timestamp), UTC)
        except ValueError:
            return []
        span = timedelta(seconds=seconds)
        found = self.recent(MOST_AROUND, since=at - span, until=at + span).records
        return [other for other in reversed(found) if other.fingerprint != record.fingerprint]

    def follow(
        self,
        poll: float = 0.5,
        *,
        backlog: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        **words: str | None,
    ) -> Iterator[ErrorDetail]:
        """New errors as they come, across rotation; waits for more for ever.

        Args:
            poll: seconds between two looks.
            backlog: begin with so many of the last errors, the oldest first.
            since: from this time on.
            until: before this time.
            text: as in :meth:`recent`.
            words: as in :meth:`recent`.
        """
        with closing(self.follower()) as follower:
            last = self.recent(backlog, since=since, until=until, text=text, **words).records if backlog else []
            yield from reversed(last)
            known = {record.event_id for record in last}
            while True:
                for record in matching(follower.poll(), Filter(words), text, since, until):
                    if record.event_id not in known:
                        yield record
                time.sleep(poll)

    def follower(self) -> Follower:
        """Return what :meth:`follow` looks with, for who has a loop of their own."""
        try:
            return Follower(self.path)
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}; name the log with --log") from error

    def imported(self, name: str) -> ErrorDetail:
        """Return the error that was imported from a file of the old kind, ``error_YYYYMMDD_HHMMSS_Type.json``.

        Raises:
            UnknownEventError: no file of that name has been imported.
        """
        record = self._access.ask(lambda db: self._access.read_one(locate_tie(db, legacy_tie(name))))
        if record is None:
            raise UnknownEventError(f"{name!r} has not been imported into {self.path}")
        return record

    def unreadable(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return where the files hold something that is no record: ``file``, ``offset``, ``length``, ``problem``."""
        return self._access.ask(lambda db: unreadable_places(db, self._access.files, limit))
