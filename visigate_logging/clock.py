"""Time that nobody can set: seconds on a clock that does not jump, and which boot they belong to."""

import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Instant", "boot_id", "clock", "monotonic"]


class Instant(NamedTuple):
    """A point in time: seconds are comparable only within one boot."""

    boot_id: str
    seconds: float


def clock() -> Instant:
    """Now, on a clock that nobody can set; on Linux it runs on in suspend."""
    return Instant(boot_id(), monotonic())


if hasattr(time, "CLOCK_BOOTTIME"):

    def monotonic() -> float:
        """Seconds since the boot, those in suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    monotonic = time.monotonic


@cache
def boot_id() -> str:
    """What names this boot of the host; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return _sysctl("kern.bootsessionuuid") if sys.platform == "darwin" else ""


def _sysctl(name: str) -> str:
    import subprocess

    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
