"""A backup that is known to be good."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.recovery.sqlite import check, copy, files
from visigate_logging.recovery.sqlite.generations import generations, shift
from visigate_logging.recovery.sqlite.loss import losses
from visigate_logging.recovery.sqlite.origin import origin_of
from visigate_logging.recovery.sqlite.report import counted
from visigate_logging.recovery.steps.base import Outcome, Status

SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What is kept, and what a backup must still have.

    Args:
        keep: how many generations there are beside those of the day, the week and the month.
        max_loss: what part of a table's rows may go from one backup to the next, 0 to 1.
        ignore: tables that come and go.
        accept_loss: whether a person has said that the loss is right.
    """

    keep: int
    max_loss: float
    ignore: Collection[str] = ()
    accept_loss: bool = False


def backup(database: Path, target: Path, keeping: Keeping) -> Outcome:
    """Copy ``database`` to ``target``, shifting the older generations, if the copy is sound and has lost little.

    A copy of a damaged database succeeds and is damaged, and one of an emptied database is sound: both must not take
    the place of a good one.
    """
    if not database.is_file():
        return Outcome(Status.FAILED, f"no backup was made: there is no file {database}")
    if files.is_void(database):  # not to be opened: SQLite would delete its -wal
        return Outcome(Status.FAILED, f"{database} is empty; the older backups are kept")
    target.parent.mkdir(parents=True, exist_ok=True)
    if lack := files.too_little_space(target.parent, files.size(database)):
        return Outcome(Status.FAILED, f"no backup was made: {lack}")
    new = target.with_name(f".{target.name}.new")
    try:
        with files.folder_lock(target.parent):
            return _replace(database, new, target, keeping)
    except files.BusyError as error:
        return Outcome(Status.DEFERRED, f"no backup was made: {error}")
    except (OSError, sqlite3.DatabaseError) as error:
        return Outcome(Status.FAILED, f"{database} cannot be copied ({error}); the older backups are kept")
    finally:
        new.unlink(missing_ok=True)


def _replace(database: Path, new: Path, target: Path, keeping: Keeping) -> Outcome:
    copy.copy_to_new(database, new)
    if problems := check.problems_of(new):
        told = f"{database} is damaged ({problems[0]}); the older backups are kept"
        return Outcome(Status.FAILED, told, {"problems": problems[:20]})
    schema, rows = check.contents(new)
    if not schema:
        return Outcome(Status.FAILED, f"{database} is empty; the older backups are kept")
    if lost := [] if keeping.accept_loss else _lost(new, rows, target, keeping):
        told = (
            f"{database} has lost much since its last backup: {', '.join(lost[:SHOWN])}; no backup was made and the "
            "older ones are kept. If that is right: visigate-errors backup with --accept-loss, once"
        )
        return Outcome(Status.FAILED, told, {"lost": lost})
    shift(target, keeping.keep)
    new.replace(target)
    files.sync(target.parent)
    size = f"{counted(sum(rows.values()), 'row')} in {counted(len(rows), 'table')}"
    told = f"{database} is backed up to {target}: {size}, checked"
    return Outcome(Status.DONE, told, {"backup": str(target), "rows": rows})


def _lost(new: Path, rows: dict[str, int], target: Path, keeping: Keeping) -> list[str]:
    """Return what the new copy lacks that the last sound generation has."""
    for last in generations([str(target)]):
        try:
            before = None if check.problems_of(last) else origin_of(last)
            had = check.contents(last)[1] if before else {}
        except (OSError, sqlite3.DatabaseError, files.BusyError):
            continue
        now = origin_of(new)
        if before is None or now is None:
            continue
        if before.application != now.application:
            return [f"application_id is {now.application}, and was {before.application} in {last}"]
        return losses(had, rows, keeping.max_loss, keeping.ignore)
    return []
