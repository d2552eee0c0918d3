"""A damaged database brought back from a backup: the order of things."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from visigate_logging.exceptions import BusyError
from visigate_logging.host.clock import utc_text
from visigate_logging.recovery.codes import CANTOPEN, ERROR, Verdict, verdict_of
from visigate_logging.recovery.proc import holders_of
from visigate_logging.recovery.sqlite import changes, check, copy, files
from visigate_logging.recovery.sqlite.backups import Facts, choose, counted, facts_of, generations, sound
from visigate_logging.recovery.steps.base import Context, Outcome, Status

SHOWN = 20  # problems that go into the outcome
KEEP_EMPTY = ".keep-empty"  # beside the database: it is empty on purpose


def restore(database: Path, backups: Sequence[str], context: Context) -> Outcome:
    """Look whether it is damage, and if so mend it; see :class:`~..steps.restore_sqlite.RestoreSqlite`."""
    return _Restore(database, backups, context).locked(_Restore.run)


def plan(database: Path, backups: Sequence[str], context: Context) -> Outcome:
    """Return what :func:`restore` would do, changing nothing."""
    return _Restore(database, backups, context).locked(_Restore.plan)


class _Restore:
    """One restore."""

    def __init__(self, database: Path, backups: Sequence[str], context: Context) -> None:
        stamp = utc_text().replace("-", "").replace(":", "")
        self.database = database
        self.backups = backups
        self.context = context
        self.code = None if context.manual else context.codes.get("sqlite")
        self.primary = None if self.code is None else self.code & 0xFF
        self.aside = database.with_name(f"{database.name}.damaged-{stamp}-{context.event_id[-8:] or 'manual'}")
        self.emptied = self.missing = False
        self.problems: list[str] = []

    def locked(self, act: Callable[["_Restore"], Outcome]) -> Outcome:
        """Do it when it may be damage at all, and nobody else is at it."""
        if refusal := self._refused_by_code():
            return Outcome(Status.REFUSED, refusal)
        try:
            with files.folder_lock(self.database.parent):
                return act(self)
        except BusyError as error:
            held = holders_of(files.all_of(self.database))
            told = f"{error}{f'; it is open in {held}' if held else ''}; the restore waits until the database is free"
            return Outcome(Status.DEFERRED, told, {"held_by": held})

    def _refused_by_code(self) -> str:
        if verdict_of(self.code) is Verdict.NO:
            return f"{self.context.error_type} (SQLite code {self.code}) does not mean damage"
        if not self.database.exists() and not any(True for _ in generations(self.backups)):
            return (
                f"there is neither {self.database} nor a backup of it ({', '.join(self.backups)}): is the path right?"
            )
        return ""

    def run(self) -> Outcome:
        """Look, choose, mend."""
        files.remove_unfinished(self.database)
        if refusal := self._look():
            return self._finish_interrupted() or Outcome(Status.REFUSED, refusal)
        if self.problems and check.only_indexes(self.problems) and (outcome := self._reindex()):
            return outcome
        chosen = self._choose()
        if isinstance(chosen, str):
            return self._failed(chosen)
        backup, passed_over = chosen
        wanted = files.size(self.database) + 2 * backup.stat().st_size
        if lack := files.too_little_space(self.database.parent, wanted):
            return self._failed(f"nothing was touched: {lack}")
        return self._restore(backup, passed_over)

    def plan(self) -> Outcome:
        """Look and choose."""
        started = time.monotonic()
        if refusal := self._look():
            return Outcome(Status.REFUSED, f"nothing would be done: {refusal}")
        chosen = self._choose()
        if isinstance(chosen, str):
            return self._failed(chosen)
        facts = facts_of(*chosen)
        # Looking reads the database and the backup whole; a restore reads the backup twice more and writes both.
        seconds = 4 * (time.monotonic() - started)
        held = holders_of(files.all_of(self.database)) or "no process that can be seen"
        told = f"{self._what()}; it would be restored from {facts}, in about {seconds:.0f} s; open in {held}"
        details = self._details() | {"backup": str(facts.path), "rows": facts.rows, "held_by": held}
        return Outcome(Status.REFUSED, told, details | {"seconds": seconds})

    def _look(self) -> str:
        """Return why nothing is to be done; empty when there is damage: ``emptied`` or ``problems`` say which."""
        check.refuse_if_torn_apart(self.database)
        self.emptied, self.missing = check.is_emptied(self.database), not self.database.exists()
        if self.emptied:
            mark = files.sibling(self.database, KEEP_EMPTY)
            return f"{self.database} is empty, and {mark.name} says that it shall be" if mark.exists() else ""
        if self.primary == CANTOPEN and not self.missing:
            return f"{self.database} is there; SQLite code {self.code} does not mean damage"
        if self.primary == ERROR:
            return (
                f"{self.database} has tables; SQLite code {self.code} is a matter of the application, not of the file"
            )
        self.problems = check.problems_of(self.database)
        return "" if self.problems else f"{self.database} is sound; nothing was done"

    def _choose(self) -> tuple[Path, str] | str:
        """Return the backup, with why it is not the newest; or why there is none."""
        found = list(sound(self.backups))
        if not found:
            tried = ", ".join(map(str, generations(self.backups))) or f"none of {', '.join(self.backups)} exists"
            return f"no backup of it is sound; nothing was touched. Tried: {tried}"
        chosen, passed_over = choose(self.database, found)
        if chosen is None:
            return f"its backup may be of another database; nothing was touched: {passed_over}"
        return chosen, passed_over

    def _reindex(self) -> Outcome | None:
        """Return the outcome; None when indexes are not all that is wrong."""
        try:
            mended = copy.reindex(self.database, self._put_aside)
        except sqlite3.IntegrityError as error:
            return self._failed(
                f"only in its indexes, but they cannot be built anew ({error}); nothing was changed. "
                "Remove one of the two rows by hand, then run REINDEX"
            )
        if not mended:
            return None
        return self._reindexed()

    def _reindexed(self) -> Outcome:
        told = f"the indexes of {self.database} were damaged and are built anew; no row is lost"
        return Outcome(Status.DONE, told, self._details())

    def _put_aside(self, **note: object) -> None:
        before = list(files.earlier(self.database, self.context.event_id))
        known = {"event_id": self.context.event_id, "emptied": self.emptied, "what": self._what()}
        files.put_aside(self.database, self.aside, known | {"problems": self.problems[:SHOWN]} | note)
        for folder, _note in before:  # of a run that was ended before it had changed anything
            if folder != self.aside:
                shutil.rmtree(folder)

    def _finish_interrupted(self) -> Outcome | None:
        """Return what a run of the same error would have said, had it not been ended before its word."""
        for folder, note in files.earlier(self.database, self.context.event_id):
            self.aside = folder
            self.emptied, self.problems = note["emptied"], note["problems"]
            if check.problems_of(self.database):
                return None
            if "backup" not in note:
                return self._reindexed()
            backup = Path(note["backup"])
            if backup.is_file() and not check.difference(self.database, backup):
                return self._restored(facts_of(backup, note["passed_over"]), note["what"])
        return None

    def _restore(self, backup: Path, passed_over: str) -> Outcome:
        what, put_aside = self._what(), partial(self._put_aside, backup=str(backup), passed_over=passed_over)
        if not files.is_void(self.database):
            copy.replace_contents(backup, self.database, put_aside)
        elif self.database.exists():
            put_aside()
            copy.replace_contents(backup, self.database, lambda: None)
        else:
            copy.create(backup, self.database, put_aside)
        return self._restored(facts_of(backup, passed_over), what)

    def _restored(self, facts: Facts, what: str) -> Outcome:
        saved, differing = self._save_changes(facts.path)
        details = self._details() | {
            "backup": str(facts.path),
            "backup_time": facts.made,
            "changes": saved,
            "changes_lost": True,
        }
        if wrong := check.difference(self.database, facts.path):
            return Outcome(Status.FAILED, f"{self.database} was restored from {facts.path}, but {wrong}", details)
        files.remove_old(self.database)
        return Outcome(Status.DONE, self._report(facts, what, differing), details)

    def _save_changes(self, backup: Path) -> tuple[dict[str, dict[str, int]], str]:
        """Return the rows that differ, counted, and in words; the card may be too full to list them."""
        target = self.aside / files.CHANGES
        try:
            saved = changes.save_changes(self.aside / self.database.name, backup, target)
        except (OSError, sqlite3.DatabaseError) as error:
            target.unlink(missing_ok=True)
            return {}, f"the rows that differ could not be listed ({error})"
        return saved, changes.told(saved, self.context.procedure)

    def _report(self, facts: Facts, what: str, differing: str) -> str:
        purpose = (
            f" If it was emptied on purpose, make the file {self.database.name}{KEEP_EMPTY} beside it first."
            if self.emptied
            else ""
        )
        return (
            f"{what} and is restored from {facts}. "
            "CHANGES SINCE THEN ARE GONE: permits revoked since then are valid again; check them now. "
            f"The damaged files are in {self.aside}; {differing}.{purpose}"
        )

    def _what(self) -> str:
        if not self.emptied:
            number = counted(len(self.problems), "problem")
            return f"{self.database} was damaged ({number}, first: {self.problems[0]})"
        return f"{self.database} was {'missing' if self.missing else 'empty'}"

    def _details(self) -> dict[str, object]:
        return {"problems": self.problems[:SHOWN], "aside": str(self.aside) if self.aside.exists() else None}

    def _failed(self, told: str) -> Outcome:
        return Outcome(
            Status.FAILED, f"{self.database} is {'empty' if self.emptied else 'damaged'}; {told}", self._details()
        )
