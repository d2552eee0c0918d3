"""Rows that are newer than the backup, read out of the damaged file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from visigate_logging.recovery.sqlite.check import connect, quoted
from visigate_logging.recovery.sqlite.files import is_void

__all__ = ["save_newer_rows"]


def save_newer_rows(damaged: Path, backup: Path, target: Path) -> int:
    """Write the rows added since the backup to ``target``, as JSON lines, and count them.

    Only added rows are found (by rowid), not changed or deleted ones; and only those that can still be read.
    """
    if is_void(damaged):
        return 0
    lines = [
        json.dumps({"table": table, "row": row}, default=bytes.hex)
        for table, last in _tables(backup)
        for row in _rows_after(damaged, table, last)
    ]
    if lines:
        target.write_text("\n".join(lines) + "\n", "utf-8")
    return len(lines)


def _tables(backup: Path) -> list[tuple[str, int]]:
    """The tables that have a rowid, and the highest one."""
    found = []
    with closing(connect(backup)) as connection:
        listed = connection.execute("PRAGMA table_list").fetchall()
        for _schema, name, kind, _columns, without_rowid, _strict in listed:
            if kind == "table" and not without_rowid and not name.startswith("sqlite_"):
                (last,) = connection.execute(f"SELECT max(rowid) FROM {quoted(name)}").fetchone()  # noqa: S608 -- quoted
                found.append((name, last or 0))
    return found


def _rows_after(damaged: Path, table: str, last: int) -> list[dict[str, Any]]:
    """The rows that can be read: from the newest down, and, when that meets damage, from the oldest up."""
    rows: dict[int, dict[str, Any]] = {}
    for order in ("DESC", "ASC"):
        with suppress(sqlite3.DatabaseError, OSError), closing(connect(damaged)) as connection:
            for rowid, row in _read(connection, table, last, order):
                if rowid in rows:
                    break
                rows[rowid] = row
            break
    return [rows[rowid] for rowid in sorted(rows)]


def _read(connection: sqlite3.Connection, table: str, last: int, order: str) -> Iterator[tuple[int, dict[str, Any]]]:
    statement = f"SELECT rowid, * FROM {quoted(table)} WHERE rowid > ? ORDER BY rowid {order}"  # noqa: S608 -- quoted
    cursor = connection.execute(statement, (last,))
    names = [column[0] for column in cursor.description][1:]
    for rowid, *values in cursor:
        yield rowid, dict(zip(names, values, strict=True))
