"""Change the handlers of loggers between two records.

``Logger.callHandlers`` reads the handler list of one logger after another. If lists changed while it is on its way, a
record could meet a handler twice, or miss the one that it was to meet. So for a moment the lists are gates: a call
that has not yet seen any list that will change waits there, and the others finish. Then nothing is on its way.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

__all__ = ["stopped"]

LONGEST = 1.0
"""Seconds that logging calls are held up at most; after that a call that is stuck in an old handler goes on alone."""
_LOOK_EVERY = 0.001
_CALL_HANDLERS = logging.Logger.callHandlers.__code__

# Forks wait for the end of a change: a child would have gates that nobody opens.
_changing = threading.RLock()
os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_changing.release)


@contextlib.contextmanager
def stopped(loggers: Iterable[logging.Logger]) -> Iterator[None]:
    """While the body runs, no logging call is between two of these loggers, or in one of their handlers.

    Calls of other threads wait, at most LONGEST seconds. Lists that the body does not replace are as before.
    """
    with _changing:
        moment = _Moment(loggers)
        try:
            moment.wait_for_calls()
            yield
        finally:
            moment.end()


class _Moment:
    """One change, from the closing of the gates to their opening."""

    def __init__(self, loggers: Iterable[logging.Logger]) -> None:
        self.thread = threading.get_ident()
        self.deadline = time.monotonic() + LONGEST
        self.over = threading.Event()
        self.waiting: set[FrameType] = set()
        self.before = {logger: logger.handlers for logger in loggers}
        for logger in self.before:
            logger.handlers = _Gate(logger, self)

    def wait_for_calls(self) -> None:
        """Until the calls that may have read a list before it was a gate have returned, or wait themselves."""
        on_their_way = self._calls()
        while on_their_way and time.monotonic() < self.deadline:
            time.sleep(_LOOK_EVERY)
            on_their_way &= self._calls()

    def _calls(self) -> set[FrameType]:
        frames = (f for thread, f in sys._current_frames().items() if thread != self.thread)
        return {call for frame in frames for call in _calls_of(frame)} - self.waiting

    def end(self) -> None:
        """Open the gates; waiting calls go on with the lists that are there now."""
        for logger, handlers in self.before.items():
            if isinstance(logger.handlers, _Gate):
                logger.handlers = handlers
        self.over.set()

    def lets_wait(self, call: FrameType) -> bool:
        """Whether a call has seen nothing yet that will change, and is not part of another call that has."""
        if threading.get_ident() == self.thread:
            return False
        outer = next(_calls_of(call.f_back), None)
        if outer is not None and outer not in self.waiting:
            return False
        logger, here = call.f_locals["self"], call.f_locals["c"]
        while logger is not here:
            if logger in self.before:
                return False
            logger = logger.parent
        return True

    def wait(self, call: FrameType) -> None:
        """Hold a call until the change is done."""
        self.waiting.add(call)
        try:
            self.over.wait(max(0.0, self.deadline - time.monotonic()))
        finally:
            self.waiting.discard(call)


class _Gate(list[logging.Handler]):
    """The handlers of a logger, as they were, while they are about to change."""

    def __init__(self, logger: logging.Logger, moment: _Moment) -> None:
        super().__init__(logger.handlers)
        self._logger = logger
        self._moment = moment

    def __iter__(self) -> Iterator[logging.Handler]:
        call = sys._getframe(1)
        if call.f_code is _CALL_HANDLERS and self._moment.lets_wait(call):
            self._moment.wait(call)
            return list.__iter__(self._logger.handlers)
        return super().__iter__()


def _calls_of(frame: FrameType | None) -> Iterator[Any]:
    """The calls of ``callHandlers`` that a frame is part of, innermost first."""
    while frame is not None:
        if frame.f_code is _CALL_HANDLERS:
            yield frame
        frame = frame.f_back
