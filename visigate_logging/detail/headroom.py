"""Room on the stack for a description that begins near the recursion limit.

The standard library needs fewer frames to print a traceback than are needed to describe an error, and an application
that is at its limit has an error to tell of. Python code takes no C stack from 3.11 on, so that the limit can be
higher for the moment.
"""

import sys
import threading
from collections.abc import Callable
from typing import ParamSpec

__all__ = ["with_headroom"]

ROOM = 1000
"""Frames that are added; a group within groups takes three, and 200 are described."""

P = ParamSpec("P")

_one_at_a_time = threading.Lock()


def with_headroom(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call ``work``; where half of the stack is used up, under a limit that is higher while it runs.

    The limit is one for all threads: while one has raised it no other does, nor waits for that.
    """
    limit = sys.getrecursionlimit()
    # Outside of any `except`: what is described is the exception that the application handles, if any.
    if not (_is_near(limit) and _one_at_a_time.acquire(blocking=False)):
        work(*args, **kwargs)
        return
    try:
        sys.setrecursionlimit(limit + ROOM)
        work(*args, **kwargs)
    finally:
        if sys.getrecursionlimit() == limit + ROOM:  # else the application has set one
            sys.setrecursionlimit(limit)
        _one_at_a_time.release()


def _is_near(limit: int) -> bool:
    try:
        sys._getframe(limit // 2)  # calls in C count as well, and are no frames
    except ValueError:
        return False
    return True
