"""The notifier: takes errors in, and the thread that works a pipeline on the card, and one in shared memory."""

import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Literal

from visigate_logging.delivery.intake import Intake
from visigate_logging.delivery.pipeline import Delivery, Pipeline
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StateError
from visigate_logging.host import CountSheet, ForkAware, Sheet, watch_forks
from visigate_logging.host.settlement import Settlement
from visigate_logging.host.worker import Worker

_PACE = 1.0
"""Seconds between two turns of this process, and, somewhat less, of all: so many turns are one process's work."""
_PACE_OF_ALL = 0.8
_TRY_AGAIN = 15.0
_LOOK_AGAIN = 60.0  # for what processes that were killed have left
_MOST_TAKEN = 1000


class Notifier(ForkAware):
    """Takes errors in, and has them told in a thread of its own.

    Args:
        delivery: what is to be told to whom.
        name: under which the processes of the host do it together.
        close: ends the handler in a `multiprocessing` child.
    """

    def __init__(self, delivery: Delivery, name: str, close: Callable[[], None]) -> None:
        self._noun = delivery.channel.noun
        self._pipeline = Pipeline(delivery, name)
        self._spare = Pipeline(delivery.in_memory(), name)
        self._intake = Intake(self._pipeline.journal, self._spare.journal, self._spare.begin)
        self._worker: Worker[Literal["now"]] = Worker(f"visigate-{self._noun}", self._work, close=close)
        self._worked_at = -_PACE
        self._troubled = self._closed = self._has_news = False
        self._taken: deque[str] = deque(maxlen=_MOST_TAKEN)
        self._lost = CountSheet(name)
        """Errors that were not taken in."""
        watch_forks(self)

    def accept(self, detail: ErrorDetail) -> None:
        """Take an error in; the same exception object, reported once more, is no other error."""
        if detail.repeats and self.has(detail):
            return
        self._intake.add(detail)
        # Who reports it once more may name this report or the first. In one step, and only what is in.
        self._taken.extend((detail.event_id, detail.repeats) if detail.repeats else (detail.event_id,))
        if not self._has_news:
            try:
                self._has_news = True
                self._worker.wake()
            except BaseException:  # the application was interrupted: the next must wake it
                self._has_news = False
                raise

    def has(self, detail: ErrorDetail) -> bool:
        """Return whether an error has been taken in, now or as an earlier report of its exception."""
        return not {detail.event_id, detail.repeats}.isdisjoint(self._taken)

    def drop(self, reason: str) -> None:
        """Count an error that was not taken in; it is booked with the next turn."""
        Settlement(self._lost).drop(reason)

    def wake(self) -> None:
        """Look for what is to be stored and sent; the thread is needed at exit, when none can be started any more."""
        self._worker.wake()

    def counts(self) -> Sheet:
        """Return what became of the errors of the host."""
        n = self._intake.folded
        sheets = [Sheet(accepted=n, delivered=0, folded=0, dropped={}, pending=n)]
        try:
            self._book_lost()
        except StateError:
            sheets.append(self._lost.snapshot())
        pairs = [(self._pipeline, self._spare), (self._spare, self._pipeline)]
        for pipeline, other in pairs if self._spare.is_begun else pairs[:1]:
            with contextlib.suppress(StateError):
                sheets.append(pipeline.sheet(other))
        return sum_of(sheets)

    def flush(self) -> None:
        """Write what the journal did not take, if that is possible now."""
        self._intake.write_folded()

    def begin_to_close(self) -> None:
        """Have stored and sent what can be; once."""
        if not self._closed:
            self._closed = True
            self._worker.put("now")

    def close(self, timeout: float) -> None:
        """Wait for that, ``timeout`` seconds at most; then the thread closes the files when it is done."""
        if self._worker.stop(timeout):
            self._close_files()

    def after_fork_in_child(self) -> None:
        """Have the thread woken by the next error."""
        self._has_news = False

    def _work(self, requests: list[Literal["now"]]) -> float:
        """Take a turn, but not too often unless requested: to spare the card, and the callers."""
        wait = self._worked_at + _PACE - time.monotonic()
        if wait > 0 and not requests:
            return wait
        self._has_news = False
        if self._worked_at < 0:
            self._pipeline.take_over()
        self._worked_at = time.monotonic()
        self._intake.write_folded()
        if self._intake.trouble:
            self._complain(self._intake.trouble)
        try:
            return self._turns(hurry=bool(requests))
        finally:
            if self._closed:
                self._close_files()

    def _turns(self, *, hurry: bool) -> float:
        wait, is_out = _LOOK_AGAIN, False
        try:
            self._book_lost()
            wait = 0.0 if hurry else _PACE_OF_ALL - self._pipeline.idle()
            wait = wait if wait > 0 else self._pipeline.turn(self._spare, hurry=hurry)
            self._intake.avoid(0.0)
            self._troubled = self._intake.trouble is not None
        except (StateError, OSError) as error:
            self._complain(error)
            self._intake.avoid(_TRY_AGAIN)
            wait, is_out = _TRY_AGAIN, True
            with contextlib.suppress(OSError):
                self._spare.begin()
        if self._spare.is_begun:
            try:
                wait = min(wait, self._spare.turn(self._pipeline, follows_other=is_out, hurry=hurry))
            except (StateError, OSError) as error:
                self._complain(error)
                wait = min(wait, _TRY_AGAIN)
        return _PACE if self._has_news or self._intake.folded else wait

    def _book_lost(self) -> None:
        if self._lost.has_news:
            self._lost.publish(self._pipeline.state)

    def _complain(self, error: Exception) -> None:
        if not self._troubled:
            self._troubled = True
            text = "What is to be told by %s cannot be kept in state_dir: %s"
            logging.getLogger("visigate_logging").error(text, self._noun, error)

    def _close_files(self) -> None:
        self._pipeline.close()
        self._spare.close()


def sum_of(sheets: Iterable[Sheet]) -> Sheet:
    """Return the sum of count sheets."""
    parts = list(sheets)
    return Sheet(
        accepted=sum(sheet["accepted"] for sheet in parts),
        delivered=sum(sheet["delivered"] for sheet in parts),
        folded=sum(sheet["folded"] for sheet in parts),
        dropped=dict(sum((Counter(sheet["dropped"]) for sheet in parts), Counter())),
        pending=sum(sheet["pending"] for sheet in parts),
    )
