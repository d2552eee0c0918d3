"""At each call of a look, once, all descriptors are closed, and files of others get their numbers.

Run in an empty directory, with the number of calls from one that is tried to the next. Each time a child looks, is
robbed, looks once more without that, and crashes; what it has left must then tell of that crash, once, and nothing of
it be in the others' files.
"""

import ctypes
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from visigate_logging.host.upkeep import Task
from visigate_logging.lifecycle.dumps import read_dumps
from visigate_logging.lifecycle.life import Life
from visigate_logging.lifecycle.processes import gone

# Not those that come right behind a look whether the descriptor is still ours: nothing can be asked in between.
CALLS = {
    "open",
    "read",
    "readline",
    "flock",
    "fcntl",
    "fstat",
    "stat",
    "fchmod",
    "fsync",
    "pread",
    "listdir",
    "unlink",
}
CALLS |= {"rename", "enable", "register"}
NO_MORE_CALLS = 99


def main() -> None:
    for is_robbed_before in (False, True):
        for n in itertools.count(1, int(sys.argv[1])):
            folder = Path(f"{is_robbed_before}-{n}")
            folder.mkdir()
            child = os.fork()
            if child == 0:
                try:
                    crash(n, folder, is_robbed_before=is_robbed_before)
                finally:
                    os._exit(1)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status == NO_MORE_CALLS:
                break
            assert status == -signal.SIGSEGV, (folder, status)
            assert not any(path.stat().st_size for path in folder.glob("theirs-*")), folder
            [left] = [one for one in gone(folder / "state") if "ticks" in one.facts]
            assert [dump.fatal for dump in read_dumps(left.dump_path.read_bytes())] == ["Segmentation fault"], folder
        print(n)


def crash(n: int, folder: Path, *, is_robbed_before: bool) -> None:
    os.chdir(folder)
    life = Life(Path("state").absolute())
    life.arm()
    life._look()
    life._told = life._looked = -1000.0  # all is to be done again
    if is_robbed_before:
        rob()
    if not is_robbed_at(n, life._look):
        os._exit(NO_MORE_CALLS)
    life._look()
    ctypes.string_at(0)


def is_robbed_at(n: int, act: Callable[[], object]) -> bool:
    left = n

    def before(_: FrameType, event: str, function: Any) -> None:
        nonlocal left
        if event == "c_call" and function.__name__ in CALLS:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                rob()

    sys.setprofile(before)
    act()
    sys.setprofile(None)
    return left <= 0


def rob() -> None:
    high = [int(name) for name in os.listdir("/dev/fd") if int(name) > 900]
    os.closerange(3, 4096)
    theirs = [os.open(f"theirs-{n}", os.O_RDWR | os.O_CREAT) for n in range(12)]
    for fd in high:  # the worst case: they get these numbers too
        os.dup2(theirs[0], fd)


if __name__ == "__main__":
    os.fsync = os.fdatasync = lambda fd: None  # nobody cuts the power here
    Task.wake = lambda self: None  # type: ignore[method-assign] # no thread: it looks when it is told to
    main()
