"""Time: seconds on clocks that nobody can set, of one boot or of the host over its reboots; and text for people."""

import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

_SAVE_EVERY = 600.0
_FRESH = 1.0
"""Seconds within which a record that is looked at has been made."""
_MOST_EPOCHS = 16


class Instant(NamedTuple):
    """A point in time: seconds are comparable only within one boot."""

    boot_id: str
    seconds: float


def clock() -> Instant:
    """Now, on a clock that nobody can set; on Linux it runs on in suspend."""
    return Instant(boot_id(), monotonic())


monotonic: Callable[[], float] = time.monotonic
"""Return the seconds since the boot; on Linux those in suspend included."""
if hasattr(time, "CLOCK_BOOTTIME"):
    monotonic = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class Epochs:
    """When this boot began, by the wall clock, which somebody may put forward or back; kept for each time it did.

    Args:
        wall, since_boot: clocks, for tests.
    """

    def __init__(self, wall: Callable[[], float] = time.time, since_boot: Callable[[], float] = monotonic) -> None:
        self._wall, self._since_boot = wall, since_boot
        self._epoch = wall() - since_boot()
        self._known = deque([(0.0, self._epoch)], maxlen=_MOST_EPOCHS)

    def since_boot(self, created: float) -> float:
        """Return the seconds from the boot to a time by the wall clock, which may be that of a record held since.

        Args:
            created: seconds since 1970. Where no clock of this boot can have said so, it is taken for now.
        """
        now = self._since_boot()
        if -_FRESH < created - now - self._epoch < _FRESH:
            return now
        epoch = self._wall() - now
        if not -_FRESH < epoch - self._epoch < _FRESH:
            self._epoch = epoch
            self._known.append((now, epoch))
        end = now
        for begun, epoch in reversed(self._known):
            if begun - _FRESH <= created - epoch <= end + _FRESH:
                return min(created - epoch, end)
            end = begun
        return now


since_boot = Epochs().since_boot


def utc_text(seconds: float | None = None, timespec: str = "seconds") -> str:
    """Return a time for people, by the wall clock, as RFC 3339 in UTC.

    Args:
        seconds: since 1970; default now.
        timespec: how exact, as `datetime.isoformat` takes it.
    """
    when = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec=timespec).replace("+00:00", "Z")


_second: tuple[int, str] = (-1, "")


def rfc3339(microseconds: int) -> str:
    """Return a time of records: RFC 3339 in UTC with microseconds; quickly, as errors come in the same second.

    Args:
        microseconds: since 1970.
    """
    global _second  # noqa: PLW0603 -- the text of the last second; replaced whole, so threads cannot mix it
    seconds, fraction = divmod(microseconds, 1_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{fraction:06d}Z"


@cache
def boot_id() -> str:
    """Return what names this boot of the host; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return _sysctl("kern.bootsessionuuid") if sys.platform == "darwin" else ""


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


def _sysctl(name: str) -> str:
    import subprocess

    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
