"""Routes: which errors go which way, by severity, category, logger and time of day."""

import logging
from dataclasses import dataclass
from datetime import datetime, time

from visigate_logging.delivery.pipeline import Delivery
from visigate_logging.delivery.throttle import level_number


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, which may pass midnight; by the host's own clock.

    Args:
        begin: its first moment.
        end: the first moment after it.
    """

    begin: time
    end: time

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment is in it."""
        now = moment.time()
        return self.begin <= now < self.end if self.begin < self.end else now >= self.begin or now < self.end


@dataclass(frozen=True)
class Route:
    """One way to those who are told, and the errors that go it: all conditions that are given must hold.

    Args:
        delivery: the way.
        severity: number of the level from which errors go it.
        name: tells it from the handler's other routes; empty for the only one.
        categories: the classifier's.
        loggers: names; those below them count.
        hours: when the error comes.
    """

    delivery: Delivery
    severity: int
    name: str = ""
    categories: frozenset[str] = frozenset()
    loggers: tuple[str, ...] = ()
    hours: Hours | None = None

    def full_name(self, handler: str) -> str:
        """Return under which name the processes of the host go this way together."""
        return f"{handler}-{self.name}" if self.name else handler

    def takes(self, record: logging.LogRecord) -> bool:
        """Return whether a record goes this way."""
        given = record.__dict__
        severity = given.get("severity")
        number = record.levelno if severity is None else level_number(str(severity))
        return (
            number >= self.severity
            and (not self.categories or given.get("category") in self.categories)
            and (not self.loggers or any(f"{record.name}.".startswith(f"{name}.") for name in self.loggers))
            and (self.hours is None or self.hours.holds(datetime.fromtimestamp(record.created)))
        )
