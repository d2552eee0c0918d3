"""What went wrong lately on this host: the last failure of each handler, and the records that were dropped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from visigate_logging.host.clock import host_seconds, utc_text
from visigate_logging.host.state import State

if TYPE_CHECKING:
    import sqlite3

_LONGEST_TEXT = 500
LATELY = 86_400.0
"""Seconds of the host's clock after which a drop is no news any more; the count sheets keep its number."""


class Failure(TypedDict):
    """What went wrong, without secrets, and when, as RFC 3339 in UTC: for people, by the wall clock."""

    time: str
    text: str


def failure(text: str) -> Failure:
    """Return a failure that happens now."""
    return Failure(time=utc_text(), text=text[:_LONGEST_TEXT])


def note_failure(connection: "sqlite3.Connection", handler: str, last: Failure) -> bool:
    """Keep a failure as the handler's last on this host, inside a transaction of the caller's.

    Returns:
        Whether its text is another than that of the one before.
    """
    query = "SELECT 1 FROM failures WHERE handler = ? AND text = ?"
    known = connection.execute(query, (handler, last["text"])).fetchone()
    # The one noted last, not the one of the latest time: the clock may have been set back.
    connection.execute("REPLACE INTO failures VALUES (?, ?, ?)", (handler, last["time"], last["text"]))
    return known is None


def host_failures(state: State) -> dict[str, Failure]:
    """Return the last failure of each handler that ever failed, in whichever process of the host.

    Raises:
        StateError: the state file cannot be used.
    """
    with state.transaction() as connection:
        rows = connection.execute("SELECT handler, time, text FROM failures ORDER BY handler")
        return {handler: Failure(time=time, text=text) for handler, time, text in rows}


class Drop(NamedTuple):
    """Records that a handler has dropped for one reason, without a day's rest in between.

    Args:
        handler, reason: as on the count sheet.
        n: how many.
        since, last: the first and the last time, as RFC 3339 in UTC: for people, by the wall clock.
    """

    handler: str
    reason: str
    n: int
    since: str
    last: str


def note_drops(connection: "sqlite3.Connection", handler: str, dropped: Mapping[str, int]) -> None:
    """Keep that so many records were dropped just now, by reason, inside a transaction of the caller's."""
    if not any(dropped.values()):
        return
    time, seconds = utc_text(), host_seconds(connection)
    connection.execute("DELETE FROM drops WHERE seconds <= ?", (seconds - LATELY,))
    connection.executemany(
        "INSERT INTO drops VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n, last = excluded.last, seconds = excluded.seconds",
        [(handler, reason, n, time, time, seconds) for reason, n in dropped.items() if n],
    )


def host_drops(state: State) -> list[Drop]:
    """Return what the handlers of this host have dropped and not rested from for a day.

    Raises:
        StateError: the state file cannot be used.
    """
    with state.transaction() as connection:
        rows = connection.execute(
            "SELECT handler, reason, n, since, last FROM drops WHERE seconds > ? ORDER BY handler, reason",
            (host_seconds(connection) - LATELY,),
        )
        return [Drop(*row) for row in rows]
