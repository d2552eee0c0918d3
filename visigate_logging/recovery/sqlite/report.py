"""What people are told of a backup."""

import time
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.recovery.sqlite import check


@dataclass(frozen=True)
class Facts:
    """A backup in figures.

    Args:
        path: where it is.
        made: when, seconds since the epoch.
        rows: of each table.
        passed_over: why a newer one was not taken; empty when it is the newest.
    """

    path: Path
    made: float
    rows: dict[str, int]
    passed_over: str

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.made))
        age = (time.time() - self.made) / 3600
        rows = f"{counted(sum(self.rows.values()), 'row')} in {counted(len(self.rows), 'table')}"
        note = f"; not from the newest, for {self.passed_over}" if self.passed_over else ""
        return f"{self.path}, made {when} ({age:.1f} hours ago), with {rows}{note}"


def counted(number: int, noun: str) -> str:
    """Return the number of things, as ``1 row`` or ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def facts_of(backup: Path, passed_over: str = "") -> Facts:
    """Count the rows of a sound backup."""
    return Facts(backup, backup.stat().st_mtime, check.contents(backup)[1], passed_over)
