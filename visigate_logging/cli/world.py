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
def application(args: argparse.Namespace, here: str) -> Iterator[None]:
    """Let the body import what is in the directories that the arguments name, and in those of files and of work.

    A directory that another user could put a module into is left out, and named: what is there would run as us.
    """
    before = sys.path[:]
    if not getattr(args, "no_path", True) and not sys.flags.safe_path:
        found = {os.path.abspath(path): None for path in args.path}
        found |= {directory: None for directory in _usual(args, here) if _is_safe(directory)}
        sys.path[:0] = [directory for directory in found if directory not in before]
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def beside(config: Path | None, args: argparse.Namespace) -> Iterator[str]:
    """Let relative paths of a configuration that was found count from where it is, and those of arguments from here.

    Args:
        config: the file; None for one that was named, whose paths count from here, as in the application.
        args: of which the paths are made absolute.

    Yields:
        The directory that the command was called in.
    """
    here = "" if getattr(args, "no_path", True) else os.getcwd()
    if config is None or not config.is_file() or config.parent.resolve() == Path.cwd():
        yield here
        return
    for name, value in vars(args).items():
        if isinstance(value, Path):
            setattr(args, name, value.absolute())
    with contextlib.chdir(config.parent):
        yield here


def _usual(args: argparse.Namespace, here: str) -> list[str]:
    files = [*(getattr(args, "files", None) or []), *filter(None, [getattr(args, "config", None)])]
    return [here, *(os.path.dirname(os.path.abspath(file)) for file in files)]


def _is_safe(directory: str) -> bool:
    from visigate_logging.host.trust import exposure, trusted_users

    found = exposure(directory, trusted_users())
    if found is None or found.is_group:
        return True
    if any(Path(directory).glob("*.py")):
        cause = f"{found.who}, could change {found.path}"
        complain(f"classes in {directory} are left out: {cause}; to have them: --path {directory}")
    return False
