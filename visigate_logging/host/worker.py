"""One bounded queue and its thread, for work that must not be done in the caller's thread."""

import atexit
import contextlib
import logging
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from visigate_logging.host.forks import (
    at_last_in_forked_child,
    begins_anew,
    in_forked_child,
    must_stay_alone,
    notice_fork,
)

T = TypeVar("T")

_SHORTEST_WAIT = 0.01
_LONGEST_RETRY = 64.0
_EXIT_TIMEOUT = 2.0


class _Signal:
    """What travels through the queue beside items: set when all that was put before it is worked off."""

    def __init__(self, *, stop: bool = False) -> None:
        self.done = threading.Event()
        self.stop = stop


class Guarded:
    """Calls what may fail: that is reported on the logger ``visigate_logging``, and a wait until the next call grows.

    Args:
        name: what it is called in reports.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0

    def __call__(self, act: Callable[[], float | None], what: str = "") -> float | None:
        """Return what ``act`` returns; after the nth failure in a row 2 to the power of n seconds, and 64 at most."""
        try:
            wait = act()
        except Exception:
            self._failures += 1
            with contextlib.suppress(Exception):
                self._report(what)
            return min(2.0 ** min(self._failures, 10), _LONGEST_RETRY)
        self._failures = 0
        return wait

    def _report(self, what: str) -> None:
        # Powers of two: a fault that lasts is neither hidden nor a flood, even when its report feeds it.
        if self._failures & (self._failures - 1) == 0:
            logging.getLogger("visigate_logging").exception(
                "%s failed%s; failures in a row: %d", self._name, what, self._failures
            )


class Worker(Generic[T]):
    """A bounded queue and the daemon thread that works it off.

    The thread starts with the first `put`, `wake` or `start` of each process; in uWSGI's master never, but in each of
    its workers. A forked child begins with an empty queue: what waited there is the parent's, which works it off.

    Args:
        name: name of the thread, and of the worker in reports.
        work: called with all items that wait, or with ``[]`` on a timer; returns in how many seconds it
            wants to be called again even if nothing comes, or None. An exception is reported on the logger
            ``visigate_logging``; the thread goes on and calls again after a wait that grows to 64 s. Items
            given to a call that failed are not given again.
        maxsize: how many items may wait.
        close: what ends the owner in a `multiprocessing` child, where neither ``atexit`` nor
            ``logging.shutdown`` runs: a method, which is held weakly. By default ``stop(2.0)``.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[T]], float | None],
        *,
        maxsize: int = 10_000,
        close: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self._work = work
        self._maxsize = maxsize
        self._close = weakref.WeakMethod(close or self._stop_at_exit)
        self._stopped = False
        self._woken = self._is_put_off = False
        self._start_afresh()
        _workers.add(self)

    def _start_afresh(self) -> None:
        # SimpleQueue: a destructor or a signal handler that logs may interrupt its put and put as well.
        self._queue: queue.SimpleQueue[T | _Signal] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._woken = False
        self._guarded = Guarded(self.name)

    def start(self) -> bool:
        """Start the thread, if it does not run; False when it may not: stopped, at exit, before uWSGI forks."""
        notice_fork()
        if self._stopped or sys.is_finalizing():  # 3.11 starts a thread even then, waits for it, and it never runs
            return False
        if begins_anew():  # what the thread needs may still be as the parent left it: a lock that nobody lets go
            self._is_put_off = True
            return True
        if self._is_alive() or not self._starting.acquire(blocking=False):
            return True
        try:
            if self._is_alive():
                return True
            if must_stay_alone():
                self._is_put_off = True
                return False
            self._follow_patch()
            # Known before it starts: what interrupts the start must not lead to a second one.
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        except RuntimeError:  # the interpreter begins to end, or the system has no more threads
            return False
        else:
            finish_with_multiprocessing(self._close)
            return True
        finally:
            self._starting.release()

    def put(self, item: T) -> bool:
        """Queue an item without ever blocking; False when the queue is full or the worker has stopped."""
        if not self.start() or self._queue.qsize() >= self._maxsize:
            return False
        self._queue.put(item)
        return True

    def wake(self) -> None:
        """Let ``work`` be called soon, with what waits."""
        notice_fork()
        if not self._woken and self.start():
            try:
                self._woken = True
                self._queue.put(_Signal())
            except BaseException:  # the application was interrupted: the next must wake it
                self._woken = False
                raise

    def flush(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; True when all that was put before has been worked off."""
        notice_fork()
        thread = self._thread
        if thread is None or not thread.is_alive():
            return self._queue.empty()
        if thread is threading.current_thread():
            return False
        signal = _Signal()
        self._queue.put(signal)
        return signal.done.wait(timeout)

    def stop(self, timeout: float) -> bool:
        """Take no more items, work off what waits, end the thread; True when done within ``timeout`` s."""
        notice_fork()
        self._stopped = True
        thread = self._thread
        if thread is None or not thread.is_alive():
            return self._queue.empty()
        if thread is threading.current_thread():
            return False
        self._queue.put(_Signal(stop=True))
        thread.join(timeout)
        return not thread.is_alive()

    def _follow_patch(self) -> None:
        # gevent and eventlet put their own in its place; the one of before, waited at, would stop all their tasks.
        if type(self._queue) is not queue.SimpleQueue:
            self._queue = queue.SimpleQueue()

    def _is_alive(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _stop_at_exit(self) -> None:
        self.stop(_EXIT_TIMEOUT)

    def _run(self) -> None:
        wait: float | None = None
        while True:
            items, signals = self._take(wait)
            wait = self._call(items)
            for signal in signals:
                signal.done.set()
            if any(signal.stop for signal in signals):
                return

    def _take(self, wait: float | None) -> tuple[list[T], list[_Signal]]:
        taken: list[T | _Signal] = []
        timeout = None if wait is None else min(max(wait, _SHORTEST_WAIT), threading.TIMEOUT_MAX)
        with contextlib.suppress(queue.Empty):
            taken.append(self._queue.get(timeout=timeout))
            self._woken = False  # before the rest is taken: a wake from here on must put its own signal
            for _ in range(self._queue.qsize()):
                taken.append(self._queue.get_nowait())
        return [i for i in taken if not isinstance(i, _Signal)], [i for i in taken if isinstance(i, _Signal)]

    def _call(self, items: list[T]) -> float | None:
        return self._guarded(lambda: self._work(items), f" on {len(items)} items")


def finish_with_multiprocessing(close: "weakref.WeakMethod[Callable[[], object]]") -> None:
    """Call ``close`` when a `multiprocessing` child ends: neither ``atexit`` nor ``logging.shutdown`` runs there."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _call_weakly, args=(close,), exitpriority=10)


def _call_weakly(reference: "weakref.WeakMethod[Callable[[], object]]") -> None:
    function = reference()
    if function is not None:
        function()


_workers: "weakref.WeakSet[Worker[Any]]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for worker in list(_workers):
        worker._start_afresh()


def _start_what_was_put_off() -> None:
    for worker in list(_workers):
        if worker._is_put_off:
            worker._is_put_off = worker._woken = False
            worker.wake()


in_forked_child(_after_fork_in_child)
at_last_in_forked_child(_start_what_was_put_off)
# Before logging.shutdown, which runs later because it was registered earlier: it holds handlers' locks, and what
# notices a fork inside renews them.
atexit.register(notice_fork)
