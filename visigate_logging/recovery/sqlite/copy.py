"""The contents of a database replaced without pulling it away from under those who have it open."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import BusyError, MissingExtraError
from visigate_logging.recovery.sqlite.check import address, connect, raise_if_busy
from visigate_logging.recovery.sqlite.files import WAIT, all_of, sibling, sync

STEP = 256  # pages for each step of a backup


def replace_contents(source: Path, database: Path, when_locked: Callable[[], None]) -> None:
    """Copy ``source`` into ``database`` in one SQLite transaction, so that open connections of others go on rightly.

    Killed at any moment, the database has its old contents or its new ones. When SQLite cannot even begin because the
    first page is damaged, the same is done on a connection that is told to take the file as empty
    (``SQLITE_DBCONFIG_RESET_DATABASE``, https://www.sqlite.org/c3ref/c_dbconfig_defensive.html).

    Args:
        source: a sound database.
        database: the damaged one; it must exist.
        when_locked: called when nobody else can write any more and nothing is changed yet.

    Raises:
        BusyError: another process holds a lock that does not go away.
        MissingExtraError: the first page is damaged, and this Python (before 3.12) needs apsw to mend that.
    """
    try:
        copy_database(source, database, when_locked)
    except sqlite3.DatabaseError as error:
        raise_if_busy(error, database)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise
        _begin_anew(source, database, when_locked)


def _begin_anew(source: Path, database: Path, when_locked: Callable[[], None]) -> None:
    """Copy onto a database whose first page is not to be believed."""
    try:
        if hasattr(sqlite3.Connection, "setconfig"):
            copy_database(source, database, when_locked, reset=True)
        else:
            _copy_with_apsw(source, database, when_locked)
    except sqlite3.DatabaseError as error:
        raise_if_busy(error, database)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_READONLY and sibling(database, "-wal").exists():
            raise BusyError(f"{database} has a -wal with pages of another size beside it") from error
        raise


def copy_database(
    source: Path, target: Path, when_locked: Callable[[], None] = lambda: None, *, reset: bool = False
) -> None:
    """Copy with SQLite's backup interface (https://www.sqlite.org/backup.html); see :func:`replace_contents`."""
    gate = _Gate(target, when_locked)
    with closing(connect(source)) as good, closing(connect(target, "rw")) as bad:
        if reset:
            bad.setconfig(sqlite3.SQLITE_DBCONFIG_RESET_DATABASE, True)  # type: ignore[attr-defined]  # from 3.12
        good.execute("BEGIN")  # one state of the source, or each commit of another process would start the copy anew
        (pages,) = good.execute("PRAGMA page_count").fetchone()
        # The first step must not be the last one: the transaction has to be open when the gate is called.
        good.backup(bad, pages=max(1, min(STEP, pages // 2)), progress=gate, sleep=0.1)
        if reset:
            bad.setconfig(sqlite3.SQLITE_DBCONFIG_RESET_DATABASE, False)  # type: ignore[attr-defined]  # from 3.12
        with suppress(sqlite3.DatabaseError):  # it is committed already; this only brings it out of the -wal
            bad.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _copy_with_apsw(source: Path, target: Path, when_locked: Callable[[], None]) -> None:
    try:
        import apsw
    except ImportError:
        raise MissingExtraError("apsw", "recovery") from None
    gate = _Gate(target, when_locked)
    with (
        closing(
            apsw.Connection(address(source, "ro"), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        ) as good,
        closing(apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)) as bad,
    ):
        bad.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
        pages = good.pragma("page_count")
        with bad.backup("main", good, "main") as backup:
            while not backup.done:
                gate(_apsw_step(apsw, backup, max(1, min(STEP, pages // 2))), 0, 0)
        bad.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)


def _apsw_step(apsw: Any, backup: Any, pages: int) -> int:
    try:
        backup.step(pages)
    except (apsw.BusyError, apsw.LockedError):
        time.sleep(0.1)
        return sqlite3.SQLITE_BUSY
    except apsw.Error as error:
        same = sqlite3.OperationalError(f"{type(error).__name__}: {error}")
        same.sqlite_errorcode = error.extendedresult
        raise same from error
    return sqlite3.SQLITE_OK


class _Gate:
    """Called after each step of a backup: gives up on a lock that stays, and says once when the lock is ours."""

    def __init__(self, database: Path, when_locked: Callable[[], None]) -> None:
        self._database = database
        self._when_locked: Callable[[], None] | None = when_locked
        self._deadline = time.monotonic() + WAIT

    def __call__(self, status: int, _remaining: int, _total: int) -> None:
        primary = status & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            # Connection.backup itself would wait for ever.
            if time.monotonic() > self._deadline:
                raise BusyError(f"{self._database} is held by another process")
        elif primary == sqlite3.SQLITE_OK and self._when_locked is not None:
            then, self._when_locked = self._when_locked, None
            then()


def reindex(database: Path, when_locked: Callable[[], None]) -> bool:
    """Build all indexes anew in one transaction; False, and nothing changed, when that does not mend the database.

    Raises:
        BusyError: another process holds the database.
        sqlite3.IntegrityError: two rows have a value that must be unique.
    """
    with closing(connect(database, "rw")) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            when_locked()
            connection.execute("REINDEX")
            mended: bool = connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            connection.execute("COMMIT" if mended else "ROLLBACK")
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise_if_busy(error, database)
            return False
    return mended


def create(source: Path, database: Path, put_aside: Callable[[], None]) -> None:
    """Put a copy of ``source`` where there is no database; whole or not at all, and never over another file."""
    left = [path for path in all_of(database) if path.exists()]
    put_aside()
    new = database.with_name(f".{database.name}.new")
    copy_to_new(source, new)
    for path in left:
        path.unlink()  # or SQLite would apply what belongs to the lost file
    os.link(new, database)
    new.unlink()
    sync(database.parent)


def copy_to_new(source: Path, new: Path) -> None:
    """Copy a database into a file that does not exist yet, and sync it."""
    for path in all_of(new):
        path.unlink(missing_ok=True)
    new.touch(0o600)
    copy_database(source, new)
    shutil.copymode(source, new)
    sync(new)
