"""The last failure of each handler: what went wrong, and when."""

from typing import TYPE_CHECKING, TypedDict

from visigate_logging.host.clock import utc_text
from visigate_logging.host.state import State

if TYPE_CHECKING:
    import sqlite3

_LONGEST_TEXT = 500


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
