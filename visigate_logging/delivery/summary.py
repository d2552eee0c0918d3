"""The summary of a week, which comes also when nothing happened: so that silence means health."""

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from visigate_logging.delivery.digest import title
from visigate_logging.delivery.entries import OTHER, Entry
from visigate_logging.delivery.recoveries import Recoveries
from visigate_logging.delivery.tables import Tables, is_count, kept
from visigate_logging.delivery.throttle import level_number
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Instant, State
from visigate_logging.host.clock import clock
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import counted, spoken

if TYPE_CHECKING:
    import sqlite3

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOST_LISTED = 15
_MOST_GROUPS = 500


@dataclass(frozen=True, slots=True)
class Schedule:
    """When summaries are told, by the host's own clock: a weekday (0 is Monday; None for each day) and a time."""

    weekday: int | None
    hour: int
    minute: int

    def last(self, now: datetime) -> datetime:
        """Return the latest such moment that is not after ``now``."""
        moment = now.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        while moment > now or (self.weekday is not None and moment.weekday() != self.weekday):
            moment -= timedelta(days=1)
        return moment

    def next(self, now: datetime) -> datetime:
        """Return the first such moment that is after ``now``."""
        return self.last(now + timedelta(days=7 if self.weekday is not None else 1))


@dataclass(frozen=True, slots=True)
class Week:
    """What happened since the last summary.

    Args:
        since: when that was, as ISO 8601.
        counts: for each group its number of errors, worst severity and title.
        before: the groups of the time before.
        events: how often what happened to the host and its processes, by kind.
        standing: how the host stands, in lines.
    """

    since: str
    counts: Mapping[str, tuple[int, str, str]]
    before: frozenset[str] = frozenset()
    events: Mapping[str, int] = field(default_factory=dict)
    standing: tuple[str, ...] = ()


def read_schedule(value: object) -> Schedule | None:
    """Return the schedule of an option such as ``monday 07:00`` or ``daily 07:00``.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\w+) (\d\d?):(\d\d)", str(value).strip().lower())
    if not found or found[1] not in ("daily", *_DAYS) or int(found[2]) > 23 or int(found[3]) > 59:
        raise ValueError("is not a day and a time, such as monday 07:00 or daily 07:00")
    day = None if found[1] == "daily" else _DAYS.index(found[1])
    return Schedule(day, int(found[2]), int(found[3]))


def summary_text(week: Week, recovered: Mapping[str, int], url: str | None = None) -> tuple[str, str]:
    """Return title and text of a summary.

    Args:
        week: what happened.
        recovered: how often recoveries ended how.
        url: address of the web pages.
    """
    total = sum(n for n, _, _ in week.counts.values())
    new = frozenset(week.counts.keys() - week.before)
    kinds = counted(len(week.counts), "kind")
    what = f"{counted(total, 'error')} of {kinds}, {len(new)} new" if total else "no errors"
    told = ", ".join(f"{n} {status}" for status, n in sorted(recovered.items()))
    happened = ", ".join(f"{n} {event}" for event, n in week.events.items() if event != "recovery")
    lines = [f"Since {week.since}: {what}.", "", *_listed(week, new), ""]
    lines += [f"Events: {happened or 'none'}", f"Recoveries: {told or 'none'}"]
    lines += [*week.standing, "Commands: visigate-errors status, visigate-errors groups"]
    return f"summary: {what}", "\n".join([*lines, *([f"Pages: {url}"] if url else [])]) + "\n"


def standing(directory: Path) -> tuple[str, ...]:
    """Return how the host stands: its disk, and how old the backups are that recoveries would restore from.

    Args:
        directory: the handlers' state directory.
    """
    return f"Disk: {_disk(directory)}", f"Backups: {'; '.join(_backups(directory)) or 'none are configured'}"


def _listed(week: Week, new: frozenset[str]) -> Iterator[str]:
    worst = sorted(week.counts.items(), key=lambda one: (-level_number(one[1][1]), -one[1][0]))
    for name, (n, severity, what) in worst[:_MOST_LISTED]:
        yield f"{n:>7,}  {severity:<8} {'new  ' if name in new else '     '}{what}"
    if rest := worst[_MOST_LISTED:]:
        yield f"{sum(n for _, (n, _, _) in rest):>7,}  in {counted(len(rest), 'kind')} more"


def _disk(directory: Path) -> str:
    try:
        usage = shutil.disk_usage(directory)
    except OSError as error:
        return f"cannot be looked at: {error}"
    return f"{usage.used / usage.total:.0%} full, {usage.free / 1e9:.1f} GB free"


def _backups(directory: Path) -> Iterator[str]:
    """Yield how old the newest backup of each database is; which there are, the recovery handler has noted."""
    try:
        noted = orjson.loads((directory / "backups.json").read_bytes())
    except (OSError, ValueError):
        return
    for database, paths in noted.items():
        if not Path(database).parent.is_dir():
            continue
        times = [Path(path).stat().st_mtime for path in paths if Path(path).is_file()]
        age = f"{spoken(max(time.time() - max(times), 0.0))} old" if times else "THERE IS NONE"
        yield f"{Path(database).name} {age}"


class Summaries(Tables):
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
                self._keep_week(connection, Week(now.isoformat(timespec="minutes"), {}))
            if not week.since or moment <= week.since:
                return False
            directory = self._state.directory
            events = Timeline(directory).counts(datetime.fromisoformat(week.since))
            told = replace(week, events=events, standing=standing(directory))
            stage(told, Recoveries(directory).counts(week.since))
            query = "INSERT INTO mail_letters (id, handler, made, told, folded) VALUES (?, ?, ?, 0, 0)"
            connection.execute(query, (message_id, self._handler, seconds))
            self._keep_week(connection, Week(moment, {}, frozenset(week.counts)))
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
        self._keep_week(connection, Week(week.since, counts, week.before))

    def _week(self, connection: "sqlite3.Connection") -> Week:
        row = connection.execute("SELECT week FROM mail_weeks WHERE handler = ?", (self._handler,)).fetchone()
        return _read_week(kept(row, dict))

    def _keep_week(self, connection: "sqlite3.Connection", week: Week) -> None:
        content = {"since": week.since, "counts": week.counts, "before": sorted(week.before)}
        connection.execute("REPLACE INTO mail_weeks VALUES (?, ?)", (self._handler, orjson.dumps(content)))


def _read_week(given: dict[str, Any]) -> Week:
    """Return the week of a row; what is garbage is a week that has not begun."""
    try:
        since, before = given["since"], frozenset(given["before"])
        counts = {name: (n, severity, what) for name, (n, severity, what) in given["counts"].items()}
        if since:
            datetime.fromisoformat(since).astimezone()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Week("", {})
    texts = (*before, *(text for _, severity, what in counts.values() for text in (severity, what)))
    is_week = all(isinstance(text, str) for text in texts) and all(is_count(n) for n, _, _ in counts.values())
    return Week(since, counts, before) if is_week else Week("", {})
