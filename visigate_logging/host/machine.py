"""The state of the machine and of this process: sampled in the background, so that an error need not wait for it.

On Linux all is read from ``/proc`` and ``/sys``; elsewhere there are the load and the file systems alone. What cannot
be read is left out.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visigate_logging.host.clock import monotonic
from visigate_logging.host.upkeep import Task

SAMPLE_EVERY = 5.0
"""Seconds between two samples."""
LATE = 3 * SAMPLE_EVERY
"""Seconds after which the sampling has ended, as in a forked child, and is begun anew."""
RECENT = 300.0
"""Seconds for which an under-voltage is told."""

UNREADABLE = (OSError, ValueError, LookupError, ArithmeticError)
"""What reading a text of the kernel's may raise: it is not there, not of the form, or cut short by who closed it."""

_MAY_HANG = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "gluster", "autofs")
"""What kinds of file systems begin with that are not asked: a server may not answer."""

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
_THROTTLED = ("under-voltage", "frequency capped", "throttled", "temperature limit")


class Machine:
    """Samples the state of the machine.

    Args:
        root: where ``proc``, ``sys`` and ``run`` are.
    """

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self._root = Path(root)
        self._paths: dict[str, None] = {}
        self._sample: dict[str, Any] = {}
        self._time = -LATE
        self._under_voltage = -RECENT
        self._task = Task("Sample of the machine's state", self._turn, close=self.stop)

    def watch(self, directory: str | os.PathLike[str]) -> None:
        """Sample from now on, the file system of a directory too.

        Args:
            directory: one that need not be there yet.
        """
        self._paths[os.path.abspath(directory)] = None
        self._task.wake()

    def stop(self) -> None:
        """Sample no more."""
        self._task.stop(0)

    def newest(self, *, wakes: bool = True) -> dict[str, Any]:
        """Return the newest sample, with its age in seconds and what is unusual in it; empty where there is none.

        Args:
            wakes: whether sampling begins where there is no new one.
        """
        age = monotonic() - self._time
        if age > LATE and wakes:
            self._task.wake()
        if not self._sample:
            return {}
        ago = monotonic() - self._under_voltage
        voltage = [f"under-voltage {ago:.0f} s before"] if ago < RECENT else []
        return {**self._sample, "unusual": voltage + self._sample["unusual"], "age": round(age, 1)}

    def _turn(self) -> float:
        self.sample()
        return SAMPLE_EVERY

    def sample(self) -> None:
        """Take a sample."""
        found: dict[str, Any] = {}
        for take in (self._system, self._memory, self._hardware, self._process):
            with contextlib.suppress(*UNREADABLE):
                found |= take()
        found["disks"] = list(self._disks())
        found["unusual"] = list(unusual(found))
        self._sample, self._time = found, monotonic()
        if "under-voltage" in found.get("throttled", ()):
            self._under_voltage = self._time

    def _read(self, path: str) -> str:
        return (self._root / path).read_text("ascii", "replace")

    def _system(self) -> dict[str, Any]:
        found: dict[str, Any] = {"cpus": os.cpu_count() or 1, "load": [round(n, 2) for n in os.getloadavg()]}
        with contextlib.suppress(OSError):
            found["uptime"] = float(self._read("proc/uptime").split()[0])
        timesync = self._root / "run/systemd/timesync"  # there while systemd-timesyncd(8) runs
        return found | {"clock_synchronised": (timesync / "synchronized").exists()} if timesync.is_dir() else found

    def _memory(self) -> dict[str, Any]:
        lines = (line.split() for line in self._read("proc/meminfo").splitlines())
        sizes = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
        return {
            "memory": {"total": sizes["MemTotal"], "available": sizes["MemAvailable"]},
            "swap": {"total": sizes["SwapTotal"], "free": sizes["SwapFree"]},
        }

    def _hardware(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            found["temperature"] = int(self._read("sys/class/thermal/thermal_zone0/temp")) / 1000
        with contextlib.suppress(OSError, ValueError):
            bits = int(self._read("sys/devices/platform/soc/soc:firmware/get_throttled"), 16)
            found["throttled"] = [name for bit, name in enumerate(_THROTTLED) if bits >> bit & 1]
            found["throttled_since_boot"] = [name for bit, name in enumerate(_THROTTLED) if bits >> (bit + 16) & 1]
        with contextlib.suppress(OSError, ValueError):
            lines = [line.split() for line in self._read("proc/net/wireless").splitlines()[2:]]
            found["wifi"] = {words[0].rstrip(":"): int(float(words[3])) for words in lines if len(words) > 3}
        return {name: value for name, value in found.items() if value != {}}

    def _process(self) -> dict[str, Any]:
        lines = (line.partition(":") for line in self._read("proc/self/status").splitlines())
        status = {name: value.split() for name, _, value in lines}
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return {
            "process": {
                "memory": int(status["VmRSS"][0]) * 1024,
                "threads": int(status["Threads"][0]),
                "descriptors": len(os.listdir(self._root / "proc/self/fd")),
                "descriptors_limit": limit,
            }
        }

    def _disks(self) -> Iterator[dict[str, Any]]:
        mounts, paths, devices = "", [*self._paths], set()
        with contextlib.suppress(OSError):
            mounts = self._read("proc/self/mountinfo")
        with contextlib.suppress(OSError):
            paths.append(os.getcwd())
        for path in paths:
            with contextlib.suppress(*UNREADABLE):
                if _kind_of(path, mounts).startswith(_MAY_HANG):
                    continue
                there = _nearest(path)
                status, device = os.statvfs(there), os.stat(there).st_dev
                if device not in devices:
                    devices.add(device)
                    yield {
                        "path": os.fsencode(path).decode("utf-8", "backslashreplace"),
                        "total": status.f_blocks * status.f_frsize,
                        "free": status.f_bavail * status.f_frsize,
                        "inodes_free": status.f_favail if status.f_files else None,
                        "read_only": bool(status.f_flag & os.ST_RDONLY),
                    }


def unusual(sample: dict[str, Any]) -> Iterator[str]:
    """Give what is unusual in a sample, in a few words each.

    Args:
        sample: as :meth:`Machine.newest` returns it.
    """
    yield from (name for name in sample.get("throttled", ()) if name != "under-voltage")
    for disk in sample.get("disks", ()):
        used = _used(disk["total"], disk["free"])
        if disk["read_only"]:
            yield f"{disk['path']} is read-only"
        elif used >= 99.5:
            yield f"disk full: {disk['path']}"
        elif used >= 95:
            yield f"disk {used:.0f} %: {disk['path']}"
        if disk["inodes_free"] is not None and disk["inodes_free"] < 100:
            yield f"no inodes free: {disk['path']}"
    yield from _of_memory(sample)
    if sample.get("temperature", 0) >= 80:
        yield f"{sample['temperature']:.0f} °C"
    if sample.get("load", [0])[0] >= 4 * sample.get("cpus", 1):
        yield f"load {sample['load'][0]:.0f} on {sample['cpus']} processors"
    yield from (f"Wi-Fi {signal} dBm" for signal in sample.get("wifi", {}).values() if signal <= -80)
    if sample.get("clock_synchronised") is False:
        yield "clock not synchronised"
    if sample.get("uptime", 1000) < 120:
        yield f"booted {sample['uptime']:.0f} s before"


def _of_memory(sample: dict[str, Any]) -> Iterator[str]:
    memory, swap, process = (sample.get(name, {}) for name in ("memory", "swap", "process"))
    used = _used(memory.get("total", 0), memory.get("available", 0))
    if used >= 90:
        yield f"memory {used:.0f} %"
    if (used := _used(swap.get("total", 0), swap.get("free", 0))) >= 90:
        yield f"swap {used:.0f} %"
    if process.get("descriptors", 0) >= 0.9 * process.get("descriptors_limit", 1) > 0:
        yield f"{process['descriptors']} of {process['descriptors_limit']} descriptors open"


def _used(total: int, free: int) -> float:
    return 100 * (total - free) / total if total else 0.0


def _kind_of(path: str, mounts: str) -> str:
    """Return the kind of file system that a path is on; it asks no file system.

    Args:
        path: absolute.
        mounts: of proc_pid_mountinfo(5).
    """
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        words, _, rest = line.partition(" - ")
        mount = words.split()[4]
        if len(mount) >= len(best) and (path == mount or path.startswith(os.path.join(mount, ""))):
            best, kind = mount, rest.split()[0]
    return kind


def _nearest(path: str) -> str:
    """Return a path, or the nearest above it that is there."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


machine = Machine()
"""The one of this process."""
