"""The backups of a database: their generations, which of them are sound, and which is one of that database at all."""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from visigate_logging.exceptions import BusyError
from visigate_logging.host.clock import utc_text
from visigate_logging.recovery.sqlite.check import connect, contents, problems_of, raise_if_busy
from visigate_logging.recovery.sqlite.files import is_void, read_through

DAY = 86_400.0
OLDER = (("daily", DAY), ("weekly", 7 * DAY), ("monthly", 30 * DAY))
IN_BYTES = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?[\"'`\[]?(\w+)")
SHOWN = 6


@dataclass(frozen=True)
class Origin:
    """What tells one application's database from another's.

    Args:
        application: its ``application_id``.
        tables: their names, and the statements that made them.
    """

    application: int
    tables: Mapping[str, str]

    def precedes(self, later: "Origin") -> bool:
        """Return whether an application may have gone on from this to the other: by adding tables or columns."""
        return self.application == later.application and self.tables.keys() <= later.tables.keys()

    def __str__(self) -> str:
        names = ", ".join(sorted(self.tables)[:SHOWN]) or "no tables"
        return f"{names}{', …' if len(self.tables) > SHOWN else ''} (application_id {self.application})"


@dataclass(frozen=True)
class Facts:
    """A backup in figures.

    Args:
        path: where it is.
        made: when, seconds since the epoch.
        rows: of each table.
        passed_over: why a newer one was not taken; empty when it is the newest.
    """

    path: Path
    made: float
    rows: Mapping[str, int]
    passed_over: str

    def __str__(self) -> str:
        age = (time.time() - self.made) / 3600
        note = f"; not from the newest, for {self.passed_over}" if self.passed_over else ""
        return f"{self.path}, made {utc_text(self.made)} ({age:.1f} hours ago), with {rows_told(self.rows)}{note}"


def facts_of(backup: Path, passed_over: str = "") -> Facts:
    """Count the rows of a sound backup."""
    return Facts(backup, backup.stat().st_mtime, contents(backup)[1], passed_over)


def rows_told(rows: Mapping[str, int]) -> str:
    """Return how many rows there are in how many tables."""
    return f"{counted(sum(rows.values()), 'row')} in {counted(len(rows), 'table')}"


def counted(number: int, noun: str) -> str:
    """Return the number of things, as ``1 row`` or ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def generations(paths: Iterable[str]) -> Iterator[Path]:
    """Yield the backups that exist: each path, then its older generations ``.1``, ``.2`` ..., ``.daily`` ..."""
    for text in paths:
        path = Path(text)
        numbered = (p for p in path.parent.glob(f"{path.name}.*") if p.suffix[1:].isdigit())
        older = [path.with_name(f"{path.name}.{name}") for name, _ in OLDER]
        yield from filter(Path.is_file, [path, *sorted(numbered, key=lambda p: int(p.suffix[1:])), *older])


def sound(paths: Iterable[str]) -> Iterator[tuple[Path, Origin]]:
    """Yield the backups that are sound and have tables, in the order of their generations."""
    for path in generations(paths):
        try:
            its = None if problems_of(path) else origin_of(path)
        except (OSError, sqlite3.DatabaseError, BusyError):
            continue
        if its is not None:
            yield path, its


def shift(target: Path, keep: int) -> None:
    """Make room for the newest: the last of ``keep`` generations becomes the day's, when that has had its day."""
    numbered = [target, *(target.with_name(f"{target.name}.{n}") for n in range(1, keep))]
    if numbered[-1].exists():
        _hand_on(numbered[-1], target, OLDER)
    for newer, older in reversed(list(pairwise(numbered))):
        if newer.exists():
            newer.replace(older)


def _hand_on(leaving: Path, target: Path, places: Sequence[tuple[str, float]]) -> None:
    """Put a generation into the first place, what was there into the next one, and so on; each stays its time there.

    Ages are differences between the files' own times: a gate's clock may be wrong, but rarely differently each day.
    """
    if not places:
        return
    (name, stay), *further = places
    place = target.with_name(f"{target.name}.{name}")
    if place.exists():
        if 0 <= leaving.stat().st_mtime - place.stat().st_mtime < stay:
            return
        _hand_on(place, target, further)
    leaving.replace(place)


def origin_of(database: Path) -> Origin | None:
    """Return what a database says of itself; None when it is empty, or too damaged to be asked.

    Raises:
        BusyError: another process holds a lock.
    """
    if is_void(database):
        return None
    try:
        with closing(connect(database)) as connection:
            listed = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
            tables = {name: " ".join(str(sql).split()) for name, sql in listed}
            (application,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        raise_if_busy(error, database)
        return None
    return Origin(application, tables) if tables else None


def choose(database: Path, backups: Sequence[tuple[Path, Origin]]) -> tuple[Path | None, str]:
    """Return the newest backup that is one of ``database``, or None; and why not the newest.

    They are compared with what the damaged file still says of itself. When that is nothing, the newest must go on
    from the generation before it, and have a table that is named somewhere in the damaged file's bytes, if any is.

    Args:
        database: the damaged one.
        backups: sound ones with tables, the newest first.
    """
    (newest, its), *older = backups
    damaged = origin_of(database)
    if damaged is not None:
        fitting = next((path for path, origin in backups if origin == damaged), None)
        return fitting, "" if fitting == newest else f"{newest} has {its}; the damaged file has {damaged}"
    if older and not older[0][1].precedes(its):
        return None, f"{newest} has {its}; the generation before it, {older[0][0]}, has {older[0][1]}"
    named = _tables_in_bytes(database)
    if named and named.isdisjoint(its.tables):
        return None, f"{newest} has {its}; the damaged file speaks of {', '.join(sorted(named)[:SHOWN])}"
    return newest, ""


def _tables_in_bytes(database: Path) -> set[str]:
    """Return the tables that a file which can no longer be opened speaks of."""
    found: set[str] = set()
    for block in read_through(database):
        found.update(name.decode(errors="replace") for name in IN_BYTES.findall(block))
    return {name for name in found if not name.startswith("sqlite_")}
