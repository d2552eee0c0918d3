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
from visigate_logging.host.log_files import log_files
from visigate_logging.store.lines import holds_records
from visigate_logging.store.schema import APPLICATION, PAGE, VERSION, prepare, version_of
from visigate_logging.triage.decisions import DecisionLog, decisions_path
from visigate_logging.triage.splits import Split

PATIENCE = 2.0
"""Seconds to wait for another process that is writing to the index."""
MODE = 0o640
"""Of the file: it holds messages, as the log does."""
RETRY_AFTER = 30.0
"""Seconds after which an index in memory makes way for one on disk again, if that could not be used."""
UNUSED = 86_400.0
"""Seconds after which an index of an older form that nobody has written to is removed."""
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}

Row = tuple[int, bytes, int, int, int, int, int, int]
"""Of the table ``record``: at, tie, source, offset, length, facet, clock, repeats."""


class Index:
    """A connection to the index, and why it is where it is.

    Args:
        db: the connection, in autocommit.
        path: the file; None in memory.
        note: why it is not beside the log; empty when it is.
        temporary: whether the reason may pass.
        log: the details file, beside which decisions about groups are; None for an index that knows of none.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path | None,
        note: str = "",
        *,
        temporary: bool = False,
        log: Path | None = None,
    ) -> None:
        self.db = db
        self.path = path
        self.note = note
        self.facets: dict[tuple[bytes, ...], tuple[int, int, str]] = {}
        self.numbers: dict[Any, tuple[int, int]] = {}
        self.carried: dict[tuple[int, str], int] = {}
        self.splits: dict[str, list[Split]] = {}
        self.split_groups: set[int] = set()
        self.claimed: dict[int, set[int]] = {}
        self.decisions = DecisionLog(decisions_path(log)) if log else None
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

    def forget(self) -> None:
        """Forget what is known of the numbers in it: they may be others now."""
        self.splits = {}
        for known in (self.facets, self.numbers, self.carried, self.claimed, self.split_groups):
            known.clear()

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def discard(self) -> None:
        """Close and delete the file, unless another process has put a new one in its place."""
        self.close()
        if self.path and not self.replaced:
            _delete(self.path)


def index_path(log: Path, version: int = VERSION) -> Path:
    """Return where the index of a log is; the first form had no number in its name."""
    return log.with_name(f".{log.stem}.index{f'-{version}' if version > 1 else ''}.sqlite3")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means that the index is damaged, not that it cannot be used just now."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and (code is None or code & 0xFF in DAMAGED)


def open_index(log: Path, *, memory: str = "") -> Index:
    """Return the index of a log, beside it or, where that cannot be, in memory.

    Args:
        log: the details file.
        memory: why to keep it in memory from the start; empty to try the disk first.
    """
    path = index_path(log)
    if refusal := _refusal(path):
        return Index(_in_memory(path, _older(log)), None, refusal, log=log)
    if not (memory or path.exists() or any(map(holds_records, log_files(log)))):
        memory = "it is made when the log holds records"
    if not memory:
        try:
            return Index(_on_disk(path, _older(log)), path, log=log)
        except (sqlite3.Error, OSError) as error:
            memory = str(error)
    return Index(_in_memory(path, _older(log)), None, f"{path}: {memory}", temporary=True, log=log)


def _older(log: Path) -> Path | None:
    """Return the index of the last older form, if there is one."""
    paths = (index_path(log, version) for version in range(VERSION - 1, 0, -1))
    return next((path for path in paths if path.is_file()), None)


def remove_older(log: Path) -> None:
    """Delete indexes of older forms, unless a program that knows no other has written to them within a day."""
    for version in range(1, VERSION):
        path = index_path(log, version)
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > UNUSED:
                _delete(path)


def _refusal(path: Path) -> str:
    """Return why the index may not be written beside the log: it would be in its owner's way."""
    try:
        owners = {path.parent.stat().st_uid} | ({path.stat().st_uid} if path.exists() else set())
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}; name the log with --log") from error
    if owners != {os.geteuid()}:
        return f"{path.parent} belongs to another user"
    if path.exists() and not path.is_file():  # to open a pipe could wait for ever
        return f"{path} is no file"
    return "" if os.access(path.parent, os.W_OK) else f"{path.parent} is read-only"


def _on_disk(path: Path, older: Path | None) -> sqlite3.Connection:
    if not path.exists() or _is_cut(path.stat()):
        _delete(path)  # what a deleted index leaves behind would be taken for the new one's
    for _ in range(2):
        path.touch(mode=MODE)
        db = _connect(str(path))
        try:
            if prepare(db, older):
                return db
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                db.close()
                raise
        db.close()
        _delete(path)
    raise sqlite3.OperationalError(f"{path} is damaged again as soon as it is made")


def _is_cut(status: os.stat_result) -> bool:
    """Return whether a file ends within a page, which SQLite itself would read as zeros."""
    return status.st_size % PAGE != 0


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def _in_memory(path: Path, older: Path | None) -> sqlite3.Connection:
    """Return an index in memory that begins with what the one on disk knows, if that can be read."""
    db = _connect(":memory:")
    if path.is_file():
        with suppress(sqlite3.Error, OSError):
            source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
            try:
                if version_of(source) == (APPLICATION, VERSION):
                    source.backup(db, pages=10_000, progress=_unlocked)
            finally:
                source.close()
    try:
        prepare(db, older)
    except sqlite3.DatabaseError:  # the copy is damaged as well
        db.close()
        db = prepared()
    return db


def prepared() -> sqlite3.Connection:
    """Return an empty index in memory."""
    db = _connect(":memory:")
    prepare(db)
    return db


def _unlocked(status: int, remaining: int, total: int) -> None:  # noqa: ARG001 -- sqlite3's own signature
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # backup() would wait for ever
        raise sqlite3.OperationalError("locked")


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
