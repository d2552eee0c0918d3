"""What differs between a damaged database and the backup that has replaced it, row by row; and bringing rows back."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visigate_logging.recovery.sqlite.check import connect, quoted
from visigate_logging.recovery.sqlite.files import is_void

ADDED, CHANGED, DELETED = "added", "changed", "deleted"
Row = dict[str, Any]
Change = tuple[str, Any, Row | None, Row | None]
"""Kind, key, the row in the damaged file, the row in the backup."""


@dataclass(frozen=True)
class Table:
    """A table and what its rows are known by: the rowid, or the columns of the primary key when it has none."""

    name: str
    key: tuple[str, ...]


def tables_of(connection: sqlite3.Connection) -> list[Table]:
    """Return the tables of a database."""
    found = []
    for _schema, name, kind, _columns, without_rowid, _strict in connection.execute("PRAGMA table_list").fetchall():
        if kind == "table" and not name.startswith("sqlite_"):
            columns = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
            key = tuple(c[1] for c in sorted((c for c in columns if c[5]), key=lambda c: c[5]))
            found.append(Table(name, key if without_rowid else ("rowid",)))
    return sorted(found, key=lambda table: table.name)


def save_changes(damaged: Path, backup: Path, target: Path) -> dict[str, dict[str, int]]:
    """Write the rows that were added, changed or deleted since the backup to ``target``, and count them by table.

    What could not be read is in no list: a row counts as deleted only where the damaged file could be read around it.
    """
    counts: dict[str, dict[str, int]] = {}
    if is_void(damaged):
        return counts
    with closing(connect(backup)) as connection:
        tables = tables_of(connection)
    with target.open("w", encoding="utf-8") as file:
        for table in tables:
            kinds: Counter[str] = Counter()
            for kind, key, row, old in _changes(damaged, backup, table):
                kinds[kind] += 1
                named = dict(zip(table.key, key if isinstance(key, tuple) else (key,), strict=True))
                line = {"table": table.name, "change": kind, "key": named, "row": row, "backup": old}
                file.write(json.dumps(line, default=_as_hex) + "\n")
            if kinds:
                counts[table.name] = dict(kinds)
    return counts


def told(counts: Mapping[str, Mapping[str, int]], procedure: str) -> str:
    """Return the counts in words."""
    if not counts:
        return "no row that differs could be read from them"
    tables = (f"{name} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})" for name, kinds in counts.items())
    how = f"visigate-errors recover rows {procedure}"
    return f"rows that differ: {', '.join(tables)}; to see them, and to bring some back: {how}"


def _as_hex(value: bytes) -> dict[str, str]:
    return {"hex": value.hex()}


def _changes(damaged: Path, backup: Path, table: Table) -> Iterator[Change]:
    with suppress(OSError), closing(connect(backup)) as good:
        if table.key != ("rowid",):
            yield from _by_key(damaged, good, table)
            return
        walk = _Walk(damaged, good, table)
        yield from walk.run("ASC")
        if walk.stopped:  # by damage: come from the other end, too
            yield from walk.run("DESC")


class _Walk:
    """Both files side by side by rowid, so that neither has to fit into memory; ends where the damaged one does."""

    def __init__(self, damaged: Path, good: sqlite3.Connection, table: Table) -> None:
        self._damaged = damaged
        self._good = good
        self._table = table
        self._last = -(1 << 63)
        self.stopped = False

    # complex: two files side by side
    def run(self, order: str) -> Iterator[Change]:
        after, sign = self._last, 1 if order == "ASC" else -1
        old_rows = _rows(self._good, self._table, order, after)
        old = next(old_rows, None)
        try:
            with closing(connect(self._damaged)) as bad:
                for key, row in _rows(bad, self._table, order, after):
                    while old is not None and sign * old[0] < sign * key:
                        yield DELETED, old[0], None, old[1]
                        old = next(old_rows, None)
                    if old is None or old[0] != key:
                        yield ADDED, key, row, None
                    else:
                        if old[1] != row:
                            yield CHANGED, key, row, old[1]
                        old = next(old_rows, None)
                    if order == "ASC":
                        self._last = key
        except sqlite3.DatabaseError:
            self.stopped = True
            return
        while old is not None:
            yield DELETED, old[0], None, old[1]
            old = next(old_rows, None)


def _rows(connection: sqlite3.Connection, table: Table, order: str, after: int) -> Iterator[tuple[int, Row]]:
    statement = f"SELECT rowid, * FROM {quoted(table.name)} WHERE rowid > ? ORDER BY rowid {order}"  # noqa: S608 -- quoted
    cursor = connection.execute(statement, (after,))
    names = [column[0] for column in cursor.description][1:]
    for key, *values in cursor:
        yield key, dict(zip(names, values, strict=True))


def _by_key(damaged: Path, good: sqlite3.Connection, table: Table) -> Iterator[Change]:
    """For a table WITHOUT ROWID, whose order Python cannot follow."""
    before = dict(_keyed(good, table))
    try:
        with closing(connect(damaged)) as bad:
            for key, row in _keyed(bad, table):
                old = before.pop(key, None)
                if old != row:
                    yield (ADDED if old is None else CHANGED), key, row, old
    except sqlite3.DatabaseError:
        return
    for key, old in before.items():
        yield DELETED, key, None, old


def _keyed(connection: sqlite3.Connection, table: Table) -> Iterator[tuple[tuple[Any, ...], Row]]:
    cursor = connection.execute(f"SELECT * FROM {quoted(table.name)}")  # noqa: S608 -- quoted
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row: Mapping[str, Any] = dict(zip(names, values, strict=True))
        yield tuple(row[name] for name in table.key), dict(row)


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
