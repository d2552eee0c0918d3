"""Write to the terminal: text in its encoding, colours, bars, JSON."""

import codecs
import io
import os
import re
import sys
import time
import unicodedata
from typing import Any

from visigate_logging.detail.plain import plain

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
    """Write one line to standard error; what a record says in it is shown as text."""
    sys.stderr.write(plain(text) + "\n")


def counted(number: int, what: str) -> str:
    """So many of something: ``1 error``, ``2 errors``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


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


def paragraph(head: str, text: str) -> str:
    """Return text beside its head, on a terminal in lines that fit it."""
    if not sys.stdout.isatty():
        return f"{head}{as_written(plain(text, one_line=True))}".rstrip()
    import textwrap

    indent = width(PAINT.sub("", head))
    lines = textwrap.wrap(
        as_written(plain(text, one_line=True)), max(terminal_columns() - indent, 20), break_on_hyphens=False
    )
    return "\n".join(f"{head if n == 0 else ' ' * indent}{line}" for n, line in enumerate(lines or [""])).rstrip()


def terminal_columns() -> int:
    """Return how wide the terminal is; ``COLUMNS`` in the environment says it first."""
    import shutil

    return shutil.get_terminal_size((80, 24)).columns


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
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
