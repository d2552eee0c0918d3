"""Which processes have a database open, as far as /proc tells."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from visigate_logging.recovery.sqlite.files import SIBLINGS, sibling

PROC = Path("/proc")
SHOWN = 5


def holders_of(database: Path) -> str:
    """Return the processes by name and pid, for people; empty when none is known (also where there is no /proc)."""
    ours = {os.getpid(): "this step", os.getppid(): "this service itself"}
    held = [f"{ours.get(pid) or _name(pid)} (pid {pid})" for pid in _pids(database) if pid != os.getpid()]
    more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    return ", ".join(held[:SHOWN]) + more


def _pids(database: Path) -> Iterator[int]:
    paths = {str(sibling(database, suffix)) for suffix in SIBLINGS}
    if not PROC.is_dir():
        return
    for pid in sorted(int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()):
        if any(link.removesuffix(" (deleted)") in paths for link in _open_files(pid)):
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
