"""The file of the host's state: how it is opened, what is in it, whether it is damaged, and where it is put then."""

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from visigate_logging.host.directories import rename
from visigate_logging.host.files import identity, is_still, open_safely

if TYPE_CHECKING:
    import sqlite3

BUSY_TIMEOUT = 10.0
_MODE = 0o640
"""Of the file, and so of SQLite's files beside it: it holds errors, as the log does."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS host_clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot_id TEXT NOT NULL, monotonic REAL NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS counts (
    handler TEXT NOT NULL, owner TEXT NOT NULL, boot_id TEXT NOT NULL, pid INTEGER NOT NULL,
    field TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (handler, owner, field)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (
    handler TEXT PRIMARY KEY, time TEXT NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drops (
    handler TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
    since TEXT NOT NULL, last TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (handler, reason)
) WITHOUT ROWID;
"""
_KEPT = 3
_CORRUPT, _NOTADB = 11, 26  # https://www.sqlite.org/rescode.html


given_up: set[tuple[int, int]] = set()
"""Files that this process may not use any more."""
_never_closed: list["sqlite3.Connection"] = []


class Connection:
    """An open connection, and what tells whether somebody has closed descriptors by their numbers.

    With them perhaps those that SQLite has, which would then write into the file that has its number now.

    Args:
        path: of the file, which is made when absent.
        schema: statements that make what is not there yet.

    Raises:
        OSError: the file cannot be made.
        sqlite3.Error: it cannot be used.
    """

    def __init__(self, path: Path, schema: str) -> None:
        import sqlite3

        if identity_of(path) is None:  # only then: to open and close a file that is there would drop SQLite's locks
            os.close(open_safely(path, os.O_RDWR | os.O_CREAT, _MODE))
        self._sentinel = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        self._place = identity(os.fstat(self._sentinel))
        self.db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        self.busy_timeout = BUSY_TIMEOUT
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.executescript(schema)
        except BaseException:
            os.close(self._sentinel)
            self.db.close()
            raise
        self.identity = identity_of(path)

    @property
    def was_robbed(self) -> bool:
        """Whether somebody has closed descriptors that are not its own."""
        return not is_still(self._sentinel, self._place)

    def close(self) -> None:
        """Close the file, or leave it where that would harm another."""
        import sqlite3

        if self.was_robbed:
            self.give_up()
            return
        os.close(self._sentinel)
        with contextlib.suppress(sqlite3.Error):
            self.db.close()

    def give_up(self) -> None:
        """Leave a connection that can be neither used nor closed, and use the file no more in this process.

        SQLite keeps what it knows of a file's locks once for all connections of a process: another would rely on
        locks that are gone, or take them on a file that has the number now.
        """
        _never_closed.append(self.db)
        if self.identity is not None:
            given_up.add(self.identity)


def is_damage(error: Exception) -> bool:
    """Return whether an error of SQLite's means that the file is damaged."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in {_CORRUPT, _NOTADB}


def put_aside(path: Path) -> Path:
    """Give a damaged file, and those that belong to it, another name; return it. The last three are kept.

    Raises:
        OSError: it cannot be.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    # The -wal first: one that is left behind would be applied to the new file and damage that as well.
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            rename(f"{path}{suffix}", f"{aside.name}{suffix}")
    kept = sorted(p for p in path.parent.glob(f"{path.name}.damaged-*") if p.name[-1].isdigit())
    for old in kept[:-_KEPT]:
        for suffix in ("-wal", "-shm", ""):
            Path(f"{old}{suffix}").unlink(missing_ok=True)
    return aside


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from every other of the host; None when it is not there."""
    # stat only: to open the file by other means and close it would drop SQLite's locks on it.
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
