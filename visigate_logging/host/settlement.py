"""Settle a record once: by its handler's thread, or by its caller who was interrupted meanwhile."""

from visigate_logging.host.counts import CountSheet


class Settlement:
    """Count what became of one record, once; whoever is first, as AMQP 1.0 settles a delivery.

    Args:
        counts: the sheet it is counted on.
    """

    def __init__(self, counts: CountSheet) -> None:
        self._counts = counts
        self.is_accepted = False
        """Whether the handler has taken the record on."""
        self._uncounted = [True]  # a list, because its pop is one step for all threads and for what interrupts

    def accept(self) -> None:
        """Count the record as one that the handler answers for."""
        self._counts.accept()
        self.is_accepted = True

    def deliver(self) -> None:
        """Count it as having reached its goal, unless it has been counted."""
        if self._is_open():
            self._counts.deliver()

    def fold(self) -> None:
        """Count it as told of only as part of a count, unless it has been counted."""
        if self._is_open():
            self._counts.fold()

    def drop(self, reason: str) -> None:
        """Count it as lost, unless it has been counted; as accepted too, if it was lost before."""
        if self._is_open():
            if not self.is_accepted:
                self._counts.accept()
            self._counts.drop(reason)

    def interrupted(self, error: BaseException) -> None:
        """Count it as lost by what has been raised meanwhile, unless it has been counted."""
        self.drop(reason_of(error))

    def _is_open(self) -> bool:
        try:
            return self._uncounted.pop()
        except IndexError:
            return False


def reason_of(error: BaseException) -> str:
    """Under which reason a record is dropped that was lost by what was raised while its handler looked at it.

    What is no `Exception` came from outside: a signal handler's exit, a cancellation.
    """
    return "not encodable" if isinstance(error, Exception) else "interrupted"
