"""The index: a cache of where each record stands and how many there were, in SQLite beside the log.

It can be deleted at any time. It holds no records, only pointers into the files (file, offset, length), the
few words that records are searched by, and counts. What is counted stays counted when a file is rotated out.
"""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import StoreError
from visigate_logging.store.files import log_files
from visigate_logging.store.lines import holds_records

__all__ = ["Index", "Row", "index_path", "is_damage", "open_index", "prepared"]

APPLICATION = 0x56474958
"""PRAGMA application_id: an SQLite file without it is not ours and is not touched."""
VERSION = 1
PATIENCE = 2.0
"""Seconds to wait for another process that is writing to the index."""
PAGE = 4096
MODE = 0o640
"""Of the file: it holds messages, as the log does."""
RETRY_AFTER = 30.0
"""Seconds after which an index in memory makes way for one on disk again, if that could not be used."""
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}

Row = tuple[int, bytes, int, int, int, int]
"""Of the table ``record``: at, tie, source, offset, length, facet."""

SCHEMA = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    head BLOB NOT NULL,             -- digest of the first line: which content this is, whatever its name
    dev INTEGER, ino INTEGER, size INTEGER, mtime_ns INTEGER,   -- as last read to the end
    indexed INTEGER NOT NULL,       -- bytes read so far
    counted INTEGER NOT NULL,       -- bytes whose records are in the counts
    first INTEGER, last INTEGER,    -- times of its records
    present INTEGER NOT NULL
);
CREATE TABLE grp (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, culprit TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, latest TEXT NOT NULL
);
CREATE INDEX grp_by_last ON grp (last);
CREATE TABLE facet (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL, module TEXT NOT NULL, severity TEXT NOT NULL, category TEXT NOT NULL,
    host TEXT NOT NULL, process TEXT NOT NULL, grp INTEGER NOT NULL,
    UNIQUE (grp, type, module, severity, category, host, process)
);
CREATE TABLE record (
    at INTEGER NOT NULL,            -- microseconds since 1970
    tie BLOB NOT NULL,              -- the lower half of the event's id
    source INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, facet INTEGER NOT NULL,
    PRIMARY KEY (at, tie)
) WITHOUT ROWID;
CREATE INDEX record_by_facet ON record (facet, at, tie);
CREATE TABLE tally (                -- counts for each quarter of an hour; facet 0 is everything
    facet INTEGER NOT NULL, quarter INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (facet, quarter)
) WITHOUT ROWID;
CREATE TABLE daily (                -- the same for each day of meta's zone, by its first quarter
    start INTEGER NOT NULL, facet INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (start, facet)
) WITHOUT ROWID;
CREATE TABLE unreadable (
    source INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (source, offset)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class Index:
    """A connection to the index, and why it is where it is.

    Args:
        db: the connection, in autocommit.
        path: the file; None in memory.
        note: why it is not beside the log; empty when it is.
        temporary: whether the reason may pass.
    """

    def __init__(self, db: sqlite3.Connection, path: Path | None, note: str = "", *, temporary: bool = False) -> None:
        self.db = db
        self.path = path
        self.note = note
        self.facets: dict[tuple[Any, ...], tuple[int, int]] = {}
        self.inode = path.stat().st_ino if path else 0
        self.pid = os.getpid()
        self._until = time.monotonic() + RETRY_AFTER if temporary else None

    @property
    def stale(self) -> bool:
        """Whether to look again if the place beside the log can be used."""
        return self._until is not None and time.monotonic() > self._until

    @property
    def replaced(self) -> bool:
        """Whether the file beside the log has been deleted or cut, or is another one now."""
        if self.path is None:
            return False
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return True
        return status.st_ino != self.inode or _is_cut(status)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def discard(self) -> None:
        """Close and delete the file, unless another process has put a new one in its place."""
        self.close()
        if self.path and not self.replaced:
            _delete(self.path)


def index_path(log: Path) -> Path:
    """Where the index of a log is."""
    return log.with_name(f".{log.stem}.index.sqlite3")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the index is damaged, not that it cannot be used just now."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and (code is None or code & 0xFF in DAMAGED)


def open_index(log: Path, *, memory: str = "") -> Index:
    """The index of a log, beside it or, where that cannot be, in memory.

    Args:
        log: the details file.
        memory: why to keep it in memory from the start; empty to try the disk first.
    """
    path = index_path(log)
    if refusal := _refusal(path):
        return Index(_in_memory(path), None, refusal)
    if not (memory or path.exists() or any(map(holds_records, log_files(log)))):
        memory = "it is made when the log holds records"
    if not memory:
        try:
            return Index(_on_disk(path), path)
        except (sqlite3.Error, OSError) as error:
            memory = str(error)
    return Index(_in_memory(path), None, f"{path}: {memory}", temporary=True)


def _refusal(path: Path) -> str:
    """Why the index may not be written beside the log: it would be in its owner's way."""
    try:
        owners = {path.parent.stat().st_uid} | ({path.stat().st_uid} if path.exists() else set())
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}; name the log with --log") from error
    if owners != {os.geteuid()}:
        return f"{path.parent} belongs to another user"
    return "" if os.access(path.parent, os.W_OK) else f"{path.parent} is read-only"


def _on_disk(path: Path) -> sqlite3.Connection:
    if not path.exists() or _is_cut(path.stat()):
        _delete(path)  # what a deleted index leaves behind would be taken for the new one's
    for _ in range(2):
        path.touch(mode=MODE)
        db = _connect(str(path))
        try:
            if _prepare(db):
                return db
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                db.close()
                raise
        db.close()
        _delete(path)
    raise sqlite3.OperationalError(f"{path} is damaged again as soon as it is made")


def _is_cut(status: os.stat_result) -> bool:
    """Whether a file ends within a page, which SQLite itself would read as zeros."""
    return status.st_size % PAGE != 0


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def _prepare(db: sqlite3.Connection) -> bool:
    """Make the tables of a new index; False for one of another version."""
    db.execute(f"PRAGMA page_size={PAGE}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA cache_size=-8000")
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute("PRAGMA wal_autocheckpoint=4000")
    if _version(db) == (APPLICATION, VERSION):
        return True
    with db:
        db.execute("BEGIN IMMEDIATE")
        if _version(db) == (APPLICATION, VERSION):  # another process was faster
            return True
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return False
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION}")
        db.execute(f"PRAGMA user_version={VERSION}")
    return True


def _version(db: sqlite3.Connection) -> tuple[int, int]:
    return (
        db.execute("PRAGMA application_id").fetchone()[0],
        db.execute("PRAGMA user_version").fetchone()[0],
    )


def _in_memory(path: Path) -> sqlite3.Connection:
    """An index in memory that begins with what the one on disk knows, if that can be read."""
    db = _connect(":memory:")
    with suppress(sqlite3.Error, OSError):
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            if _version(source) == (APPLICATION, VERSION):
                source.backup(db, pages=10_000, progress=_unlocked)
        finally:
            source.close()
    try:
        _prepare(db)
    except sqlite3.DatabaseError:  # the copy is damaged as well
        db.close()
        db = prepared()
    return db


def prepared() -> sqlite3.Connection:
    """An empty index in memory."""
    db = _connect(":memory:")
    _prepare(db)
    return db


def _unlocked(status: int, remaining: int, total: int) -> None:  # noqa: ARG001 -- sqlite3's own signature
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # backup() would wait for ever
        raise sqlite3.OperationalError("locked")


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
