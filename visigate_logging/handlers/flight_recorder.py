"""The last records of the process, kept in memory for the next error."""

import logging
from typing import Annotated

from visigate_logging.detail.breadcrumbs import Trail
from visigate_logging.options import Range, Seconds, checked


class FlightRecorder(logging.Handler):
    """Keeps the last records of the process in memory, so that each error can carry the moments before it.

    It writes nothing by itself: what is kept is told by the next error's detail record, masked like all else, as
    ``breadcrumbs``. Without a ``level`` it keeps records from INFO on. A record's objects are not kept alive.

    Args:
        capacity: records that are kept; default 50.
        max_age: seconds after which an error carries a record no more; default 300.

    Raises:
        ConfigurationError: a value that cannot be.
    """

    @checked
    def __init__(self, capacity: Annotated[int, Range(1, 1000)] = 50, *, max_age: Seconds = 300.0) -> None:
        self.trail = Trail(capacity, max_age)
        super().__init__(logging.INFO)

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter the record, then keep it; without the handler's lock, which nothing here needs."""
        if self.filters and not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record; never raises."""
        try:
            self.trail.add(record)
        except Exception:
            self.handleError(record)

    def inherit(self, other: logging.Handler) -> None:
        """Take what a handler that this one replaces has kept."""
        if isinstance(other, FlightRecorder):
            self.trail.inherit(other.trail)

    def close(self) -> None:
        """Let errors carry no more of what is kept."""
        self.trail.close()
        super().close()
