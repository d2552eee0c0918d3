"""Make a checked backup of a SQLite database."""

from dataclasses import dataclass
from pathlib import Path

from visigate_logging.recovery.steps.base import Context, Outcome, Step

__all__ = ["BackupSqlite"]


@dataclass(frozen=True, kw_only=True)
class BackupSqlite(Step):
    """Copy a live database, check the copy, and only then let it replace the last good one.

    Args:
        database: path of the database.
        backup: path of the newest backup; older generations get ``.1``, ``.2`` ... appended.
        keep: how many generations there are in all, at least 1.
        timeout: seconds.
    """

    database: str
    backup: str
    keep: int = 3
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep is {self.keep}; at least 1 generation is needed")

    def run(self, context: Context) -> Outcome:  # noqa: ARG002 -- a backup does not depend on an error
        """Copy, check, replace."""
        from visigate_logging.recovery.sqlite.backup import backup  # sqlite3, in the child alone

        return backup(Path(self.database).resolve(), Path(self.backup).resolve(), self.keep)
