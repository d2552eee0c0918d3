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
from visigate_logging.host.forks import ForkAware, notice_fork, watch_forks
from visigate_logging.host.lock import HostLock
from visigate_logging.host.state_file import (
    BUSY_TIMEOUT,
    SCHEMA,
    Connection,
    given_up,
    identity_of,
    is_damage,
    put_aside,
)

if TYPE_CHECKING:
    import sqlite3

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
        self._connection: Connection | None = None
        self._closing: weakref.finalize[..., State] | None = None
        self._identity: tuple[int, int] | None = None
        self._fork_waits = False
        watch_forks(self)
        _states.add(self)

    @contextlib.contextmanager
    def transaction(self, timeout: float = BUSY_TIMEOUT) -> Iterator["sqlite3.Connection"]:
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
            if self._connection is not None and self._connection.db.in_transaction:
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
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._closing is not None:
                self._closing.detach()  # and not called: at exit weakref lets none of these act any more
                connection.close()

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
        if self._connection is not None and self._closing is not None:
            self._closing.detach()
            self._connection.give_up()
            self._connection = None

    def _begin(self, timeout: float) -> "sqlite3.Connection":
        import sqlite3

        if identity_of(self.path) in given_up:
            problem = "this process was forked during a transaction, or has lost its descriptors"
            raise StateError(f"{self.path}: {problem}, and cannot use the file")
        for last_try in (False, True):
            try:
                connection = self._open(timeout)
                if connection.busy_timeout != timeout:
                    connection.db.execute(f"PRAGMA busy_timeout={round(timeout * 1000)}")
                    connection.busy_timeout = timeout
                connection.db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                put_aside = self._put_aside_if_damaged(error)
                if last_try or not put_aside:
                    self.close()
                    raise self._error(error) from error
            except OSError as error:
                raise self._error(error) from error
            else:
                return connection.db
        raise AssertionError("unreachable")

    def _open(self, timeout: float) -> Connection:
        if self._connection is not None:
            self._refuse_if_robbed()
            if self._connection.identity == identity_of(self.path):
                return self._connection
            self.close()  # another process has put the file aside, or somebody has removed it
        given_up.update(lost for state in list(_states) if (lost := state.lost()) is not None)
        if identity_of(self.path) in given_up:
            raise StateError(f"{self.path}: this process has closed descriptors that are not its own")
        make_directory(self.directory)
        with self._set_up_alone(timeout):
            self._identity = identity_of(self.path)
            connection = Connection(self.path, self._schema)
            # Who asks for counts after a handler has ended opens a connection that nobody else closes. No __del__:
            # among garbage that refers to itself the connection may come first, and be closed by nobody.
            self._closing = weakref.finalize(self, connection.close)
            self._closing.atexit = False
            self._connection, self._identity = connection, connection.identity
        return connection

    def lost(self) -> tuple[int, int] | None:
        """Return which file this has open by descriptors that somebody has closed; None when there is none."""
        connection = self._connection
        if connection is None or not connection.was_robbed:
            return None
        # Who closes it in another thread lets go of it first: then nobody else has closed its descriptors.
        return connection.identity if self._connection is connection else None

    def _refuse_if_robbed(self) -> None:
        if self._connection is None or self._connection.was_robbed:
            self.close()
            raise StateError(f"{self.path}: this process has closed descriptors that are not its own")

    @contextlib.contextmanager
    def _set_up_alone(self, timeout: float) -> Iterator[None]:
        # Switching to WAL fails at once, without the busy timeout, when two processes do it together.
        lock = HostLock(self.directory / "state.lock")
        with lock.tried(timeout) as is_ours:
            if not is_ours:
                raise StateError(f"{lock.path} has been held by another process for {timeout:.0f} s")
            yield

    def _put_aside_if_damaged(self, error: "sqlite3.Error") -> bool:
        if not is_damage(error):
            return False
        self.close()
        try:
            with self._set_up_alone(BUSY_TIMEOUT):
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
            if self._connection is not None and self._connection.db.in_transaction:
                self._connection.db.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def _error(self, error: Exception) -> StateError:
        return error if isinstance(error, StateError) else StateError(f"{self.path}: {error}")


_states: "weakref.WeakSet[State]" = weakref.WeakSet()
