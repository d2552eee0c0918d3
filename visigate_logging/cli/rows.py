"""recover rows: what a restore has changed, row by row, and bringing chosen rows back."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.command import FAILED
from visigate_logging.cli.output import answer, complain
from visigate_logging.cli.table import Column, table
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import RecoveryError
from visigate_logging.recovery.procedures import Procedure
from visigate_logging.recovery.sqlite.changes import bring_back
from visigate_logging.recovery.sqlite.files import CHANGES
from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite

KINDS = ("added", "changed", "deleted")
LONGEST = 40  # characters of a value that are shown


def _numbers(text: str) -> set[int]:
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(
            f"{text!r} are no numbers of rows; give them as --table shows them, such as 1,2"
        )
    return {int(part) for part in text.split(",")}


ROWS = (
    argument("--aside FOLDER", "the damaged files; for rows (default: of the last restore)", type=Path),
    argument("--table TABLE", "show the rows of this table; for rows"),
    argument("--apply TABLE", "bring the damaged file's rows of this table back in one transaction; for rows"),
    argument("--only KIND", f"of these rows alone: {', '.join(KINDS)}; for rows", choices=KINDS),
    argument("--rows N,N", "of the rows with these numbers alone, as --table shows; for rows", type=_numbers),
)
"""What `rows` takes beside the name of the procedure."""


def rows(args: Args, procedure: Procedure) -> int:
    """Show what differs between the damaged database and what has replaced it; with ``--apply`` bring rows back."""
    database = _database(procedure)
    folder = args.aside or _newest(database)
    found = [line for line in _lines(folder) if _is_chosen(line, args)]
    if args.apply:
        return _apply(database, found, args)
    lines = _shown(found) if args.table else _summarised(folder, found)
    return answer(args, found, map(plain, lines) if found else (), nothing="no row differs")


def _database(procedure: Procedure) -> Path:
    for planned in procedure.steps:
        if isinstance(planned.step, RestoreSqlite):
            return Path(planned.step.database).resolve()
    raise RecoveryError(f"{procedure.name} restores no database")


def _newest(database: Path) -> Path:
    folders = sorted(database.parent.glob(f"{database.name}.damaged-*"), key=lambda folder: folder.stat().st_mtime)
    known = [folder for folder in folders if (folder / CHANGES).exists()]
    if not known:
        raise RecoveryError(f"no restore has left a list of rows beside {database}")
    return known[-1]


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows that differ, numbered within their table from 1."""
    numbers: Counter[str] = Counter()
    try:
        with (folder / CHANGES).open(encoding="utf-8") as file:
            for line in file:
                change = json.loads(line)
                numbers[change["table"]] += 1
                yield {"number": numbers[change["table"]], **change}
    except OSError as error:
        raise RecoveryError(f"there is no list of rows in {folder} ({error})") from error


def _is_chosen(line: Mapping[str, Any], args: Args) -> bool:
    wanted = args.apply or args.table
    return (
        (not wanted or line["table"] == wanted)
        and (not args.only or line["change"] == args.only)
        and (not args.rows or line["number"] in args.rows)
    )


def _summarised(folder: Path, found: list[dict[str, Any]]) -> Iterator[str]:
    counts: dict[str, Counter[str]] = {}
    for line in found:
        counts.setdefault(line["table"], Counter())[line["change"]] += 1
    yield f"What differs from the backup in {folder}:"
    cells = [(name, *(str(kinds[kind]) for kind in KINDS)) for name, kinds in counts.items()]
    columns = [Column("TABLE", stretches=True), *(Column(kind.upper(), right=True) for kind in KINDS)]
    yield table(columns, cells)
    yield "The rows: --table TABLE. To bring rows of the damaged file back:"
    yield "--apply TABLE [--only added] [--rows 1,2]"


def _shown(found: list[dict[str, Any]]) -> Iterator[str]:
    for line in found:
        key = ", ".join(f"{name}={value}" for name, value in line["key"].items())
        yield f"{line['number']:>5} {line['change']:<7} {key}"
        row, backup = line["row"] or {}, line["backup"] or {}
        for name in row or backup:
            old, new = _short(backup.get(name)), _short(row.get(name))
            if line["change"] != "changed":
                yield f"              {name}: {new if row else old}"
            elif backup.get(name) != row.get(name):
                yield f"              {name}: {old} in the backup, {new} in the damaged file"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _apply(database: Path, found: list[dict[str, Any]], args: Args) -> int:
    import sqlite3

    if not found:
        complain(f"no such row differs in {args.apply}")
        return FAILED
    try:
        bring_back(database, found)
    except sqlite3.Error as error:
        raise RecoveryError(f"no row was brought back: {error}") from error
    counts = Counter(line["change"] for line in found)
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    done = f"{args.apply} in {database} is again as in the damaged file for these rows: {told}"
    return answer(args, {"table": args.apply, **counts}, [done])
