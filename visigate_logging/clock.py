"""Time that a jump of the wall clock does not move: the boot's id and the seconds since it."""

import functools
import os
import sys
import time
from pathlib import Path

__all__ = ["boot_id", "monotonic"]


def monotonic() -> float:
    """Seconds since the boot, those in which the machine slept included where the system counts them."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@functools.cache
def boot_id() -> str:
    """An id that is the same for all processes until the next boot; random where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
    except OSError:
        pass
    if sys.platform == "darwin":
        import subprocess

        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip().replace("-", "").lower()
    return os.urandom(16).hex()
