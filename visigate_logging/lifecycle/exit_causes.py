"""Who else knows why a process ended: the kernel's log, its control group, its parent, systemd."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from visigate_logging.host.machine import UNREADABLE
from visigate_logging.lifecycle.processes import start_ticks

KERNEL_LOG = "/dev/kmsg"
FIRST_NAMESPACE = 0xEFFFFFFC
"""Of process numbers, the host's own: PROC_PID_INIT_INO in include/linux/proc_ns.h."""
_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_MOST_LINES = 20_000
_PATIENCE = 5.0
_MEMORY = re.compile(r"(?:Killed process|task=[^,]*,pid=) ?(?P<pid>\d+)\b")
_FAULT = re.compile(r"\S+\[(?P<pid>\d+)\]: (?P<what>segfault at|trap |unhandled |general protection)|"
                    r"traps: \S+\[(?P<trapped>\d+)\]")  # fmt: skip


class Memory(NamedTuple):
    """Memory at a moment.

    Args:
        used: share of the host's, or of the control group's limit, that is in use.
        own: bytes that this process has resident.
    """

    used: float
    own: int


class Service(NamedTuple):
    """What systemd says of how a service ended.

    Args:
        result: as "oom-kill", "watchdog", "signal", "core-dump", "exit-code", "timeout".
        code: of exit: "exited", "killed" or "dumped".
        status: the exit status, or the signal's number or name.
        at: when its main process ended, seconds since 1970; 0 where that is not known.
    """

    result: str = ""
    code: str = ""
    status: str = ""
    at: float = 0.0


NOTHING = Service()


def kernel_says(pid: int, since: float, path: str = KERNEL_LOG) -> str:
    """Return what the kernel's log has of the end of a process: ``memory``, ``fault`` or nothing.

    Args:
        pid: its number in the first namespace.
        since: seconds since the boot; earlier lines are of another process with that number.
        path: of the log; one that may not be read says nothing.
    """
    for at, text in _kernel_lines(path):
        if at < since:
            continue
        if (found := _MEMORY.search(text)) and int(found["pid"]) == pid:
            return "memory"
        if (found := _FAULT.search(text)) and int(found["pid"] or found["trapped"]) == pid:
            return "fault"
    return ""


def _kernel_lines(path: str) -> Iterator[tuple[float, str]]:
    """Lines of the log with their time (https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for _ in range(_MOST_LINES):
            try:
                line = os.read(fd, 8192)
            except BrokenPipeError:  # lines were overwritten meanwhile; the next read goes on behind them
                continue
            except OSError:
                return
            if not line:
                return
            head, _, text = line.decode("utf-8", "replace").partition(";")
            with contextlib.suppress(IndexError, ValueError):
                yield int(head.split(",")[2]) / 1e6, text.partition("\n")[0]
    finally:
        os.close(fd)


def control_group() -> str:
    """Return the directory of this process's memory control group; empty when it has none of its own."""
    with contextlib.suppress(OSError):
        for line in _OWN_CGROUPS.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            base = _CGROUPS / "memory" if controllers == "memory" else _CGROUPS
            if controllers in ("memory", "") and _oom_file(base / path.lstrip("/")) is not None:
                return str(base / path.lstrip("/"))
    return ""


def _oom_file(group: Path) -> Path | None:
    """Find where the group counts kills, in version 2 or 1 (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""
    return next((p for p in (group / "memory.events", group / "memory.oom_control") if p.is_file()), None)


def oom_kills(group: str) -> int | None:
    """Return how many processes of a control group the kernel has killed for memory; None when it cannot be read."""
    file = _oom_file(Path(group)) if group else None
    with contextlib.suppress(*UNREADABLE):
        lines = file.read_text("ascii").splitlines() if file is not None else []
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
    return None


def memory(group: str = "") -> Memory | None:
    """Return how much memory is in use now; None where the system does not say.

    Args:
        group: the control group whose limit counts too.
    """
    with contextlib.suppress(*UNREADABLE):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        figures = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        used = 1 - figures["MemAvailable"] / figures["MemTotal"]
        own = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Memory(round(max(used, _used_of_group(group)), 3), own)
    return None


def _used_of_group(group: str) -> float:
    for used, limit in (("memory.current", "memory.max"), ("memory.usage_in_bytes", "memory.limit_in_bytes")):
        with contextlib.suppress(*UNREADABLE):
            return int(Path(group, used).read_text("ascii")) / int(Path(group, limit).read_text("ascii"))
    return 0.0


def exit_status(pid: int, ticks: int) -> int | None:
    """Return the wait status of a process that its parent has not asked for yet; None when it cannot be had.

    Args:
        pid: its number.
        ticks: when it started; another process that has the number now has another.
    """
    with contextlib.suppress(*UNREADABLE):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        if fields[0] in "ZX" and int(fields[19]) == ticks:
            return int(fields[49])
    return None


def lives(pid: int, ticks: int) -> bool:
    """Return whether a process lives on: it executes another program now, or has closed all its descriptors."""
    return ticks > 0 and start_ticks(pid) == ticks


def service_result(invocation: str) -> Service:
    """Return what systemd's journal has of the end of a service; nothing where it may not be read.

    Takes as long as `journalctl` does, a few seconds at most: not for the upkeep thread.

    Args:
        invocation: the service's ``INVOCATION_ID``.
    """
    if not invocation.isalnum():
        return Service()
    command = ["journalctl", "--output=json", "--lines=50", "_PID=1", f"INVOCATION_ID={invocation}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return Service()
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):
            entry = orjson.loads(line)
            found |= {"ended": entry.get("__REALTIME_TIMESTAMP")} if "EXIT_CODE" in entry else {}
            found |= entry
    at = int(found.get("ended") or 0) / 1e6
    result, code, status = (str(found.get(name, "")) for name in ("UNIT_RESULT", "EXIT_CODE", "EXIT_STATUS"))
    return Service(result, code, status, at)


def signal_name(number: int | str) -> str:
    """Return a signal's name, as SIGKILL; systemd gives it without SIG."""
    with contextlib.suppress(ValueError):
        return signal.Signals(int(number)).name
    return f"SIG{number}" if number else ""
