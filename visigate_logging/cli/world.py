"""Where the application's own modules are looked for, which a configuration names: as with ``python -m``."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.cli.output import complain


def add_path(parser: argparse.ArgumentParser) -> None:
    """Declare ``--path`` and ``--no-path``."""
    parser.add_argument(
        "--path",
        action="append",
        type=Path,
        default=[],
        metavar="DIRECTORY",
        help="where the application's own classes are; those of the configuration and of work are looked into anyway",
    )
    parser.add_argument("--no-path", action="store_true", help="look for classes in what is installed alone")


@contextlib.contextmanager
def application(args: argparse.Namespace) -> Iterator[None]:
    """Let the body import what is in the directories that the arguments name, and in those of files and of work.

    A directory that another user could put a module into is left out, and named: what is there would run as us.
    """
    before = sys.path[:]
    if not getattr(args, "no_path", True) and not sys.flags.safe_path:
        found = {os.path.abspath(path): None for path in args.path}
        found |= {directory: None for directory in _usual(args) if _is_safe(directory)}
        sys.path[:0] = [directory for directory in found if directory not in before]
    try:
        yield
    finally:
        sys.path[:] = before


def _usual(args: argparse.Namespace) -> list[str]:
    files = [*(getattr(args, "files", None) or []), *filter(None, [getattr(args, "config", None)])]
    return [os.getcwd(), *(os.path.dirname(os.path.abspath(file)) for file in files)]


def _is_safe(directory: str) -> bool:
    from visigate_logging.host.trust import exposure, trusted_users

    found = exposure(directory, trusted_users())
    if found is None or found.is_group:
        return True
    if any(Path(directory).glob("*.py")):
        cause = f"{found.who}, could change {found.path}"
        complain(f"classes in {directory} are left out: {cause}; to have them: --path {directory}")
    return False
