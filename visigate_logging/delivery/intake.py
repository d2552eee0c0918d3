"""Takes errors in, on the card, in shared memory, or in memory, without any wait."""

import threading
import time
from collections.abc import Callable

from visigate_logging.delivery.entries import OTHER
from visigate_logging.delivery.journal import Journal
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import ForkAware, watch_forks

_AVOIDED = 1.0
_MOST_FOLDED = 200


class Intake(ForkAware):
    """Takes errors in, without any wait: into the journal, else into the spare one, else folded in memory.

    Args:
        journal: on the card.
        spare: in shared memory.
        begin: makes the place for the spare one; raises OSError.
    """

    def __init__(self, journal: Journal, spare: Journal, begin: Callable[[], None]) -> None:
        self._journal = journal
        self._spare = spare
        self._begin = begin
        self.trouble: OSError | None = None
        """Why the journal on the card did not take the last error."""
        self._avoid_until = 0.0
        self._folded: dict[str, tuple[ErrorDetail, int]] = {}
        self._lock = threading.RLock()
        watch_forks(self)

    def add(self, detail: ErrorDetail) -> None:
        """Keep one error."""
        if self._folded:
            self.write_folded()
        if not self._write(detail, 1):
            self._fold(detail)

    def avoid(self, seconds: float) -> None:
        """Leave the journal on the card alone for a while: what is read of it cannot be kept there."""
        self._avoid_until = time.monotonic() + seconds

    def write_folded(self) -> None:
        """Write what is kept in memory, if that is possible now."""
        with self._lock:
            for key in list(self._folded):
                if not self._write(*self._folded[key]):
                    return
                del self._folded[key]

    @property
    def folded(self) -> int:
        """Return how many errors are kept in memory alone."""
        with self._lock:
            return sum(count for _, count in self._folded.values())

    def after_fork_in_child(self) -> None:
        """Begin with nothing: what is kept in memory is the parent's."""
        self._lock = threading.RLock()
        self._folded.clear()

    def _write(self, detail: ErrorDetail, count: int) -> bool:
        if not self._avoid_until or time.monotonic() >= self._avoid_until:
            try:
                self._journal.append(detail, count)
            except OSError as error:
                self.trouble = error
                self.avoid(_AVOIDED)
            else:
                self.trouble, self._avoid_until = None, 0.0
                return True
        try:
            self._begin()
            self._spare.append(detail, count)
        except OSError:
            return False
        return True

    def _fold(self, detail: ErrorDetail) -> None:
        with self._lock:
            known = detail.fingerprint in self._folded or len(self._folded) < _MOST_FOLDED
            key = detail.fingerprint if known else OTHER
            first, count = self._folded.get(key, (detail if known else _other(detail), 0))
            self._folded[key] = first, count + 1


def _other(detail: ErrorDetail) -> ErrorDetail:
    values = {"fingerprint": OTHER, "error_type": "Errors of further groups", "severity": "CRITICAL"}
    return ErrorDetail.from_dict(values | {"timestamp": detail.timestamp, "event_id": detail.event_id})
