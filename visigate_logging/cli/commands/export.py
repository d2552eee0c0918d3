"""Write errors as JSON lines or CSV."""

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import orjson

from visigate_logging.cli.arguments import FILTERS, LOG, Args, argument
from visigate_logging.cli.selection import everything, filters, open_store
from visigate_logging.host.files import open_safely
from visigate_logging.store.export import FORMATS

DECISIONS = "decisions"
ARGUMENTS = (
    LOG,
    argument(
        "--format FORMAT",
        "JSON lines, CSV, or decisions about groups",
        choices=(*FORMATS, DECISIONS),
        default="jsonl",
    ),
    argument("--json", "the same as --format jsonl", dest="format", action="store_const", const="jsonl"),
    argument("--output FILE", "write there instead of standard output", type=Path),
    FILTERS,
)


def run(args: Args) -> None:
    """Write all errors that are asked for, the newest first."""
    store = open_store(args)
    if args.format == DECISIONS:
        lines: Iterable[str] = (f"{orjson.dumps(decision.to_dict()).decode()}\n" for decision in store.decisions())
    else:
        lines = FORMATS[args.format](everything(store, **filters(store, args)))
    if args.output:
        with _as_private_as(store.path, args.output) as out:
            out.writelines(lines)
    else:
        sys.stdout.writelines(lines)


def _as_private_as(log: Path, output: Path) -> TextIO:
    """Open a file for what comes from a log, with the log's permissions whatever it had before."""
    mode = stat.S_IMODE(log.stat().st_mode)
    descriptor = open_safely(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
