"""A backup that is known to be good."""

import sqlite3
from pathlib import Path

from visigate_logging.recovery.sqlite import check, copy, files
from visigate_logging.recovery.steps.base import Outcome, Status

__all__ = ["backup"]


def backup(database: Path, target: Path, keep: int) -> Outcome:
    """Copy ``database`` to ``target``, shifting ``keep - 1`` older generations, if the copy is sound.

    A copy of a damaged database succeeds and is damaged, so it is checked before it takes the place of a good one.
    """
    if not database.is_file():
        return Outcome(Status.FAILED, f"no backup was made: there is no file {database}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if lack := files.too_little_space(target.parent, files.size(database)):
        return Outcome(Status.FAILED, f"no backup was made: {lack}")
    new = target.with_name(f".{target.name}.new")
    try:
        with files.folder_lock(target.parent):
            return _replace(database, new, target, keep)
    except files.BusyError as error:
        return Outcome(Status.DEFERRED, f"no backup was made: {error}")
    except (OSError, sqlite3.DatabaseError) as error:
        return Outcome(Status.FAILED, f"{database} cannot be copied ({error}); the older backups are kept")
    finally:
        new.unlink(missing_ok=True)


def _replace(database: Path, new: Path, target: Path, keep: int) -> Outcome:
    copy.copy_to_new(database, new)
    if problems := check.problems_of(new):
        told = f"{database} is damaged ({problems[0]}); the older backups are kept"
        return Outcome(Status.FAILED, told, {"problems": problems[:20]})
    schema, rows = check.contents(new)
    if not schema:
        return Outcome(Status.FAILED, f"{database} is empty; the older backups are kept")
    _shift(target, keep)
    new.replace(target)
    files.sync(target.parent)
    told = f"{database} is backed up to {target}: {sum(rows.values())} rows in {len(rows)} tables, checked"
    return Outcome(Status.DONE, told, {"backup": str(target), "rows": rows})


def _shift(target: Path, keep: int) -> None:
    """Make room for the newest: the last generation falls off."""
    for number in range(keep - 1, 0, -1):
        older = target.with_name(f"{target.name}.{number}")
        newer = target.with_name(f"{target.name}.{number - 1}") if number > 1 else target
        if newer.exists():
            newer.replace(older)
