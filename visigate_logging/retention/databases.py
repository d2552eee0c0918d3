"""Forgetting what stands in SQLite databases: in their rows, in freed pages and in their logs."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

PATIENCE = 10.0
"""Seconds to wait for others who use a database."""


def is_database(path: Path) -> bool:
    """Return whether a file is one of SQLite's."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def erase_from_database(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change all texts and blobs of a database, and have SQLite overwrite what it has freed.

    Args:
        path: of the database; others may use it meanwhile.
        change: what becomes of a text or a blob.

    Raises:
        OSError: it cannot be used.
    """
    import sqlite3

    def changed(value: str | bytes | float | None) -> str | bytes | float | None:
        if isinstance(value, str):
            content = value.encode("utf-8", "surrogateescape")
            return change(content).decode("utf-8", "surrogateescape")
        return change(value) if isinstance(value, bytes) else value

    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete=ON")
            db.create_function("changed", 1, changed, deterministic=True)
            total = db.total_changes
            db.execute("BEGIN IMMEDIATE")
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            for (table,) in tables.fetchall():
                _change_table(db, table)
            db.execute("COMMIT")
            if db.total_changes != total:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise OSError(None, f"what is to be forgotten cannot be erased from it now: {error}", str(path)) from error


def _change_table(db: "sqlite3.Connection", table: str) -> None:
    for _, column, kind, *_ in db.execute(f'PRAGMA table_info("{table}")').fetchall():
        if kind not in ("INTEGER", "REAL"):
            where = f'"{column}" IS NOT changed("{column}")'
            db.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = changed("{column}") WHERE {where}')  # noqa: S608 -- names of the schema
            # What is left would be the same as another row: told apart by its number.
            other = f'substr(changed("{column}"), 1, length("{column}")) || \' \' || abs(random() % 1000000)'
            db.execute(f'UPDATE OR REPLACE "{table}" SET "{column}" = {other} WHERE {where}')  # noqa: S608 -- likewise
