"""Rows of a damaged database brought back into the one that has replaced it, because a person asks for it."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from visigate_logging.recovery.sqlite.changes import ADDED, CHANGED
from visigate_logging.recovery.sqlite.check import connect, quoted


def bring_back(database: Path, changes: Iterable[Mapping[str, Any]]) -> None:
    """Make the rows again what they were in the damaged file, all or none.

    Args:
        database: the restored one.
        changes: lines as ``save_changes`` writes them.

    Raises:
        sqlite3.Error: a row has been changed since the restore, or cannot be as it was; nothing is changed.
    """
    with closing(connect(database, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                _bring_back(connection, change)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _bring_back(connection: sqlite3.Connection, change: Mapping[str, Any]) -> None:
    table, row = quoted(change["table"]), _values(change["row"])
    names = [quoted(name) for name in row]
    if change["change"] == ADDED:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", [*row.values()])  # noqa: S608 -- quoted
        return
    # Only what is still as the backup had it: what the application has written since is worth more.
    backup = {**change["key"], **_values(change["backup"])}
    as_backup = " AND ".join(f"{quoted(name)} IS ?" for name in backup)
    if change["change"] == CHANGED:
        new = ", ".join(f"{name} = ?" for name in names)
        statement = f"UPDATE {table} SET {new} WHERE {as_backup}"  # noqa: S608 -- quoted
        cursor = connection.execute(statement, [*row.values(), *backup.values()])
    else:
        cursor = connection.execute(f"DELETE FROM {table} WHERE {as_backup}", [*backup.values()])  # noqa: S608 -- quoted
    if cursor.rowcount != 1:
        key = ", ".join(f"{name}={value}" for name, value in change["key"].items())
        raise sqlite3.IntegrityError(f"the row {key} of {change['table']} has been changed since the restore")


def _values(row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _value(value) for name, value in (row or {}).items()}


def _value(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
