"""A damaged database brought back from a backup: the order of things."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from visigate_logging.recovery.sqlite import check, copy, files, salvage
from visigate_logging.recovery.steps.base import Context, Outcome, Status

__all__ = ["restore"]

SHOWN = 20  # problems that go into the outcome


def restore(database: Path, backups: Sequence[str], context: Context) -> Outcome:
    """Look whether it is damage, and if so mend it; see :class:`~..steps.restore_sqlite.RestoreSqlite`."""
    code = context.codes.get("sqlite")
    if not context.manual and not check.is_damage(code, database):
        return Outcome(Status.REFUSED, f"{context.error_type} (SQLite code {code}) does not mean damage")
    try:
        with files.folder_lock(database.parent):
            return _Restore(database, backups, context).run()
    except files.BusyError as error:
        return Outcome(Status.DEFERRED, f"{error}; the restore waits until the database is free")


class _Restore:
    """One restore, under the lock of the folder."""

    def __init__(self, database: Path, backups: Sequence[str], context: Context) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.database = database
        self.backups = backups
        self.aside = database.with_name(f"{database.name}.damaged-{stamp}-{context.event_id[-8:] or 'manual'}")
        self.problems: list[str] = []

    def run(self) -> Outcome:
        files.remove_unfinished(self.database)
        check.refuse_if_torn_apart(self.database)
        self.problems = check.problems_of(self.database)
        # Every check passes on an empty file: only the backup tells that there was something.
        emptied = not self.problems and not check.contents(self.database)[0]
        if not self.problems and not emptied:
            return Outcome(Status.REFUSED, f"{self.database} is sound; nothing was done")
        if not emptied and check.only_indexes(self.problems) and (outcome := self._reindex()):
            return outcome
        backup = next(self._sound_backups(), None)
        if backup is None:
            return self._failed("no backup of it is sound; nothing was touched. Tried: " + self._tried())
        wanted = files.size(self.database) + 2 * backup.stat().st_size
        if lack := files.too_little_space(self.database.parent, wanted):
            return self._failed(f"nothing was touched: {lack}")
        return self._restore(backup)

    def _sound_backups(self) -> Iterator[Path]:
        for path in files.generations(self.backups):
            try:
                if not check.problems_of(path) and check.contents(path)[0]:
                    yield path
            except (OSError, sqlite3.DatabaseError, files.BusyError):
                continue

    def _tried(self) -> str:
        return ", ".join(map(str, files.generations(self.backups))) or f"none of {', '.join(self.backups)} exists"

    def _reindex(self) -> Outcome | None:
        """The outcome; None when indexes are not all that is wrong."""
        try:
            mended = copy.reindex(self.database, self._put_aside)
        except sqlite3.IntegrityError as error:
            return self._failed(
                f"only in its indexes, but they cannot be built anew ({error}); nothing was changed. "
                "Remove one of the two rows by hand, then run REINDEX"
            )
        if not mended:
            return None
        told = f"the indexes of {self.database} were damaged and are built anew; no row is lost"
        return Outcome(Status.DONE, told, self._details())

    def _put_aside(self) -> None:
        files.put_aside(self.database, self.aside)

    def _restore(self, backup: Path) -> Outcome:
        if not files.is_void(self.database):
            copy.replace_contents(backup, self.database, self._put_aside)
        elif self.database.exists():
            self._put_aside()
            copy.replace_contents(backup, self.database, lambda: None)
        else:
            copy.create(backup, self.database, self._put_aside)
        saved = salvage.save_newer_rows(self.aside / self.database.name, backup, self.aside / "newer-rows.jsonl")
        details = self._details() | {
            "backup": str(backup),
            "backup_time": backup.stat().st_mtime,
            "newer_rows_saved": saved,
            "changes_lost": True,
        }
        if wrong := check.difference(self.database, backup):
            return Outcome(Status.FAILED, f"{self.database} was restored from {backup}, but {wrong}", details)
        return Outcome(Status.DONE, self._report(backup, saved), details)

    def _report(self, backup: Path, saved: int) -> str:
        made = backup.stat().st_mtime
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(made))
        age = (time.time() - made) / 3600
        return (
            f"{self.database} was damaged and is restored from {backup}, made {when} ({age:.1f} hours ago). "
            "CHANGES SINCE THEN ARE GONE: permits revoked since then are valid again; check them now. "
            f"The damaged files are in {self.aside}; {saved} newer rows could still be read and are there, too."
        )

    def _details(self) -> dict[str, object]:
        return {"problems": self.problems[:SHOWN], "aside": str(self.aside) if self.aside.exists() else None}

    def _failed(self, told: str) -> Outcome:
        return Outcome(Status.FAILED, f"{self.database} is damaged; {told}", self._details())
