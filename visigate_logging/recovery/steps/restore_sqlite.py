"""Bring a damaged SQLite database back from a backup."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from visigate_logging.recovery.steps.base import Context, Outcome, Step

__all__ = ["RestoreSqlite"]


@dataclass(frozen=True, kw_only=True)
class RestoreSqlite(Step):
    """Bring a damaged SQLite database back from the newest sound backup; never for anything but damage.

    The damaged files are kept beside the database in ``NAME.damaged-TIME-EVENT``, with the rows newer than the backup
    that could still be read. What was changed since the backup is gone: a permit revoked since then is valid again.

    Args:
        database: path of the database.
        backups: paths, the best first; each one's older generations (``.1``, ``.2`` ..., as ``backup_sqlite`` makes
            them) follow it.
        timeout: seconds; a restore ended in the middle is harmless and is taken up again.
    """

    resumes: ClassVar[bool] = True

    database: str
    backups: tuple[str, ...]
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if not self.backups:
            raise ValueError("backups is empty: without a backup nothing can be restored")

    def run(self, context: Context) -> Outcome:
        """Classify, check, restore, verify."""
        from visigate_logging.recovery.sqlite.restore import restore  # sqlite3, in the child alone

        return restore(Path(self.database).resolve(), self.backups, context)
