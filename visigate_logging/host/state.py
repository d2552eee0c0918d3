"""The host's small SQLite file: opened late, closed over forks, put aside when damaged."""

import contextlib
import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from visigate_logging.exceptions import StateError
from visigate_logging.host.directories import make_directory
from visigate_logging.host.files import identity, is_still, open_safely
from visigate_logging.host.forks import ForkAware, notice_fork, watch_forks
from visigate_logging.host.lock import HostLock
from visigate_logging.host.state_file import SCHEMA, identity_of, is_damage, put_aside

if TYPE_CHECKING:
    import sqlite3

__all__ = ["State"]

_MODE = 0o640
"""Of the file, and so of SQLite's files beside it: it holds errors, as the log does."""
_BUSY_TIMEOUT = 10.0
_FORK_PATIENCE = 1.0


class State(ForkAware):
    """What the processes of a host agree on, in ``DIRECTORY/state.sqlite3``.

    Nothing is opened or made before the first transaction. A committed transaction outlives a power cut
    (``synchronous=FULL``: in WAL mode ``NORMAL`` may lose the last commits,
    https://www.sqlite.org/pragma.html#pragma_synchronous).

    SQLite's own memory of its locks is copied by a fork, and a connection opened in the child would rely on
    locks that only the parent holds (https://www.sqlite.org/howtocorrupt.html, 2.6). So the connection is
    closed before each fork, and both sides open their own again.

    Args:
        directory: made when absent.
        schema: the caller's ``CREATE … IF NOT EXISTS`` statements.
    """

    def __init__(self, directory: str | os.PathLike[str], schema: str = "") -> None:
        self.directory = Path(directory).absolute()  # where it is meant now, wherever the process goes
        self.path = self.directory / "state.sqlite3"
        self._schema = SCHEMA + schema
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._fork_waits = False
        self._sentinel, self._place = -1, (0, 0)
        self._busy_timeout = _BUSY_TIMEOUT  # the connection's
        watch_forks(self)
        _states.add(self)

    @contextlib.contextmanager
    def transaction(self, timeout: float = _BUSY_TIMEOUT) -> Iterator["sqlite3.Connection"]:
        """``BEGIN IMMEDIATE``, then ``COMMIT``, or ``ROLLBACK`` when the body raises.

        It may wait for another process: never to be called in a caller's thread.

        Args:
            timeout: for so many seconds at most, to begin.

        Raises:
            StateError: the file cannot be used. When it was damaged it has been put aside, and the next
                transaction begins with an empty one.
        """
        import sqlite3

        notice_fork()
        with self._lock:
            if self._connection is not None and self._connection.in_transaction:
                raise StateError(f"{self.path}: a transaction was begun inside a transaction")
            try:
                connection = self._begin(timeout)
                yield connection
                self._refuse_if_robbed()  # SQLite writes only now; what is closed and opened meanwhile is not seen
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                self._put_aside_if_damaged(error)
                raise self._error(error) from error
            except BaseException:
                self._roll_back()
                raise
            finally:
                if "uwsgi" in sys.modules:  # it forks without a word, and what is open then cannot be used any more
                    self.close()

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        import sqlite3

        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._was_robbed():
                self._give_up(connection)
            elif connection is not None:
                os.close(self._sentinel)
                with contextlib.suppress(sqlite3.Error):
                    connection.close()

    def __del__(self) -> None:
        # Who asks for counts after a handler has ended opens a connection that nobody else closes.
        with contextlib.suppress(Exception):
            self.close()

    def before_fork(self) -> None:
        """Close the connection, or leave a mark when a transaction does not end in time."""
        self._fork_waits = False  # should this be interrupted
        self._fork_waits = self._lock.acquire(timeout=_FORK_PATIENCE)
        if self._fork_waits and self._connection is not None:
            self.close()

    def after_fork_in_parent(self) -> None:
        """Let transactions run again."""
        if self._fork_waits:
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin with a lock of its own; a copied connection is neither used nor closed."""
        self._lock = threading.RLock()
        if self._connection is not None:
            self._give_up(self._connection)
            self._connection = None

    def _begin(self, timeout: float) -> "sqlite3.Connection":
        import sqlite3

        if identity_of(self.path) in _given_up:
            problem = "this process was forked during a transaction, or has lost its descriptors"
            raise StateError(f"{self.path}: {problem}, and cannot use the file")
        for last_try in (False, True):
            try:
                connection = self._open(timeout)
                if self._busy_timeout != timeout:
                    connection.execute(f"PRAGMA busy_timeout={round(timeout * 1000)}")
                    self._busy_timeout = timeout
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                put_aside = self._put_aside_if_damaged(error)
                if last_try or not put_aside:
                    self.close()
                    raise self._error(error) from error
            except OSError as error:
                raise self._error(error) from error
            else:
                return connection
        raise AssertionError("unreachable")

    def _open(self, timeout: float) -> "sqlite3.Connection":
        if self._connection is not None:
            self._refuse_if_robbed()
            if self._identity == identity_of(self.path):
                return self._connection
            self.close()  # another process has put the file aside, or somebody has removed it
        self._look_at_others()
        make_directory(self.directory)
        with self._set_up_alone(timeout):
            self._connection = self._connect()
        return self._connection

    def _was_robbed(self) -> bool:
        """Whether somebody has closed descriptors by their numbers, and with them perhaps those that SQLite has.

        SQLite would then write into the file that has its number now.
        """
        return not is_still(self._sentinel, self._place)

    def _give_up(self, connection: "sqlite3.Connection") -> None:
        """Leave a connection that can be neither used nor closed, and use the file no more in this process.

        SQLite keeps what it knows of a file's locks once for all connections of a process: another would rely on
        locks that are gone, or take them on a file that has the number now.
        """
        _never_closed.append(connection)
        if self._identity is not None:
            _given_up.add(self._identity)

    def lost(self) -> tuple[int, int] | None:
        """Return which file this has open by descriptors that somebody has closed; None when there is none."""
        return self._identity if self._connection is not None and self._was_robbed() else None

    def _look_at_others(self) -> None:
        _given_up.update(lost for state in list(_states) if (lost := state.lost()) is not None)
        if identity_of(self.path) in _given_up:
            raise StateError(f"{self.path}: this process has closed descriptors that are not its own")

    def _refuse_if_robbed(self) -> None:
        if self._was_robbed():
            self.close()
            raise StateError(f"{self.path}: this process has closed descriptors that are not its own")

    def _connect(self) -> "sqlite3.Connection":
        import sqlite3

        self._identity = identity_of(self.path)
        if self._identity is None:  # only then: to open and close a file that is there would drop SQLite's locks
            os.close(open_safely(self.path, os.O_RDWR | os.O_CREAT, _MODE))
        self._sentinel = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        self._place = identity(os.fstat(self._sentinel))
        connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(self._schema)
        except BaseException:
            os.close(self._sentinel)
            connection.close()
            raise
        self._busy_timeout = _BUSY_TIMEOUT
        self._identity = identity_of(self.path)
        return connection

    @contextlib.contextmanager
    def _set_up_alone(self, timeout: float) -> Iterator[None]:
        # Switching to WAL fails at once, without the busy timeout, when two processes do it together.
        lock = HostLock(self.directory / "state.lock")
        if not lock.acquire(timeout):
            raise StateError(f"{lock.path} has been held by another process for {timeout:.0f} s")
        try:
            yield
        finally:
            lock.release()

    def _put_aside_if_damaged(self, error: "sqlite3.Error") -> bool:
        if not is_damage(error):
            return False
        self.close()
        try:
            with self._set_up_alone(_BUSY_TIMEOUT):
                if self._identity is None or self._identity != identity_of(self.path):
                    return True  # another process has done it
                aside = put_aside(self.path)
        except OSError as problem:
            raise self._error(problem) from error
        logging.getLogger("visigate_logging").error(
            "State file %s was damaged (%s): put aside as %s and begun anew; counts begin at zero",
            self.path,
            error,
            aside.name,
        )
        return True

    def _roll_back(self) -> None:
        import sqlite3

        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def _error(self, error: Exception) -> StateError:
        return error if isinstance(error, StateError) else StateError(f"{self.path}: {error}")


_never_closed: list["sqlite3.Connection"] = []
_given_up: set[tuple[int, int]] = set()
_states: "weakref.WeakSet[State]" = weakref.WeakSet()
