"""Change the handlers of loggers between two records.

``Logger.callHandlers`` takes a record to the handlers of one logger after another. If they changed while it is on its
way, a record could meet a handler twice, or miss the one that it was to meet. So for a moment no call begins: those
that have begun finish, and then nothing is on its way.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType, FrameType

LONGEST = 1.0
"""Seconds that logging calls are held up at most; after that a call that is stuck in an old handler goes on alone."""
_LOOK_EVERY = 0.001

# Forks wait for the end of a change: a child would have loggers that nobody lets go on.
_changing = threading.RLock()
os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_changing.release)


@contextlib.contextmanager
def stopped() -> Iterator[None]:
    """While the body runs, no record is on its way to handlers; calls of other threads wait, at most LONGEST s."""
    with _changing:
        call_handlers = logging.Logger.callHandlers
        way, this_thread = call_handlers.__code__, threading.get_ident()
        over, deadline = threading.Event(), time.monotonic() + LONGEST

        def wait_and_call(logger: logging.Logger, record: logging.LogRecord) -> None:
            # A handler that logs is part of a call that has begun, and that is being waited for.
            if threading.get_ident() != this_thread and not _is_within(sys._getframe(1), way):
                over.wait(max(0.0, deadline - time.monotonic()))
            call_handlers(logger, record)

        logging.Logger.callHandlers = wait_and_call  # type: ignore[method-assign,assignment]  # for the moment
        try:
            while _others_are_within(way, this_thread) and time.monotonic() < deadline:
                time.sleep(_LOOK_EVERY)
            yield
        finally:
            if logging.Logger.callHandlers is wait_and_call:  # else somebody has put theirs over it
                logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]  # as it was
            over.set()


def _others_are_within(code: CodeType, this_thread: int) -> bool:
    return any(_is_within(frame, code) for thread, frame in sys._current_frames().items() if thread != this_thread)


def _is_within(frame: FrameType | None, code: CodeType) -> bool:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None
