"""Make a checked backup of a SQLite database."""

from dataclasses import dataclass
from pathlib import Path

from visigate_logging.options import Count, Number, Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Step
from visigate_logging.recovery.steps.bounds import refuse_other_databases


@dataclass(frozen=True, kw_only=True)
class BackupSqlite(Step):
    """Copy a live database, check the copy, and only then let it replace the last good one.

    A database that has lost much since its last backup is not copied: it would push the good generations out.

    Args:
        database: path of the database.
        backup: path of the newest backup; older generations get ``.1``, ``.2`` ... appended, and one each that is a
            day, a week and a month old ``.daily``, ``.weekly`` and ``.monthly``.
        keep: how many generations there are beside those three, at least 1.
        max_loss: what part of a table's rows may go from one backup to the next, 0 to 1; all of them never may.
        ignore: tables that come and go.
        accept_loss: make the backup whatever was lost.
        timeout: seconds.
    """

    database: str
    backup: str
    keep: Count = 3
    max_loss: Number = 0.5
    ignore: tuple[str, ...] = ()
    accept_loss: bool = False
    timeout: Seconds = 600.0

    def __post_init__(self) -> None:
        refuse_other_databases(self.database, self.backup)
        if self.keep < 1:
            raise ValueError(f"keep is {self.keep}; at least 1 generation is needed")
        if not 0 <= self.max_loss <= 1:
            raise ValueError(f"max_loss is {self.max_loss:g}; it is a part, from 0 to 1")

    def run(self, context: Context) -> Outcome:
        """Copy, check, compare, replace."""
        from visigate_logging.recovery.sqlite.backup import Keeping, backup  # sqlite3, in the child alone

        keeping = Keeping(keep=self.keep, max_loss=self.max_loss, ignore=self.ignore, accept_loss=self.accept_loss)
        return backup(Path(self.database).resolve(), Path(self.backup).resolve(), keeping)
