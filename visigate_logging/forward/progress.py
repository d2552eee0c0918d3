"""How far forwarding has come: kept in the host's state file, in one transaction with the counts."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

from visigate_logging.forward.selection import LANES
from visigate_logging.host import State, add_counts, failure, note_failure

if TYPE_CHECKING:
    import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS forward (handler TEXT PRIMARY KEY, books TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass
class LaneProgress:
    """How far one lane has come.

    Args:
        cursor: of the follower: up to there every record is settled, which is sent, or dropped for a reason.
        done: by file, where records begin that stand behind the cursor and are settled too.
        waiting: by file, how many records are accepted and not settled.
    """

    cursor: dict[str, int] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        """How many records wait."""
        return sum(self.waiting.values())

    def count(self, file: str, n: int) -> None:
        """Let so many more records of a file wait, or fewer."""
        if left := self.waiting.pop(file, 0) + n:
            self.waiting[file] = left

    def catch_up(self, cursor: Mapping[str, int]) -> None:
        """Go to a cursor before which nothing waits."""
        self.cursor, self.done = dict(cursor), {}


@dataclass
class Progress:
    """How far one handler has come.

    Args:
        scanned: cursor of what has been looked through and accepted.
        ends: by file, the id of the last record that was looked through: it names the file when it is written anew.
        since: records that are older are not forwarded, RFC 3339 in UTC; empty for all.
        lanes: by name.
        delivered_at: when a target last accepted something, RFC 3339 in UTC; empty for never.
        trouble: why nothing goes out; empty when it does.
    """

    scanned: dict[str, int] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    since: str = ""
    lanes: dict[str, LaneProgress] = field(default_factory=lambda: {name: LaneProgress() for name in LANES})
    delivered_at: str = ""
    trouble: str = ""

    @classmethod
    def begin(cls, cursor: Mapping[str, int], since: str = "") -> Self:
        """Return the books of somebody who has nothing to do with what stands before a cursor."""
        return cls(dict(cursor), {}, since, {name: LaneProgress(dict(cursor)) for name in LANES})

    @property
    def pending(self) -> int:
        """How many records wait, in all lanes."""
        return sum(lane.pending for lane in self.lanes.values())


@dataclass
class Changes:
    """What has become of records since the books were stored last."""

    accepted: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: str = ""

    def __bool__(self) -> bool:
        return bool(self.accepted or self.delivered or self.dropped or self.failed)


def load(connection: "sqlite3.Connection", handler: str) -> Progress | None:
    """Return the books of a handler; None when it has none."""
    row = connection.execute("SELECT books FROM forward WHERE handler = ?", (handler,)).fetchone()
    if row is None:
        return None
    found: dict[str, Any] = orjson.loads(row[0])
    lanes = {name: LaneProgress(**found["lanes"].get(name, {})) for name in LANES}
    known = {one.name for one in dataclasses.fields(Progress)}
    return Progress(**{name: value for name, value in found.items() if name in known} | {"lanes": lanes})


def read_all(directory: Path) -> dict[str, Progress]:
    """Return the books of all handlers of a state directory; nothing is made.

    Raises:
        StateError: the state file cannot be used.
    """
    state = State(directory, SCHEMA)
    if not state.path.exists():
        return {}
    try:
        with state.transaction() as connection:
            names = [name for (name,) in connection.execute("SELECT handler FROM forward ORDER BY handler")]
            return {name: books for name in names if (books := load(connection, name))}
    finally:
        state.close()


def store(connection: "sqlite3.Connection", handler: str, books: Progress, changes: Changes) -> None:
    """Keep the books and what has changed, inside a transaction of the caller's, so that both hold or neither."""
    known = connection.execute("SELECT 1 FROM forward WHERE handler = ?", (handler,)).fetchone()
    connection.execute("REPLACE INTO forward VALUES (?, ?)", (handler, orjson.dumps(books).decode()))
    # A state file that was damaged and begun anew knows nothing of what was accepted before.
    settled = changes.delivered + changes.dropped.total()
    accepted = changes.accepted if known else books.pending + settled
    add_counts(connection, handler, accepted=accepted, delivered=changes.delivered, dropped=changes.dropped)
    if changes.failed:
        note_failure(connection, handler, failure(changes.failed))
