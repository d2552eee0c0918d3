"""Why a file is not YAML, in words of who wrote it, and where the mistake begins.

A parser says where it could not go on. The mistake often stands before that: a colon that is missing makes two lines
one text, a quote that is missing takes in all up to the next one.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import yaml

_NO_COLON = re.compile(r"\s*(?:- )?[\w.()]+\s*(#.*)?$")
_NO_SPACE = re.compile(r"\s*(?:- )?(\w+):([^\s:/].*)$")
_ALONE = re.compile(r"""(?<![\w\\])["']|["'](?!\w)""")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"|'(?:''|[^'])*'|(?:^|\s)#.*$""")


class Where(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


class Halt(NamedTuple):
    """Where the parser has stopped: its words, that place, and where what it was reading begins, counted from 0."""

    problem: str
    line: int
    column: int
    context: str
    begin: int
    begin_column: int


Reason = tuple[Where, str]


def why_unreadable(content: bytes, error: Exception) -> Reason:
    """Return where the mistake begins, and what to do.

    Args:
        content: the file.
        error: what reading it has raised.
    """
    if not isinstance(error, yaml.YAMLError):
        is_deep = isinstance(error, RecursionError)  # else a date such as 2026-13-45
        return Where(1, 1), "values are nested too deeply" if is_deep else f"a value cannot be: {error}"
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as not_text:
        line = content.count(b"\n", 0, not_text.start) + 1
        column = not_text.start - content.rfind(b"\n", 0, not_text.start)
        byte = content[not_text.start]
        return Where(line, column), f"this is not YAML: the byte {byte:#x} is not UTF-8; save the file as UTF-8"
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return Where(line, column), f"this is not YAML: the character {text[error.position]!r} cannot be in it"
    lines, halt = text.splitlines() or [""], _halt(text, error)
    found = next(filter(None, (guess(lines, halt) for guess in _GUESSES)), None)
    where, words = found or (Where(halt.line + 1, halt.column + 1), halt.problem)
    return where, f"this is not YAML: {words}"


def _halt(text: str, error: yaml.YAMLError) -> Halt:
    try:
        yaml.compose(text, yaml.SafeLoader)  # says more than the parser that is written in C
    except yaml.YAMLError as plain:
        error = plain
    except RecursionError:
        return Halt("values are nested too deeply", 0, 0, "", 0, 0)
    mark: Any = getattr(error, "problem_mark", None)
    begin: Any = getattr(error, "context_mark", None) or mark
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    context = getattr(error, "context", None) or ""
    if mark is None:
        return Halt(problem, 0, 0, context, 0, 0)
    return Halt(problem, mark.line, mark.column, context, begin.line, begin.column)


def _tab(lines: Sequence[str], halt: Halt) -> Reason | None:
    for number, line in enumerate(lines[: halt.line + 1], 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return Where(number, line.index("\t") + 1), "a tab; indent with spaces"
    return None


def _open_quote(lines: Sequence[str], halt: Halt) -> Reason | None:
    for number, line in enumerate(lines[: halt.line + 1], 1):
        rest = _QUOTED.sub("", line)
        if found := _ALONE.search(rest):
            sign = found[0]
            return Where(
                number, line.rindex(sign) + 1
            ), f"a quote {sign} alone: close it, or put the value in the other"
    return None


def _open_bracket(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "flow" not in halt.context:
        return None
    sign = "]" if "sequence" in halt.context else "}"
    line = lines[halt.begin]
    if halt.begin == halt.line and sign in line[halt.begin_column :]:
        return Where(
            halt.begin + 1, halt.begin_column + 1
        ), "a value that begins with [ or { is a list; put it in quotes"
    return Where(halt.begin + 1, halt.begin_column + 1), f"what begins here has no {sign} at its end"


def _sign(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "cannot start any token" not in halt.problem and "scanning an alias" not in halt.context:
        return None
    column = halt.begin_column if "alias" in halt.context else halt.column
    sign = lines[halt.line][column : column + 1]
    return Where(halt.line + 1, column + 1), f"no value can begin with {sign}; put it in quotes"


def _text_behind_bracket(lines: Sequence[str], halt: Halt) -> Reason | None:
    line = lines[halt.line] if halt.line < len(lines) else ""
    if "expected <block end>" in halt.problem and re.search(r": *(\[.*\]|\{.*\}|\".*\"|'.*') *[^\s#,]", line):
        return Where(halt.line + 1, halt.column + 1), "text behind a value; put the whole value in quotes"
    return None


def _joined_lines(lines: Sequence[str], halt: Halt) -> Reason | None:
    """Two lines that have become one text, because the first has no colon, or no space behind it."""
    if "mapping values" not in halt.problem and "expected ':'" not in halt.problem:
        return None
    first = halt.begin if "simple key" in halt.context else halt.line
    for number in (first, *(n for n in range(halt.line - 1, -1, -1) if lines[n].strip())):
        line = lines[number] if number < len(lines) else ""
        if found := _NO_SPACE.match(line):
            return Where(number + 1, found.start(1) + 1), f"write a space behind the colon: {found[1]}: {found[2]}"
        if _NO_COLON.match(line):
            word = line.split("#")[0].strip().removeprefix("- ")
            column = len(line) - len(line.lstrip()) + 1
            return Where(number + 1, column), f"a colon is missing behind {word}; write {word}:"
        if number < halt.line:
            break
    if "expected ':'" in halt.problem:
        return Where(halt.begin + 1, halt.begin_column + 1), f"a colon is missing in {lines[halt.begin].strip():.60}"
    return None


def _second_colon(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "mapping values" not in halt.problem:
        return None
    what = f"a second colon in {lines[halt.line].strip():.60}" if halt.line < len(lines) else "a colon"
    return Where(halt.line + 1, halt.column + 1), f"{what}; put the value in quotes"


def _indentation(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "expected <block end>" not in halt.problem and "block sequence entries" not in halt.problem:
        return None
    before = next((line for line in reversed(lines[: halt.line]) if line.strip()), "")
    spaces, here = len(before) - len(before.lstrip()), halt.column
    text = f"indented by {here} spaces, which fits no line above (the one before has {spaces})"
    return Where(halt.line + 1, halt.column + 1), f"{text}; write it below what it belongs to"


_GUESSES: tuple[Callable[[Sequence[str], Halt], Reason | None], ...] = (
    _tab,
    _open_quote,
    _sign,
    _open_bracket,
    _joined_lines,
    _second_colon,
    _text_behind_bracket,
    _indentation,
)
