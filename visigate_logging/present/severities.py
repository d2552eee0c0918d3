"""Order severities and colour them, everywhere alike."""

from typing import Protocol

__all__ = ["COLOURS", "rank", "worst_first"]

COLOURS = {"CRITICAL": "red", "ERROR": "red", "WARNING": "yellow"}
"""Of a terminal."""


class Counted(Protocol):
    """What has a severity and a count, such as a group."""

    @property
    def severity(self) -> str: ...

    @property
    def count(self) -> int: ...


def rank(severity: str) -> int:
    """Return the place of a severity among the others, the worst first, one of no known name behind all."""
    from visigate_logging.triage.states import RANKS

    return -RANKS.get(severity, 0)


def worst_first(one: Counted) -> tuple[int, int]:
    """Return what sorts groups by severity, the worst first, then by count."""
    return rank(one.severity), -one.count
