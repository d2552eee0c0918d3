"""Which records are forwarded, and in which lane: what is critical never waits behind what is not."""

import logging
from dataclasses import dataclass
from functools import cached_property

import orjson

from visigate_logging.forward.target import Record

CRITICAL, REST = "critical", "rest"
LANES = (CRITICAL, REST)
"""In the order in which they are looked after."""
_UNKNOWN = logging.ERROR


@dataclass(frozen=True)
class Selection:
    """What a target is to have.

    Args:
        severity: number of the level from which records are forwarded.
        categories: only these; empty for all.
        loggers: only of these and below; empty for all.
    """

    severity: int = logging.NOTSET
    categories: tuple[str, ...] = ()
    loggers: tuple[str, ...] = ()

    def lane(self, record: Record, since: str = "") -> str | None:
        """Return the lane of a record; None when it is not to be forwarded.

        Args:
            record: the detail record.
            since: what is older stays here, RFC 3339 in UTC.
        """
        number = self._levels.get(str(record.get("severity")), _UNKNOWN)
        if number < self.severity or (since and str(record.get("timestamp")) < since):
            return None
        if self.categories and record.get("category") not in self.categories:
            return None
        if self.loggers and not self._is_below(str(record.get("logger"))):
            return None
        return CRITICAL if number >= logging.CRITICAL else REST

    def _is_below(self, name: str) -> bool:
        return any(name == above or name.startswith(f"{above}.") for above in self.loggers)

    @cached_property
    def _levels(self) -> dict[str, int]:
        return logging.getLevelNamesMapping()


def parsed(line: bytes) -> Record | None:
    """Return the record of a line; None for what is none, such as half a line that a power cut has left."""
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("event_id"), str) else None
