"""What a subcommand is, and the arguments that many of them share."""

import argparse
import glob
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from visigate_logging.cli.output import Progress, complain
from visigate_logging.cli.where import find_log
from visigate_logging.store.facets import FACETS
from visigate_logging.store.store import ErrorStore

__all__ = [
    "CONFIGURATION",
    "DONE",
    "FAILED",
    "USAGE",
    "Command",
    "add_facets",
    "add_filters",
    "add_json",
    "add_log",
    "days",
    "facets",
    "filters",
    "moment",
    "open_store",
    "positive",
]

DONE, FAILED, USAGE, CONFIGURATION = 0, 1, 2, 78
MOST_DAYS = 36_500
AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Args:
        name: the word on the command line.
        help: what it is for, in one line.
        arguments: declares its arguments on the parser it is given.
        run: does it, and returns the exit code.
    """

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    def add_to(self, subparsers: Any) -> None:
        """Declare it on what ``ArgumentParser.add_subparsers`` gave."""
        parser = subparsers.add_parser(self.name, help=self.help, description=self.help)
        self.arguments(parser)
        parser.set_defaults(run=self.run)


def add_log(parser: argparse.ArgumentParser) -> None:
    """``--log``: where the details are."""
    parser.add_argument(
        "--log",
        type=Path,
        metavar="PATH",
        help="the details file or its directory (default: VISIGATE_LOG, else what logging.yaml in the "
        "working directory names, else logs/errors/details.jsonl)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """``--type``, ``--since`` and the others that say which errors are meant."""
    group = parser.add_argument_group("which errors")
    group.add_argument("--group", metavar="GROUP", help="only this group, such as v1:0123456789abcdef")
    add_facets(group)
    group.add_argument("--since", type=moment, metavar="WHEN", help="from then on: 2h, 3d, 2026-05-04, …T12:30")
    group.add_argument("--until", type=moment, metavar="WHEN", help="before then")
    group.add_argument("--text", help="only with this in messages, traceback or additional information")


def add_facets(parser: Any) -> None:
    """``--type`` and the other facets, on a parser or a group of one."""
    for facet in FACETS:
        parser.add_argument(
            f"--{facet.name}", metavar=facet.name.upper(), help=f"only this {facet.name}, such as {facet.example}"
        )
    parser.add_argument(
        "--facet",
        action="append",
        type=_facet,
        default=[],
        metavar="NAME=VALUE",
        help="only this value of a facet of the application's own, such as camera=entrance",
    )


def _facet(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no facet; give its name and value, such as camera=entrance")
    return name, value


def facets(args: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_facets` declared, as ``ErrorStore.groups`` takes it."""
    return dict(args.facet) | {facet.name: getattr(args, facet.name) for facet in FACETS}


def filters(args: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_filters` declared, as ``ErrorStore.recent`` takes it."""
    return facets(args) | {name: getattr(args, name) for name in ("group", "since", "until", "text")}


def moment(text: str) -> datetime:
    """A time: so many minutes, hours, days or weeks ago (``90m``, ``2h``, ``3d``, ``1w``), or ISO 8601, local."""
    try:
        if text[-1:] in AGO and text[:-1].isdigit():
            return datetime.now(UTC) - timedelta(**{AGO[text[-1]]: int(text[:-1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give 2h, 3d or 2026-05-04T12:30") from None


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def days(text: str) -> int:
    """A number of days that calendars can go back by."""
    found = positive(text)
    if found > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} days are too many; at most {MOST_DAYS} can be asked for")
    return found


def open_store(args: argparse.Namespace) -> ErrorStore:
    """The store that the arguments name; it tells on a terminal how far it is.

    That there is no log is said on standard error: it is none when nothing has gone wrong yet, but also when the
    path is wrong.
    """
    store = ErrorStore(args.log or find_log(), progress=Progress("indexing"))
    if store.path.parent.is_dir() and not any(store.path.parent.glob(f"{glob.escape(store.path.name)}*")):
        complain(f"{store.path}: no such file; if errors have been logged, name their log with --log")
    return store
