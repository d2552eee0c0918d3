"""What delivery keeps in the state file that all processes of the host share."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from visigate_logging.delivery.throttle import Incident
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Instant, Sheet, State, host_seconds, read_counts
from visigate_logging.host.clock import clock
from visigate_logging.host.follower import Cursor

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_KINDS: dict[Any, Any] = {
    str: str,
    int: int,
    float: int | float,
    float | None: int | float | None,
    tuple[str, ...]: tuple,
    Mapping[str, int]: dict,
}
_MOST = 2.0**53
"""What no count and no time comes near, and SQLite can still hold."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS mail_incidents (handler TEXT PRIMARY KEY, groups BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail_details (
    handler TEXT NOT NULL, fingerprint TEXT NOT NULL, detail BLOB NOT NULL, PRIMARY KEY (handler, fingerprint)
);
CREATE TABLE IF NOT EXISTS mail_cursors (handler TEXT PRIMARY KEY, cursor BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail_letters (
    id TEXT PRIMARY KEY, handler TEXT NOT NULL, made REAL NOT NULL, told INTEGER NOT NULL, folded INTEGER NOT NULL,
    reached INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, retry_at REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS mail_tries (letter TEXT PRIMARY KEY, fingerprints BLOB NOT NULL,
    perhaps INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', tried REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS mail_ended (handler TEXT NOT NULL, decision TEXT NOT NULL,
    PRIMARY KEY (handler, decision));
CREATE TABLE IF NOT EXISTS mail_weeks (handler TEXT PRIMARY KEY, week BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail_times (handler TEXT NOT NULL, letter TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (handler, letter));
"""


class Tables:
    """One handler's rows; each step is one transaction.

    Args:
        state: opened with SCHEMA.
        handler: the handler's name.
        now: for tests.
    """

    def __init__(self, state: State, handler: str, now: Callable[[], Instant] = clock) -> None:
        self._state = state
        self._handler = handler
        self._now = now

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple["sqlite3.Connection", float]]:
        with self._state.transaction() as connection:
            yield connection, host_seconds(connection, self._now())

    def _groups(self, connection: "sqlite3.Connection") -> dict[str, Incident]:
        query = "SELECT groups FROM mail_incidents WHERE handler = ?"
        row = connection.execute(query, (self._handler,)).fetchone()
        groups = {}
        given: list[dict[str, Any]] = kept(row, list)
        for one in given:
            with contextlib.suppress(TypeError, AttributeError, ValueError):  # one that is garbage stops no other
                groups[one["fingerprint"]] = _incident(**one | {"signs": tuple(one.get("signs", ()))})
        return groups

    def _keep(self, connection: "sqlite3.Connection", groups: dict[str, Incident]) -> None:
        row = (self._handler, orjson.dumps(list(groups.values())))
        connection.execute("REPLACE INTO mail_incidents VALUES (?, ?)", row)

    def _cursor(self, connection: "sqlite3.Connection") -> Cursor:
        query = "SELECT cursor FROM mail_cursors WHERE handler = ?"
        row = connection.execute(query, (self._handler,)).fetchone()
        return kept(row, dict)

    def _ended(self, connection: "sqlite3.Connection") -> set[str]:
        """Return the decisions that do not hold any more, because of what came."""
        rows = connection.execute("SELECT decision FROM mail_ended WHERE handler = ?", (self._handler,))
        return {row[0] for row in rows}

    def _end(self, connection: "sqlite3.Connection", decisions: Iterable[str]) -> None:
        rows = [(self._handler, decision) for decision in decisions]
        connection.executemany("INSERT OR IGNORE INTO mail_ended VALUES (?, ?)", rows)


def _incident(**values: Any) -> Incident:
    """Return the incident that these values make.

    Raises:
        TypeError, ValueError: they make none.
    """
    made = Incident(**values)
    for field in fields(made):
        value = getattr(made, field.name)
        if not isinstance(value, _KINDS[field.type]):
            raise TypeError(f"{field.name}: {value!r}")
        if isinstance(value, int | float) and not abs(value) < _MOST:
            raise ValueError(f"{field.name}: {value!r}")
    counts = (made.untold, made.told, *made.muted_errors.values())
    if not all(map(is_count, counts)) or not all(isinstance(sign, str) for sign in made.signs):
        raise ValueError(made.fingerprint)
    return made


def is_count(value: object) -> bool:
    """Return whether this may be a number of errors."""
    return type(value) is int and 0 <= value < _MOST


def sheet_of(connection: "sqlite3.Connection", handler: str) -> Sheet:
    """Return the counts of a handler on this host."""
    empty = Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0)
    return read_counts(connection).get(handler, empty)


def unknown_detail(group: Incident) -> ErrorDetail:
    """Return what stands for a detail that was lost with a damaged state file."""
    values = {"error_type": "Error", "error_message": "its details are in the log", "severity": group.severity}
    return ErrorDetail.from_dict(values | {"timestamp": group.first_time, "fingerprint": group.fingerprint})


def kept(row: tuple[bytes] | None, kind: Callable[[], T]) -> T:
    """Return what a row keeps as JSON; an empty one of its kind where that is garbage, which must stop no mail."""
    empty = kind()
    try:
        found = orjson.loads(row[0]) if row else empty
    except (ValueError, TypeError):
        return empty
    return found if isinstance(found, type(empty)) else empty
