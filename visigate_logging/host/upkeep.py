"""The one thread of a process for all that is done in the background by the clock."""

import threading
import weakref
from collections.abc import Callable

from visigate_logging.host.clock import monotonic
from visigate_logging.host.forks import ForkAware, in_forked_child, watch_forks
from visigate_logging.host.worker import Guarded, Worker, finish_with_multiprocessing


class Task(ForkAware):
    """Something short that is done now and then, in the process's upkeep thread, which all tasks share.

    The thread starts with the first `wake` of each process. A task must not wait long for anything but the disk: the
    others wait for it meanwhile.

    Args:
        name: what it is called when it fails.
        act: a method, which is held weakly: returns in how many seconds it wants to be called again, or None.
            An exception is reported on the logger ``visigate_logging``, and leads to another call.
        close: what ends the owner in a `multiprocessing` child: a method, which is held weakly.
    """

    def __init__(self, name: str, act: Callable[[], float | None], close: Callable[[], object]) -> None:
        self._guarded = Guarded(name)
        self._method = weakref.WeakMethod(act)
        self._close = weakref.WeakMethod(close)
        self._stopped = False
        self._due: float | None = None
        self._is_known = False
        self.after_fork_in_child()
        watch_forks(self)

    def wake(self) -> None:
        """Let it be done soon; never blocks."""
        if not self._stopped and _upkeep.put(self) and not self._is_known:
            self._is_known = True
            finish_with_multiprocessing(self._close)

    def stop(self, timeout: float) -> bool:
        """Do it no more; True when it is not being done, for which ``timeout`` seconds are waited at most."""
        self._stopped = True
        over = self._busy.acquire(timeout=timeout)  # reentrant: it may stop itself
        if over:
            self._busy.release()
        return over

    def turn(self, now: float, *, woken: bool) -> float | None:
        """Do it if it is woken or its time has come; returns when its time comes next, on the same clock as now."""
        if woken or (self._due is not None and self._due <= now):
            with self._busy:
                method = self._method()
                wait = None if self._stopped or method is None else self._guarded(method)
            self._due = None if wait is None else monotonic() + wait
        return self._due

    def after_fork_in_child(self) -> None:
        """Wait to be woken: what was due is the parent's to do."""
        self._busy = threading.RLock()
        self._due = None
        self._is_known = False


_scheduled: dict[Task, float] = {}


def _turn(woken: list[Task]) -> float | None:
    """Do what is to be done now; returns the seconds until the next."""
    now = monotonic()
    for task in {*_scheduled, *woken}:
        due = task.turn(now, woken=task in woken)
        if due is None:
            _scheduled.pop(task, None)
        else:
            _scheduled[task] = due
    return min(_scheduled.values()) - monotonic() if _scheduled else None


_upkeep = Worker("visigate-upkeep", _turn)
in_forked_child(_scheduled.clear)
