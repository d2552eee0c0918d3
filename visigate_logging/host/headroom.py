"""A stack of its own for work that begins near the recursion limit.

The standard library needs fewer frames to print a traceback than are needed to describe an error and to keep it, and
an application that is at its limit has an error to tell of. The limit holds for all threads, and is the
application's; but each thread counts from nothing.
"""

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple, TypeVar, TypeVarTuple

from visigate_logging.host.forks import must_stay_alone

Args = TypeVarTuple("Args")
R = TypeVar("R")

_PATIENCE = 1.0
"""Seconds to wait for the other thread: it may need a lock that the caller holds, and is left to itself then."""


class _Caller(NamedTuple):
    frame: FrameType
    exception: BaseException | None
    thread: int


_callers: dict[int, _Caller] = {}
"""For a thread that works for another: that one's stack, by the number of the thread."""

_waiting: set[int] = set()
"""The threads that wait for such a one, by their numbers."""


def with_headroom(work: Callable[[*Args], R], *args: *Args) -> R | None:
    """Call ``work``; where half of the stack is used up in another thread, which is waited for.

    It needs few frames itself. What ``work`` raises is raised here.

    Returns:
        What ``work`` returns; None while that goes on in the other thread, after a second.
    """
    is_near = True
    try:
        sys._getframe(sys.getrecursionlimit() // 2)  # calls in C count as well, and are no frames
    except ValueError:
        is_near = False
    # Outside of any `except`: what is described is the exception that the application handles, if any.
    if not is_near or (me := threading.get_ident()) in _waiting:  # what interrupts a wait must not begin another
        return work(*args)
    caller = tuple.__new__(_Caller, (sys._getframe(1), sys.exception(), me))  # no frame, that could be one too many
    returned: list[R] = []
    raised: list[BaseException] = []
    done = threading.Lock()
    done.acquire()

    def run() -> None:
        with _working_for(caller):
            try:
                returned.append(work(*args))
            except BaseException as error:  # it is the caller's
                raised.append(error)
            finally:
                done.release()

    try:
        if must_stay_alone() or sys.is_finalizing():  # 3.11 starts a thread even then, which never runs
            run()
        else:
            _thread.start_new_thread(run, ())  # threading.Thread takes ten frames more
    except RuntimeError:  # the interpreter begins to end, or the system has no more threads
        run()
    _waiting.add(me)
    try:
        done.acquire(timeout=_PATIENCE)
    finally:
        _waiting.discard(me)
    if raised:
        raise raised.pop()
    return returned[0] if returned else None


def caller_frame() -> FrameType | None:
    """Return the innermost frame of the thread that the work is done for, by default the caller's of this."""
    lent = _callers and _callers.get(threading.get_ident())
    return lent.frame if lent else sys._getframe(1)


def caller_exception() -> BaseException | None:
    """Return the exception that is being handled in the thread that the work is done for."""
    lent = _callers and _callers.get(threading.get_ident())
    return lent.exception if lent else sys.exception()


def caller_thread() -> int:
    """Return the number of the thread that the work is done for."""
    lent = _callers and _callers.get(threading.get_ident())
    return lent.thread if lent else threading.get_ident()


@contextmanager
def _working_for(caller: _Caller) -> Iterator[None]:
    me = threading.get_ident()
    outer = _callers.get(me)  # where no thread can be started, the caller's own works for itself, and may again
    _callers[me] = caller
    try:
        yield
    finally:
        if outer is None:
            del _callers[me]
        else:
            _callers[me] = outer
