"""Budgets and marks that the processes of a host share, and that outlive them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from visigate_logging.host import HostLock, State, host_seconds
from visigate_logging.host.directories import make_directory, sync_directory
from visigate_logging.host.files import write_atomically
from visigate_logging.options import build
from visigate_logging.recovery.policy import Budget
from visigate_logging.recovery.steps.base import Context

SCHEMA = "CREATE TABLE IF NOT EXISTS recovery (key TEXT PRIMARY KEY, budget TEXT NOT NULL) WITHOUT ROWID;"
REBOOT = "(reboot)"
DAY = 86_400.0


def full_key(context: Context) -> str:
    """Return what has one budget and one run at a time: the procedure, and what the fault is about."""
    return f"{context.procedure}:{context.key}" if context.key else context.procedure


def _file_name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def host_lock(directory: Path, key: str) -> HostLock:
    """Return the lock of one key; let go when its holder dies."""
    folder = directory / "recovery"
    make_directory(folder)
    return HostLock(folder / f"{_file_name(key)}.lock")


class Budgets:
    """The budgets in the host's state file.

    Args:
        directory: the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self.state = State(directory, SCHEMA)

    def load(self, key: str) -> tuple[Budget, float]:
        """Return a key's budget, and the host's clock."""
        with self.state.transaction() as connection:
            now = host_seconds(connection)
            row = connection.execute("SELECT budget FROM recovery WHERE key = ?", (key,)).fetchone()
        return (Budget() if row is None else _budget_of(row[0])), now

    def all(self) -> dict[str, Budget]:
        """Return the budgets of all keys, of the reboot's too."""
        with self.state.transaction() as connection:
            rows = connection.execute("SELECT key, budget FROM recovery ORDER BY key").fetchall()
        return {key: _budget_of(text) for key, text in rows}

    def save(self, key: str, budget: Budget) -> None:
        """Keep a key's budget."""
        text = json.dumps(asdict(budget))
        with self.state.transaction() as connection:
            connection.execute("REPLACE INTO recovery VALUES (?, ?)", (key, text))

    def forget(self, procedure: str) -> int:
        """Forget the budgets of a procedure, for all its keys; how many there were."""
        keys = self.keys(procedure)
        with self.state.transaction() as connection:
            connection.executemany("DELETE FROM recovery WHERE key = ?", [(key,) for key in keys])
        return len(keys)

    def keys(self, procedure: str) -> list[str]:
        """Return the keys of a procedure that have a budget."""
        with self.state.transaction() as connection:
            keys = [key for (key,) in connection.execute("SELECT key FROM recovery ORDER BY key")]
        return [key for key in keys if key == procedure or key.startswith(f"{procedure}:")]

    def may_reboot(self) -> bool:
        """Return whether no reboot was asked for within a day of uptime; True also counts as asking."""
        budget, now = self.load(REBOOT)
        if budget.attempts and now - budget.attempts[-1] < DAY:
            return False
        self.save(REBOOT, Budget(attempts=(now,)))
        return True


class Marks:
    """What was begun and not finished: one file for each key, to be taken up at the next start.

    Args:
        directory: the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "recovery"

    def set(self, context: Context, *, instead: bool = False) -> None:
        """Remember, through a power cut, that this recovery has begun.

        Args:
            context: the error.
            instead: whether it takes the place of an earlier one that waits.
        """
        path = self._path(context)
        if instead or not path.exists():
            write_atomically(path, json.dumps(asdict(context)).encode())

    def waiting(self, context: Context) -> Context | None:
        """Return what waits for the key of ``context``; None when nothing does."""
        return _read(self._path(context))

    def clear(self, context: Context) -> None:
        """Forget what is finished, so that no power cut brings it back."""
        with suppress(FileNotFoundError):
            self._path(context).unlink()
            sync_directory(self._folder)

    def forget(self, procedure: str) -> int:
        """Forget what waits for a procedure, for all its keys; how many there were."""
        waiting = [context for context in self.pending() if context.procedure == procedure]
        for context in waiting:
            self.clear(context)
        return len(waiting)

    def pending(self) -> Iterator[Context]:
        """Yield what waits to be finished."""
        for path in sorted(self._folder.glob("*.pending")):
            if (context := _read(path)) is not None:
                yield context

    def _path(self, context: Context) -> Path:
        return self._folder / f"{_file_name(full_key(context))}.pending"


def _read(path: Path) -> Context | None:
    with suppress(OSError, ValueError, TypeError):
        return Context(**json.loads(path.read_text("utf-8")))
    return None


def _budget_of(text: str) -> Budget:
    """Return what was kept; a new budget where that is garbage, which must not stop recovery for its key."""
    try:
        return build(Budget, json.loads(text))
    except ValueError:
        return Budget()
