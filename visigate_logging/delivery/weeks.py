"""What happened since the last summary."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from visigate_logging.delivery.digest import title
from visigate_logging.delivery.entries import OTHER, Entry
from visigate_logging.delivery.recoveries import Recoveries
from visigate_logging.delivery.summary import Schedule, Week, standing
from visigate_logging.delivery.tables import Tables
from visigate_logging.delivery.throttle import level_number
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Instant, State
from visigate_logging.host.clock import clock
from visigate_logging.host.timeline import Timeline

if TYPE_CHECKING:
    import sqlite3

_MOST_GROUPS = 500


class Weeks(Tables):
    """Counts errors by group from one summary to the next; nothing where no summary is wanted.

    Args:
        state: opened with SCHEMA.
        handler: the handler's name.
        now: for tests.
        schedule: when summaries are told.
    """

    def __init__(
        self, state: State, handler: str, now: Callable[[], Instant] = clock, schedule: Schedule | None = None
    ) -> None:
        super().__init__(state, handler, now)
        self._schedule = schedule

    def summarise(self, message_id: str, stage: Callable[[Week, Counter[str]], None], now: datetime) -> bool:
        """Put a summary into a message when it is time; return whether that was so.

        Args:
            message_id: name of the message.
            stage: writes the message durably.
            now: by the host's own clock, which the schedule goes by.
        """
        if self._schedule is None:
            return False
        with self._open() as (connection, seconds):
            week, moment = self._week(connection), self._schedule.last(now).isoformat(timespec="minutes")
            if not week.since:  # the first run: a week begins
                self._keep_one(connection, Week(now.isoformat(timespec="minutes"), {}))
            if not week.since or moment <= week.since:
                return False
            directory = self._state.directory
            events = Timeline(directory).counts(datetime.fromisoformat(week.since))
            told = replace(week, events=events, standing=standing(directory))
            stage(told, Recoveries(directory).counts(week.since))
            query = "INSERT INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, 0, 0)"
            connection.execute(query, (message_id, self._handler, seconds))
            self._keep_one(connection, Week(moment, {}, frozenset(week.counts)))
        return True

    def count(self, connection: "sqlite3.Connection", entries: Sequence[Entry]) -> None:
        """Add errors to the week, inside a transaction of the caller's."""
        if self._schedule is None:
            return
        week = self._week(connection)
        counts = dict(week.counts)
        for entry in entries:
            name = entry.fingerprint if entry.fingerprint in counts or len(counts) < _MOST_GROUPS else OTHER
            n, severity, what = counts.get(name, (0, entry.severity, ""))
            if not what and entry.detail:
                what = title(ErrorDetail.from_dict(orjson.loads(entry.detail)))
            counts[name] = n + entry.count, max(severity, entry.severity, key=level_number), what
        self._keep_one(connection, Week(week.since, counts, week.before))

    def _week(self, connection: "sqlite3.Connection") -> Week:
        row = connection.execute("SELECT week FROM mail_weeks WHERE handler = ?", (self._handler,)).fetchone()
        if row is None:
            return Week("", {})
        given = orjson.loads(row[0])
        counts = {name: (n, severity, what) for name, (n, severity, what) in given["counts"].items()}
        return Week(given["since"], counts, frozenset(given["before"]))

    def _keep_one(self, connection: "sqlite3.Connection", week: Week) -> None:
        kept = {"since": week.since, "counts": week.counts, "before": sorted(week.before)}
        connection.execute("REPLACE INTO mail_weeks VALUES (?, ?)", (self._handler, orjson.dumps(kept)))
