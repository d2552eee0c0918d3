"""A backup that is known to be good."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.exceptions import BusyError
from visigate_logging.recovery.sqlite import check, copy, files
from visigate_logging.recovery.sqlite.backups import origin_of, rows_told, shift, sound
from visigate_logging.recovery.steps.base import Outcome, Status

SHOWN = 5
FEW = 10  # of so few rows some may well go; all of them may not


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
    except BusyError as error:
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
    told = f"{database} is backed up to {target}: {rows_told(rows)}, checked"
    return Outcome(Status.DONE, told, {"backup": str(target), "rows": rows})


def _lost(new: Path, rows: Mapping[str, int], target: Path, keeping: Keeping) -> list[str]:
    """Return what the new copy lacks that the last sound generation has: it must not push the good ones out."""
    now = origin_of(new)
    for last, before in sound([str(target)]):
        try:
            had = check.contents(last)[1]
        except (OSError, sqlite3.DatabaseError, BusyError):
            continue
        if now is not None and before.application != now.application:
            return [f"application_id is {now.application}, and was {before.application} in {last}"]
        return list(_losses(had, rows, keeping))
    return []


def _losses(before: Mapping[str, int], now: Mapping[str, int], keeping: Keeping) -> Iterator[str]:
    """Yield the tables that are gone or empty, or have lost too many rows."""
    for table, had in before.items():
        has = now.get(table, 0)
        if not had or table in keeping.ignore:
            continue
        if table not in now:
            yield f"table {table} with {had} rows is gone"
        elif not has:
            yield f"all {had} rows of {table} are gone"
        elif had >= FEW and has < had * (1 - keeping.max_loss):
            yield f"{table} has {has} rows, and had {had}"
