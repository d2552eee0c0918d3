"""An exception that is only there as text: what a stdlib QueueHandler or SocketHandler has left of it."""

import re
from collections.abc import Callable
from pathlib import PurePath

from visigate_logging.detail.tracebacks import MAX_FRAMES, ExceptionData, Frame

__all__ = ["HEADING", "parse", "split"]

HEADING = "Traceback (most recent call last):\n"

_START = re.compile(r"(?:\A|\n)(?=(?:  \+ Exception Group )?Traceback \(most recent call last\):\n)")
_FRAME = re.compile(
    r'^  (?:[|+ ] )?File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)\n(?P<code>    .*\n)?', re.M
)


def split(message: str) -> tuple[str, str]:
    """A message and the traceback behind it."""
    parts = _START.split(message, maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 else (message, message)


def parse(text: str, in_app: Callable[[str, str], bool]) -> ExceptionData:
    """The last exception of a traceback's text: type, message and frames.

    Args:
        text: what ``traceback.format_exception`` gave.
        in_app: tells from a file and a module whether they are the application's own code.
    """
    tail = text[text.rfind(HEADING) + len(HEADING) :] if HEADING in text else text
    frames = []
    end = 0
    for match in _FRAME.finditer(tail):
        module = PurePath(match["file"]).stem
        code = (match["code"] or "").strip()
        frames.append(
            Frame(match["file"], int(match["line"]), match["name"], module, code, in_app(match["file"], module))
        )
        end = match.end()
    lines = tail[end:].splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith(" ")):  # carets under a line
        lines.pop(0)
    kind, _, message = "\n".join(lines).partition(":")
    name = kind.strip().splitlines()[0] if kind.strip() else "Exception"
    module, _, bare = name.rpartition(".")
    return ExceptionData(bare, module or "builtins", message.strip(), frames=tuple(frames[-MAX_FRAMES:]))
