"""Why a file is not YAML, in words of who wrote it, and where the mistake begins.

A parser says where it could not go on. The mistake often stands before that: a colon that is missing makes two lines
one text, a quote that is missing takes in all up to the next one.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import yaml

_TOO_DEEP = "values are nested too deeply"
_NO_COLON = re.compile(r"\s*(?:- )?[\w.()]+\s*(#.*)?$")
_NO_SPACE = re.compile(r"\s*(?:- )?(\w+):([^\s:/].*)$")
_ALONE = re.compile(r"""(?<![\w\\])["']|["'](?!\w)""")
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"|'(?:''|[^'])*'|(?:^|\s)#.*$""")


class Place(NamedTuple):
    """Line and column in the file, both counted from 1."""

    line: int
    column: int


class Halt(NamedTuple):
    """Where the parser has stopped: its words, that place, and where what it was reading begins."""

    problem: str
    at: Place
    context: str
    begin: Place


Reason = tuple[Place, str]


def place_of(mark: yaml.Mark | None) -> Place:
    """Return where a mark of the parser's stands; without one, the beginning."""
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def why_unreadable(content: bytes, error: Exception) -> Reason:
    """Return where the mistake begins, and what to do.

    Args:
        content: the file.
        error: what reading it has raised.
    """
    if not isinstance(error, yaml.YAMLError):
        is_deep = isinstance(error, RecursionError)  # else a date such as 2026-13-45
        return Place(1, 1), _TOO_DEEP if is_deep else f"a value cannot be: {error}"
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as not_text:
        byte = content[not_text.start]
        where = _place_in(content.decode("latin-1"), not_text.start)
        return where, f"this is not YAML: the byte {byte:#x} is not UTF-8; save the file as UTF-8"
    if isinstance(error, yaml.reader.ReaderError):
        where = _place_in(text, error.position)
        return where, f"this is not YAML: the character {text[error.position]!r} cannot be in it"
    lines, halt = text.splitlines() or [""], _halt(text, error)
    found = next(filter(None, (guess(lines, halt) for guess in _GUESSES)), None)
    where, words = found or (halt.at, halt.problem)
    return where, f"this is not YAML: {words}"


def _place_in(text: str, position: int) -> Place:
    return Place(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _halt(text: str, error: yaml.YAMLError) -> Halt:
    try:
        yaml.compose(text, yaml.SafeLoader)  # says more than the parser that is written in C
    except yaml.YAMLError as plain:
        error = plain
    except RecursionError:
        return Halt(_TOO_DEEP, Place(1, 1), "", Place(1, 1))
    mark = getattr(error, "problem_mark", None)
    begin = (getattr(error, "context_mark", None) or mark) if mark else None
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return Halt(problem, place_of(mark), getattr(error, "context", None) or "", place_of(begin))


def _ini(lines: Sequence[str], _: Halt) -> Reason | None:
    for number, line in enumerate(lines, 1):
        if line.strip() and line.lstrip()[0] not in "#;":
            is_one = re.fullmatch(r"\[\w+\]", line.strip()) and "=" in "".join(lines[number:])
            what = "but an INI file, as fileConfig reads it; write the same in YAML"
            return (Place(number, 1), what) if is_one else None
    return None


def _tab(lines: Sequence[str], halt: Halt) -> Reason | None:
    for number, line in enumerate(lines[: halt.at.line], 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return Place(number, line.index("\t") + 1), "a tab; indent with spaces"
    return None


def _open_quote(lines: Sequence[str], halt: Halt) -> Reason | None:
    for number, line in enumerate(lines[: halt.at.line], 1):
        if found := _ALONE.search(_QUOTED.sub("", line)):
            where = Place(number, line.rindex(found[0]) + 1)
            return where, f"a quote {found[0]} alone: close it, or put the value in the other"
    return None


def _open_bracket(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "flow" not in halt.context:
        return None
    sign = "]" if "sequence" in halt.context else "}"
    if halt.begin.line == halt.at.line and sign in _line(lines, halt.begin)[halt.begin.column - 1 :]:
        return halt.begin, "a value that begins with [ or { is a list; put it in quotes"
    return halt.begin, f"what begins here has no {sign} at its end"


def _sign(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "cannot start any token" not in halt.problem and "scanning an alias" not in halt.context:
        return None
    where = Place(halt.at.line, halt.begin.column if "alias" in halt.context else halt.at.column)
    sign = _line(lines, where)[where.column - 1 : where.column]
    return where, f"no value can begin with {sign}; put it in quotes"


def _text_behind_bracket(lines: Sequence[str], halt: Halt) -> Reason | None:
    is_bracket = re.search(r": *(\[.*\]|\{.*\}|\".*\"|'.*') *[^\s#,]", _line(lines, halt.at))
    if "expected <block end>" in halt.problem and is_bracket:
        return halt.at, "text behind a value; put the whole value in quotes"
    return None


# complex: one way to be wrong a line
def _joined_lines(lines: Sequence[str], halt: Halt) -> Reason | None:
    """Two lines that have become one text, because the first has no colon, or no space behind it."""
    if "mapping values" not in halt.problem and "expected ':'" not in halt.problem:
        return None
    first = halt.begin.line if "simple key" in halt.context else halt.at.line
    for number in (first, *(n for n in range(halt.at.line - 1, 0, -1) if lines[n - 1].strip())):
        line = _line(lines, Place(number, 1))
        if found := _NO_SPACE.match(line):
            return Place(number, found.start(1) + 1), f"write a space behind the colon: {found[1]}: {found[2]}"
        if _NO_COLON.match(line):
            word = line.split("#")[0].strip().removeprefix("- ")
            where = Place(number, len(line) - len(line.lstrip()) + 1)
            return where, f"a colon is missing behind {word}; write {word}:"
        if number < halt.at.line:
            break
    if "expected ':'" in halt.problem:
        return halt.begin, f"a colon is missing in {_line(lines, halt.begin).strip():.60}"
    return None


def _second_colon(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "mapping values" not in halt.problem:
        return None
    line = _line(lines, halt.at).strip()
    return halt.at, f"{f'a second colon in {line:.60}' if line else 'a colon'}; put the value in quotes"


def _indentation(lines: Sequence[str], halt: Halt) -> Reason | None:
    if "expected <block end>" not in halt.problem and "block sequence entries" not in halt.problem:
        return None
    before = next((line for line in reversed(lines[: halt.at.line - 1]) if line.strip()), "")
    spaces, here = len(before) - len(before.lstrip()), halt.at.column - 1
    text = f"indented by {here} spaces, which fits no line above (the one before has {spaces})"
    return halt.at, f"{text}; write it below what it belongs to"


def _line(lines: Sequence[str], place: Place) -> str:
    return lines[place.line - 1] if place.line <= len(lines) else ""


_GUESSES: tuple[Callable[[Sequence[str], Halt], Reason | None], ...] = (
    _ini,
    _tab,
    _open_quote,
    _sign,
    _open_bracket,
    _joined_lines,
    _second_colon,
    _text_behind_bracket,
    _indentation,
)
