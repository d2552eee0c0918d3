"""When the host was away, and how that is said; pure."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Sign:
    """A sign of life.

    Args:
        boot_id: of the boot.
        monotonic: seconds since then.
        at: seconds since 1970, by the clock as it was.
        is_right: whether that clock was known to be right.
        cut_off: names of the processes that lived when the host went down; filled in by the next boot.
        mark: what the unit has left for that boot, ``up`` or ``down``; empty without a unit.
    """

    boot_id: str
    monotonic: float
    at: float
    is_right: bool
    cut_off: tuple[str, ...] = ()
    mark: str = ""

    @property
    def began(self) -> float:
        """When its boot began."""
        return self.at - self.monotonic


@dataclass(frozen=True)
class Absence:
    """The host was away.

    Args:
        last: the last sign of life before it.
        since: of the host, seconds since 1970; None where that cannot be known.
        until: when it was back; likewise.
        kernel: whether the kernel has left word that it crashed.
    """

    last: Sign
    since: float | None
    until: float | None
    kernel: bool = False

    @property
    def event(self) -> str:
        """``boot`` after a shutdown, else ``power``."""
        return "boot" if self.last.mark == "down" or not (self.last.cut_off or self.last.mark) else "power"

    @property
    def text(self) -> str:
        """It in words."""
        if self.event == "boot":
            return f"restarted{self._span(': off ')}"
        if self.kernel:
            return f"the kernel crashed; the host was away{self._span(' ')}"
        if self.last.mark == "up":
            return f"power was away{self._span(' ')}"
        return f"power or kernel, cannot tell: the host was away{self._span(' ')}"

    def _span(self, before: str) -> str:
        since = _local(self.since)
        until = _local(self.until, self.since)
        if self.since is None or self.until is None:
            told = " ".join(part for part in (since and f"from {since}", until and f"until {until}") if part)
            return f"{before}{told}, how long is not known" if told else ", how long is not known"
        return f"{before}{since}–{until} ({length(self.until - self.since)})"  # noqa: RUF001 -- from one time to another


def _local(at: float | None, other: float | None = None) -> str:
    """Return a time of day, with the date where it is another day's than today, or than the one beside it."""
    if at is None:
        return ""
    day = time.localtime(time.time() if other is None else other)[:3]
    when = time.localtime(at)
    return time.strftime("%H:%M" if when[:3] == day else "%Y-%m-%d %H:%M", when)


def length(seconds: float) -> str:
    """Return a span in words, as "3 min"."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= 60):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
