"""What ``/proc`` tells of processes: all that one has started, and who has a file open.

Where there is no ``/proc``, as on macOS, nothing is known and nothing is done.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PROC = Path("/proc")
ROUNDS = 100  # what is being started while others are ended is met in the next one
SHOWN = 5


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none gets lost (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(pid: int) -> None:
    """Kill all descendants of a process, also what has left its session, until there are none."""
    for _ in range(ROUNDS):
        found = _descendants(pid)
        if not found:
            return
        for one in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = entry.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def holders_of(paths: Collection[Path]) -> str:
    """Return the processes that have one of some files open, by name and pid; empty when none is known."""
    ours = {os.getpid(): "this step", os.getppid(): "this service itself"}
    held = [f"{ours.get(pid) or _name(pid)} (pid {pid})" for pid in _pids(paths) if pid != os.getpid()]
    more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    return ", ".join(held[:SHOWN]) + more


def _pids(paths: Collection[Path]) -> Iterator[int]:
    wanted = set(map(str, paths))
    for pid in sorted(int(entry.name) for entry in PROC.glob("[0-9]*")):
        if any(link.removesuffix(" (deleted)") in wanted for link in _open_files(pid)):
            yield pid


def _open_files(pid: int) -> Iterator[str]:
    with suppress(OSError):  # it has ended, or is another user's
        for entry in os.scandir(PROC / str(pid) / "fd"):
            with suppress(OSError):
                yield os.readlink(entry.path)


def _name(pid: int) -> str:
    """Return the program, or the script or module that an interpreter runs."""
    try:
        arguments = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "a process"
    program = Path(arguments[0]).name
    if program.startswith("python"):
        words = [Path(a).name for a in arguments[1:] if a and not a.startswith("-")]
        return " ".join([program, *words[:1]])
    return program or "a process"
