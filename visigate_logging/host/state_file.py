"""The file of the host's state: what is in it, whether it is damaged, and where it is put then."""

import contextlib
import time
from pathlib import Path

from visigate_logging.host.directories import rename

__all__ = ["SCHEMA", "identity_of", "is_damage", "put_aside"]

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
