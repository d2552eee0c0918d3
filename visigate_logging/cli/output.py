"""Write to the terminal: text in its encoding, colours, bars, JSON."""

import codecs
import io
import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.detail.plain import plain

if TYPE_CHECKING:
    from argparse import Namespace

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}
PAINT = re.compile(r"\x1b\[\d+m")
BLOCKS = " ▏▎▍▌▋▊▉█"
LOOK_ALIKE = str.maketrans(
    {
        **dict.fromkeys(BLOCKS[1:], "#"),
        **dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)),
        "↗": "/",
        "↘": "\\",
        "→": "-",
    }
    | {"…": "~", "—": "-", "·": ".", "“": '"', "”": '"', "„": '"'}
)
"""What a terminal that does not know Unicode gets instead, as wide as it is."""


def use_any_encoding() -> None:
    """Let standard output and error write every text, whatever their encoding (``LANG=C``, ``PYTHONIOENCODING``)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="visigate_logging")


def _look_alike(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(LOOK_ALIKE)
    return text.encode("ascii", "backslashreplace"), error.end


codecs.register_error("visigate_logging", _look_alike)


def say(text: str = "") -> None:
    """Write one line for people."""
    sys.stdout.write(text + "\n")


def say_json(value: Any, *, line: bool = False) -> None:
    """Write one JSON document, indented, or on one line."""
    import orjson

    options = orjson.OPT_APPEND_NEWLINE | (0 if line else orjson.OPT_INDENT_2)
    text = orjson.dumps(value, option=options)
    sys.stdout.flush()
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # JSON is UTF-8 wherever it is read (RFC 8259), whatever the terminal
        sys.stdout.buffer.write(text)
    else:
        sys.stdout.write(text.decode())


def complain(text: str) -> None:
    """Write to standard error, on a terminal in lines that fit it; what a record says is shown as text."""
    lines = plain(text).split("\n")
    if sys.stderr.isatty():
        import textwrap

        room = terminal_columns()
        lines = [
            textwrap.fill(line, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            if len(line) > room
            else line
            for line in lines
        ]
    sys.stderr.write("\n".join(lines) + "\n")


def answer(args: "Namespace", data: Any, lines: Iterable[str], *, nothing: str = "", failed: bool = False) -> int:
    """Write what a command has found, and return its exit code.

    Args:
        args: of the command; ``json`` says for whom.
        data: what was found, for programs.
        lines: the same for people.
        nothing: what is said on standard error where nothing was found, which is a failure.
        failed: whether it is one anyway.
    """
    if args.json:
        say_json(data)
    else:
        for line in lines:
            say(line)
    if nothing and not data:
        complain(nothing)
        return FAILED
    return FAILED if failed else DONE


def has_colour() -> bool:
    """Return whether to colour: on a terminal, unless ``NO_COLOR`` is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: str) -> str:
    """Return the text in a colour of COLOURS, where colours are shown."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if has_colour() else text


def bold(text: str) -> str:
    """Return the text standing out."""
    return painted(text, "bold")


def dim(text: str) -> str:
    """Return the text standing back."""
    return painted(text, "dim")


def as_written(text: str) -> str:
    """Return a text as standard output can write it: what its encoding does not know is replaced."""
    encoding = sys.stdout.encoding or "utf-8"
    return text if text.isascii() else text.encode(encoding, "visigate_logging").decode(encoding)


def paragraph(head: str, text: str, colour: str = "") -> str:
    """Return text beside its head, on a terminal in lines that fit it.

    Args:
        head: what stands before the first line; as much room is left before the others.
        text: from records as they are; it becomes one paragraph.
        colour: of the text.
    """
    return _beside(head, plain(text, one_line=True), colour)


def block(head: str, text: str, colour: str = "") -> str:
    """Return the same of a text that keeps its own lines."""
    first, *others = plain(text).rstrip().split("\n")
    rest = " " * width(PAINT.sub("", head))
    return "\n".join([_beside(head, first, colour), *(_beside(rest, line, colour) for line in others)])


def _beside(head: str, text: str, colour: str) -> str:
    text = as_written(text)
    lines, indent = [text], width(PAINT.sub("", head))
    if sys.stdout.isatty() and indent + width(text) > terminal_columns():
        import textwrap

        lines = textwrap.wrap(text, max(terminal_columns() - indent, 20), break_on_hyphens=False) or [""]
    shown = [painted(line, colour) if colour and line else line for line in lines]
    return "\n".join(f"{head if n == 0 else ' ' * indent}{line}" for n, line in enumerate(shown)).rstrip()


def terminal_columns() -> int:
    """Return how wide the terminal is; ``COLUMNS`` in the environment says it first."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def bar(value: float, top: float, columns: int = 30) -> str:
    """Return a bar as long as ``value`` is of ``top``."""
    eighths = round(8 * columns * value / top) if top else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (BLOCKS[rest] if rest else "")


class Progress:
    """A progress bar on standard error, where that is a terminal.

    Args:
        what: what is being done.
    """

    DELAY = 0.5
    """Seconds before which nothing is shown: most waits are shorter."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._begin = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Show how much is done; all done clears it."""
        if not sys.stderr.isatty() or time.monotonic() - self._begin < self.DELAY:
            return
        share = min(1.0, done / total) if total else 1.0
        text = f"{self._what} [{bar(share, 1, 30):30}] {share:4.0%}" if share < 1 else " " * 60
        sys.stderr.write(f"\r{text}" + ("\r" if share >= 1 else ""))
        sys.stderr.flush()
