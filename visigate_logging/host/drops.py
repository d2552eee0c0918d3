"""Records that were dropped lately: why, how many, and when."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from visigate_logging.host.clock import host_seconds, utc_text
from visigate_logging.host.state import State

if TYPE_CHECKING:
    import sqlite3

LATELY = 86_400.0
"""Seconds of the host's clock after which a drop is no news any more; the count sheets keep its number."""


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
