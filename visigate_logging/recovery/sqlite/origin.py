"""Is a backup one of the database that it would replace."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.recovery.sqlite.check import connect, raise_if_busy
from visigate_logging.recovery.sqlite.files import is_void, read_through

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
