"""Loops that stop beating: told with the stacks of all threads, while the process still lives.

systemd's watchdog is fed from the same place (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html):
as long as all loops beat. A C function that does not let go of the interpreter stops the thread that looks as well;
`faulthandler` then leaves the stacks from a thread of its own.
"""

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from visigate_logging.host.forks import ForkAware, in_forked_child, watch_forks
from visigate_logging.host.supervision import notify
from visigate_logging.lifecycle.dumps import Stack

LONGEST_GAP = 2.0
"""Seconds between two looks that count at most, or half the limit: meanwhile the process may have stood still."""
MOST_FRAMES = 100

_beats: dict[int, int] = {}
_count = itertools.count()
in_forked_child(_beats.clear)


def heartbeat(*, last: bool = False) -> None:
    """Say that the loop in this thread goes on; from the first beat on it is watched.

    With ``watchdog: 30`` in the ``visigate`` section a loop that has not beaten for 30 seconds is told of as an
    error, with the stacks of all threads. A thread that ends is watched no more.

    Args:
        last: the loop ends here, and its thread goes on with something else.
    """
    if last:
        _beats.pop(threading.get_ident(), None)
    else:
        _beats[threading.get_ident()] = next(_count)  # not the time, which costs a call of the system on some hosts


class Hang:
    """A loop that has stopped, or goes on again.

    Args:
        thread: its name.
        seconds: since its last beat.
        stacks: of all threads, its own first; none when it goes on.
    """

    def __init__(self, thread: str, seconds: float, stacks: tuple[Stack, ...] = ()) -> None:
        self.thread = thread
        self.seconds = seconds
        self.stacks = stacks


class _Watched:
    """What is known of a thread that beats."""

    def __init__(self) -> None:
        self.beat = -1
        self.waited = 0.0
        self.is_told = False


class Watchdog(ForkAware):
    """Looks whether all loops beat.

    Args:
        limit: seconds without a beat after which a loop has stopped.
        tell: called with each loop that has stopped, once, and once more when it goes on.
    """

    def __init__(self, limit: float, tell: Callable[[Hang], object]) -> None:
        self.limit = limit
        self._tell = tell
        self._watched: dict[int, _Watched] = {}
        self._looked = time.monotonic()
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Forget the loops of the parent."""
        self._watched.clear()

    def look(self) -> bool:
        """Look at all loops, and feed systemd's watchdog when they beat; returns whether there is any."""
        now = time.monotonic()
        gap, self._looked = min(now - self._looked, LONGEST_GAP, self.limit / 2), now
        alive = _running()
        for ident, beat in list(_beats.items()):
            if ident not in alive:
                _beats.pop(ident, None)
            else:
                self._look_at(ident, alive[ident], beat, gap)
        for ident in self._watched.keys() - _beats.keys():
            del self._watched[ident]
        if not any(one.is_told for one in self._watched.values()):
            _feed()
        return bool(_beats)

    def _look_at(self, ident: int, name: str, beat: int, gap: float) -> None:
        one = self._watched.setdefault(ident, _Watched())
        if beat != one.beat:
            if one.is_told:
                self._tell(Hang(name, one.waited))
            one.beat, one.waited, one.is_told = beat, 0.0, False
            return
        one.waited += gap
        if one.waited >= self.limit and not one.is_told:
            one.is_told = True
            self._tell(Hang(name, one.waited, stacks(ident)))


def stacks(first: int) -> tuple[Stack, ...]:
    """Return where all threads are.

    Args:
        first: ident of the one that counts.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = [
        Stack(ident, ident == first, _frames(frame), names.get(ident, ""))
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    ]
    return tuple(sorted(found, key=lambda stack: not stack.is_current))


def _feed() -> None:
    """Tell systemd that the service lives, if it wants to know."""
    if os.environ.get("WATCHDOG_USEC") and os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
        notify("WATCHDOG=1")


def _running() -> dict[int, str]:
    """Return the threads that run, with their names; the main thread not any more when it waits for others to end."""
    threads = [thread for thread in threading.enumerate() if thread.is_alive()]
    return {thread.ident: thread.name for thread in threads if thread.ident is not None}


def _frames(frame: FrameType | None) -> tuple[tuple[str, int, str], ...]:
    found: list[tuple[str, int, str]] = []
    while frame is not None and len(found) < MOST_FRAMES:
        found.append((frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(reversed(found))
