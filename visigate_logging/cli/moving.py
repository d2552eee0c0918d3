"""import, export and prune: errors from VisiGate's old files, to other programs, and out of the way."""

import argparse
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import orjson

from visigate_logging.cli.arguments import add_filters, add_json, add_log, days, filters, open_store
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import Progress, complain, say, say_json
from visigate_logging.cli.where import find_log
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.files import open_safely
from visigate_logging.migrate.legacy import import_files
from visigate_logging.store.export import FORMATS
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.decisions import DecisionLog

PAGE = 500
DECISIONS = "decisions"


def _import_old_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="error_*.json files, or directories of them; what export --format decisions has written",
    )
    add_log(parser)
    add_json(parser)


def import_old(args: argparse.Namespace) -> int:
    """Take in VisiGate's error_*.json files, each once, even when repeated."""
    paths = sorted(file for path in args.paths for file in (path.glob("error_*.json") if path.is_dir() else [path]))
    log, progress = ErrorStore(args.log or find_log()).path, Progress("importing")
    log.parent.mkdir(parents=True, exist_ok=True)
    outcomes, failures = Counter[str](), {}
    for path in [path for path in paths if path.suffix == ".jsonl"]:
        paths.remove(path)
        decisions = DecisionLog(path).decisions()
        outcomes["imported"] += (fresh := ErrorStore(log).take_in(decisions))
        outcomes["known"] += len(decisions) - fresh
        if not decisions:
            failures[str(path)] = "it holds no decisions about groups"
    for number, (path, outcome) in enumerate(import_files(log, paths), 1):
        progress(number, len(paths))
        if outcome in {"imported", "known"}:
            outcomes[outcome] += 1
        else:
            failures[str(path)] = outcome
    if args.json:
        say_json({"imported": outcomes["imported"], "known": outcomes["known"], "failed": failures})
    else:
        say(f"{outcomes['imported']} imported, {outcomes['known']} known already, {len(failures)} failed")
        for name, problem in failures.items():
            complain(f"{name}: {problem}")
    return FAILED if failures or not outcomes.total() else DONE


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    parser.add_argument(
        "--format",
        choices=(*FORMATS, DECISIONS),
        default="jsonl",
        help="JSON lines (default), CSV, or decisions about groups",
    )
    parser.add_argument(
        "--json", dest="format", action="store_const", const="jsonl", help="the same as --format jsonl"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    add_filters(parser)


def export(args: argparse.Namespace) -> int:
    """Errors as JSON lines or CSV, the newest first."""
    store = open_store(args)
    if args.format == DECISIONS:
        lines: Iterable[str] = (f"{orjson.dumps(decision.to_dict()).decode()}\n" for decision in store.decisions())
    else:
        lines = FORMATS[args.format](_all(store, args))
    if args.output:
        with _as_private_as(store.path, args.output) as out:
            out.writelines(lines)
    else:
        sys.stdout.writelines(lines)
    return DONE


def _as_private_as(log: Path, output: Path) -> TextIO:
    """Open a file for what comes from a log, with the log's permissions whatever it had before."""
    mode = stat.S_IMODE(log.stat().st_mode)
    descriptor = open_safely(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _all(store: ErrorStore, args: argparse.Namespace) -> Iterator[ErrorDetail]:
    asked = filters(store, args)
    page = store.recent(PAGE, **asked)
    yield from page
    while page.cursor:
        page = store.recent(PAGE, cursor=page.cursor, **asked)
        yield from page


def _prune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--older-than", type=days, required=True, metavar="DAYS", help="of what is older")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_log(parser)
    add_json(parser)


def prune(args: argparse.Namespace) -> int:
    """Remove rotated files in which all is older than so many days; their counts stay."""
    before = datetime.now(UTC) - timedelta(days=args.older_than)
    removed = open_store(args).prune(before, dry_run=args.dry_run)
    if args.json:
        say_json([str(path) for path in removed])
    else:
        for path in removed:
            say(f"{'would remove' if args.dry_run else 'removed'} {path}")
    if not removed:
        complain(f"no rotated file holds only what is older than {args.older_than} days")
    return DONE if removed else FAILED
