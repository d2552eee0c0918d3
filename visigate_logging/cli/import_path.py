"""What a command stands in: the configuration that is found, and the application's own modules, which it names."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.cli.locations import find_config, mask_as_configured
from visigate_logging.cli.output import complain


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
def configured(args: argparse.Namespace) -> Iterator[str]:
    """Find the configuration, where a command takes one and none is named, and mask in what is shown as it says.

    Relative paths of one that was found count from where it is, and those of arguments from here; paths of one that
    was named count from here, as in the application.

    Args:
        args: of which ``config`` is filled in, and paths are made absolute.

    Yields:
        The directory that the command was called in.
    """
    takes_one = "config" in args and "no_path" in args
    is_found = takes_one and args.config is None
    if is_found:
        args.config = find_config()
    mask_as_configured(getattr(args, "config", None), getattr(args, "log", None))
    here = "" if getattr(args, "no_path", True) else os.getcwd()
    if not is_found or not args.config.is_file() or args.config.parent.resolve() == Path.cwd():
        yield here
        return
    for name, value in vars(args).items():
        if isinstance(value, Path):
            setattr(args, name, value.absolute())
    with contextlib.chdir(args.config.parent):
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
