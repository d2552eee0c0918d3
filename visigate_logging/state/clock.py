"""The host's own seconds: a clock that reboots do not touch."""

from typing import TYPE_CHECKING

from visigate_logging.clock import Instant, boot_id, clock

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Instant", "boot_id", "clock", "host_seconds"]

_SAVE_EVERY = 600.0


def host_seconds(connection: "sqlite3.Connection", now: Instant | None = None) -> float:
    """Seconds on the host's own clock, which never goes back and which reboots do not touch.

    It counts while the host is up. How long the host was off cannot be known (its wall clock has no
    battery), so that time counts as none: after a reboot the clock goes on from the last saved value, at
    most ten minutes behind what it had reached. A span measured with it is therefore never longer than the
    real one: a window that ends by this clock has ended by any.

    Args:
        connection: inside `State.transaction`.
        now: for tests; by default ``clock()``.
    """
    now = now or clock()
    row = connection.execute("SELECT boot_id, monotonic, seconds FROM host_clock").fetchone()
    if row is None:
        seconds, elapsed, same_boot = 0.0, 0.0, False
    else:
        elapsed = now.seconds - row[1]
        same_boot = row[0] == now.boot_id and elapsed >= 0
        seconds = row[2] + (elapsed if same_boot else 0.0)
    if not same_boot or elapsed >= _SAVE_EVERY:
        connection.execute("REPLACE INTO host_clock VALUES (1, ?, ?, ?)", (*now, seconds))
    return seconds
