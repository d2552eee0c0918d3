"""Is a SQLite database damaged, and how."""

import fcntl
import os
import re
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from visigate_logging.exceptions import BusyError
from visigate_logging.recovery.codes import Verdict, verdict_of
from visigate_logging.recovery.sqlite.files import WAIT, is_void, sibling

WAL_IN_USE = 128  # the byte of the -shm file on which every connection in WAL mode holds a lock (UNIX_SHM_DMS)
INDEX_ONLY = re.compile(
    r"row \d+ missing from index|wrong # of entries in index|non-unique entry in index"
    r"|row \d+ values differ from index|rowid not at end-of-record for row \d+ of index"
)


def connect(path: Path, mode: str = "ro") -> sqlite3.Connection:
    """Return a connection that never creates the database, in autocommit mode."""
    connection = sqlite3.connect(address(path, mode), uri=True, timeout=WAIT, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def address(path: Path, mode: str) -> str:
    """Return the URI by which SQLite opens a database without creating it, nor files beside it when only reading."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return f"{uri}&immutable=1" if mode == "ro" and _is_closed_wal(path) else uri


def _is_closed_wal(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(20)
    return header[18:19] == b"\x02" and not sibling(path, "-wal").exists()


def problems_of(database: Path) -> list[str]:
    """Return what a fresh connection finds wrong with the file; empty when nothing is.

    Raises:
        BusyError: another process holds a lock for longer than some seconds.
        sqlite3.DatabaseError: it cannot be looked at for a reason other than damage.
    """
    if is_void(database):
        return ["the file is missing or has 0 bytes"]
    try:
        with closing(connect(database, _mode(database))) as connection:
            rows = connection.execute("PRAGMA integrity_check(100)").fetchall()
    except sqlite3.DatabaseError as error:
        raise_if_busy(error, database)
        if verdict_of(getattr(error, "sqlite_errorcode", 0)) is Verdict.YES:
            return [str(error)]
        raise
    lines = [line for (text,) in rows for line in str(text).splitlines()]
    return [] if lines == ["ok"] else lines


def _mode(database: Path) -> str:
    """Return how to open it: a hot journal has to be rolled back before anything is read, which a reader may not."""
    journal = sibling(database, "-journal")
    return "rw" if journal.exists() and journal.stat().st_size else "ro"


def is_emptied(database: Path) -> bool:
    """Return whether there is no file, or one without any schema: every check passes on it.

    That is what a power cut leaves, or a ``connect`` after the file was removed.

    Raises:
        BusyError: another process holds a lock.
    """
    if is_void(database):
        return True
    try:
        with closing(connect(database, _mode(database))) as connection:
            return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    except sqlite3.DatabaseError as error:
        raise_if_busy(error, database)
        return False


def raise_if_busy(error: sqlite3.Error, database: Path) -> None:
    """Turn SQLite's BUSY and LOCKED into :class:`BusyError`."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        raise BusyError(f"{database} is locked by another process ({error})") from error


def only_indexes(problems: Iterable[str]) -> bool:
    """Return whether all that is wrong is in indexes, so that REINDEX mends it without losing a row."""
    return all(INDEX_ONLY.match(problem) for problem in problems)


def contents(database: Path) -> tuple[list[tuple[str, ...]], dict[str, int]]:
    """Return the schema of a database, application_id included, and how many rows each table has."""
    with closing(connect(database)) as connection:
        schema = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"
        ).fetchall()
        tables = [name for kind, name, _sql in schema if kind == "table"]
        counts = {t: _first(connection, f"SELECT count(*) FROM {quoted(t)}") for t in tables}  # noqa: S608 -- quoted
        application = _first(connection, "PRAGMA application_id")
    return ([("application_id", str(application), ""), *schema] if schema else []), counts


def _first(connection: sqlite3.Connection, statement: str) -> int:
    (value,) = connection.execute(statement).fetchone()
    return int(value)


def quoted(name: str) -> str:
    """Return a table or column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def difference(database: Path, backup: Path) -> str:
    """Return in what a restored database is not its backup; empty when it is. Others may have written to it since."""
    if problems := problems_of(database):
        return f"it is damaged again: {problems[0]}"
    (schema, rows), (wanted, wanted_rows) = contents(database), contents(backup)
    if schema != wanted:
        return "its tables are not those of the backup"
    missing = [t for t, n in wanted_rows.items() if n and not rows[t]]
    return f"these tables are empty: {', '.join(missing)}" if missing else ""


def refuse_if_torn_apart(database: Path) -> None:
    """Refuse to go on while a process works with files that are not the ones of that name any more.

    Neither reading nor writing through the files that are there now can go well until that process has gone.

    Raises:
        BusyError: saying which file it is.
    """
    journal = sibling(database, "-journal")
    if not database.exists() and journal.exists():
        raise BusyError(f"{database} is missing and {journal.name} is there; if nobody has it open, move it away")
    try:
        index = os.open(sibling(database, "-shm"), os.O_RDWR)
    except OSError:
        return
    try:
        if _is_held(index) and (is_void(database) or not _wal_belongs(database, os.pread(index, 48, 0))):
            raise BusyError(f"a process has files of {database} open that were deleted or replaced")
    finally:
        os.close(index)


def _wal_belongs(database: Path, index: bytes) -> bool:
    """Return whether the -wal is that of the -shm (https://www.sqlite.org/walformat.html, 1.1 and 2.1)."""
    try:
        with sibling(database, "-wal").open("rb") as file:
            salt = file.read(32)[16:24]
    except OSError:
        return False
    frames = int.from_bytes(index[16:20], sys.byteorder)
    return frames == 0 or salt == index[32:40]


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, WAL_IN_USE)
    except OSError:
        return True
    fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, WAL_IN_USE)
    return False
