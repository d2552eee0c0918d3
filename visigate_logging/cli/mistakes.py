"""What went wrong with a command, and what to do about it."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.exceptions import DecisionError, UnknownEventError, VisigateLoggingError

NEXT = "see visigate-errors recent, groups --state all"


def told(error: VisigateLoggingError | OSError, acting: str = "") -> Iterator[str]:
    """Yield what is said of an error.

    Args:
        error: itself.
        acting: as whom root acts, in a sentence; empty for others.
    """
    if isinstance(error, OSError) and not isinstance(
        error, VisigateLoggingError
    ):  # a path that was given, or the disk
        text = f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"
    else:
        text = str(error)
    yield f"visigate-errors: {with_next(error, text)}"
    refused = error if isinstance(error, PermissionError) else error.__cause__
    if isinstance(refused, PermissionError):
        yield acting or _whose(str(refused.filename or ""))


def with_next(error: Exception, text: str) -> str:
    """Return a text about an error with what to do next, where something is not known."""
    is_unknown = isinstance(error, UnknownEventError) and not isinstance(error, DecisionError)
    return f"{text}; {NEXT}" if is_unknown else text


def _whose(name: str) -> str:
    """Say whose a file is, and how to be let in."""
    path = Path(name).absolute()
    while not os.path.lexists(path):
        path = path.parent
    above, own = _user(path.parent.lstat().st_uid), _user(path.lstat().st_uid)
    if own == "root" != above:
        return f"{path} is root's in a directory of {above}'s; give it back: sudo chown -h {above}: {path}"
    return f"{path} is {own}'s; ask as that user: sudo -u {own} visigate-errors …"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
