"""A handler that needs no lock of its own around a record."""

import logging
import sys
from typing import Any

from visigate_logging.host.headroom import with_headroom

_getframe, _limit = sys._getframe, sys.getrecursionlimit


class Unlocked(logging.Handler):
    """Filters and emits without the handler's lock.

    A filter or a formatter runs the application's code, which may wait for another thread that logs;
    ``logging.shutdown`` holds the lock while a thread of the handler's reports; and what interrupts a thread between
    taking a lock and noting it, as a signal handler's exit can, leaves it held for good. What emits must therefore
    be ready for many threads at once.

    A constructor calls this one's last: from then on ``logging.shutdown`` knows of the handler and closes it, also in
    a child that is forked in that moment.
    """

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter the record, then emit it, with room on the stack for both.

        Returns:
            What the filters return; from Python 3.12 on a record, which may be another.
        """
        try:
            _getframe(_limit() // 2)
        except ValueError:  # as `with_headroom` looks, which costs a call more
            pass
        else:
            return with_headroom(self._handle, record)
        if self.filters:
            return self._handle(record)
        self.emit(record)
        return record

    def _handle(self, record: logging.LogRecord) -> Any:
        try:
            found: Any = self.filter(record) if self.filters else record
        except BaseException as error:  # what is no Exception is meant for the application
            self.interrupted(error)
            raise
        if found:
            self.emit(found if isinstance(found, logging.LogRecord) else record)
        else:
            self.passed_over(record)
        return found

    def passed_over(self, record: logging.LogRecord) -> None:
        """Do what is to be done with a record that a filter has refused."""

    def interrupted(self, error: BaseException) -> None:
        """Count a record as lost by what was raised before it was taken in."""
        raise NotImplementedError
