"""What a subcommand is, and the arguments that many of them share."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visigate_logging.store.store import ErrorStore
from visigate_logging.store.where import find_log

__all__ = ["DONE", "FAILED", "USAGE", "Command", "add_json", "add_log", "open_store"]

DONE, FAILED, USAGE = 0, 1, 2


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


def open_store(args: argparse.Namespace) -> ErrorStore:
    """The store that the arguments name."""
    return ErrorStore(args.log or find_log())
