"""The parts behind one mail handler, on the card and in shared memory, and the thread that works them."""

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal

from visigate_logging.delivery.desk import MailDesk
from visigate_logging.delivery.intake import Intake
from visigate_logging.delivery.options import MailOptions
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StateError
from visigate_logging.host import ForkAware, Sheet, watch_forks
from visigate_logging.host.worker import Worker

__all__ = ["Mailroom"]

_PACE = 1.0
_TRY_AGAIN = 15.0
_LOOK_AGAIN = 60.0  # for what processes that were killed have left
_MOST_TAKEN = 1000


class Mailroom(ForkAware):
    """The parts behind the handler, and the thread that works them.

    Args:
        options: of the handler.
        name: of the handler.
        close: ends the handler in a `multiprocessing` child.
    """

    def __init__(self, options: MailOptions, name: str, close: Callable[[], None]) -> None:
        self._desk = MailDesk(options, name)
        self._spare = MailDesk.in_memory(options, name)
        self._intake = Intake(self._desk.journal, self._spare.journal, self._spare.begin)
        self._worker: Worker[Literal["now"]] = Worker("visigate-mail", self._work, close=close)
        self._worked_at = -_PACE
        self._troubled = self._closed = self._has_news = False
        self._taken: deque[str] = deque(maxlen=_MOST_TAKEN)
        self._dropped: Counter[str] = Counter()
        self._dropping, self._booking = threading.RLock(), threading.RLock()
        watch_forks(self)

    def accept(self, detail: ErrorDetail) -> bool:
        """Take an error in; the same exception object, reported once more, is no other error. True when it is in."""
        repeats = detail.repeats
        if repeats and repeats in self._taken:
            return True  # the same exception object, reported once more
        self._intake.add(detail)
        self._taken.append(detail.event_id)
        if not self._has_news:
            try:
                self._has_news = True
                self._worker.wake()
            except BaseException:  # the application was interrupted: the next must wake it
                self._has_news = False
                raise
        return True

    def drop(self, reason: str) -> None:
        """Count an error that was not taken in; it is booked with the next turn."""
        with self._dropping:
            self._dropped[reason] += 1

    def wake(self) -> None:
        """Look for what is to be stored and sent; the thread is needed at exit, when none can be started any more."""
        self._worker.wake()

    def counts(self) -> Sheet:
        """Return what became of the errors of the host."""
        n = self._intake.folded
        with self._booking:
            dropped = dict(self._dropped)
            sheet = Sheet(accepted=n + sum(dropped.values()), delivered=0, folded=0, dropped=dropped, pending=n)
            for desk, other in self._desks():
                with contextlib.suppress(StateError):
                    sheet = _sum(sheet, desk.sheet(other))
        return sheet

    def flush(self) -> None:
        """Write what the journal did not take, if that is possible now."""
        self._intake.write_folded()

    def close(self, timeout: float) -> None:
        """Store and send what can be within ``timeout`` seconds; once."""
        if self._closed:
            return
        self._closed = True
        self._worker.put("now")
        if self._worker.stop(timeout):
            self._close_desks()  # else the thread does, when it is done

    def after_fork_in_child(self) -> None:
        """Have the thread woken by the next error; what was dropped before is the parent's to book."""
        self._has_news = False
        self._dropped = Counter()
        self._dropping, self._booking = threading.RLock(), threading.RLock()

    def _work(self, requests: list[Literal["now"]]) -> float:
        """Take a turn, but not too often unless requested: to spare the card, and the callers."""
        wait = self._worked_at + _PACE - time.monotonic()
        if wait > 0 and not requests:
            return wait
        self._has_news = False
        self._worked_at = time.monotonic()
        self._intake.write_folded()
        if self._intake.trouble:
            self._complain(self._intake.trouble)
        try:
            return self._turns(hurry=bool(requests))
        finally:
            if self._closed:
                self._close_desks()

    def _turns(self, *, hurry: bool) -> float:
        wait, is_out = _LOOK_AGAIN, False
        try:
            self._book_dropped()
            wait = self._desk.turn(self._spare, hurry=hurry)
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
                wait = min(wait, self._spare.turn(self._desk, follows_other=is_out, hurry=hurry))
            except (StateError, OSError) as error:
                self._complain(error)
                wait = min(wait, _TRY_AGAIN)
        return _PACE if self._has_news or self._intake.folded else wait

    def _book_dropped(self) -> None:
        with self._booking:
            with self._dropping:
                dropped, self._dropped = self._dropped, Counter()
            try:
                if dropped:
                    self._desk.ledger.drop(dropped)
            except StateError:
                with self._dropping:
                    self._dropped.update(dropped)
                raise

    def _complain(self, error: Exception) -> None:
        if not self._troubled:
            self._troubled = True
            logging.getLogger("visigate_logging").error("What is to be mailed cannot be kept in state_dir: %s", error)

    def _desks(self) -> list[tuple[MailDesk, MailDesk]]:
        pairs = [(self._desk, self._spare), (self._spare, self._desk)]
        return pairs if self._spare.is_begun else pairs[:1]

    def _close_desks(self) -> None:
        self._desk.close()
        self._spare.close()


def _sum(one: Sheet, other: Sheet) -> Sheet:
    return Sheet(
        accepted=one["accepted"] + other["accepted"],
        delivered=one["delivered"] + other["delivered"],
        folded=one["folded"] + other["folded"],
        dropped=dict(Counter(one["dropped"]) + Counter(other["dropped"])),
        pending=one["pending"] + other["pending"],
    )
