"""Order severities and colour them, everywhere alike."""

from typing import Protocol

COLOURS = {"CRITICAL": "red", "ERROR": "red", "WARNING": "yellow"}
"""Of a terminal."""


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Of `logging`; where a record has one as its type there was no exception, and its message is its name."""


class Counted(Protocol):
    """What has a severity and a count, such as a group."""

    @property
    def severity(self) -> str:
        """Its name."""

    @property
    def count(self) -> int:
        """How many."""


def rank(severity: str) -> int:
    """Return the place of a severity among the others, the worst first, one of no known name behind all."""
    from visigate_logging.triage.states import RANKS

    return -RANKS.get(severity, 0)


def worst_first(one: Counted) -> tuple[int, int]:
    """Return what sorts groups by severity, the worst first, then by count."""
    return rank(one.severity), -one.count
