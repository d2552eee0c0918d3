"""Lay out tables: for a terminal, columns that fit it; for a pipe, tab-separated values as they are."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from visigate_logging.cli.output import as_written, bold, painted, terminal_columns, width
from visigate_logging.detail.plain import plain

LEAST = 36
"""Columns that a text keeps before another column is left out for it."""
SHORTEST = 6
"""Digits of an id that are shown at least."""


class Brief(NamedTuple):
    """A cell that has a short form for terminals; pipes and ``--wide`` have it whole."""

    whole: str
    short: str


Cell = str | Brief


class Column(NamedTuple):
    """One column.

    Args:
        header: its name.
        right: whether it stands to the right, as numbers do.
        stretches: whether it is cut where the terminal is too narrow for all.
        dropped: when it is left out to make room: the highest first; 0 for never.
        colours: of values, where colours are shown.
    """

    header: str
    right: bool = False
    stretches: bool = False
    dropped: int = 0
    colours: Mapping[str, str] = {}


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, wide: bool = False) -> str:
    """Return columns under headers.

    Args:
        columns: see :class:`Column`.
        rows: their cells, from records as they are.
        wide: show everything, however wide the terminal is.
    """
    given = list(rows)
    if not sys.stdout.isatty():
        lines = [[c.header for c in columns], *([as_text(cell, whole=True) for cell in row] for row in given)]
        return "\n".join("\t".join(line) for line in lines)
    cells = [[c.header for c in columns], *([as_text(cell, whole=wide) for cell in row] for row in given)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(columns))]
    room = sum(widths) + 2 * len(widths) if wide else terminal_columns()
    shown = _narrowed(columns, widths, room)
    lines = [[_cell(row[i], widths[i], columns[i]) for i in shown] for row in cells]
    texts = ["  ".join(line).rstrip() for line in lines]
    return "\n".join([bold(texts[0]), *texts[1:]])


def _narrowed(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """Return which columns are shown; cut the one that stretches, and leave out others where that is not enough."""
    shown = list(range(len(columns)))
    elastic = next((i for i in shown if columns[i].stretches), 0)
    while (over := sum(widths[i] + 2 for i in shown) - 2 - room) > 0:
        if widths[elastic] - over >= LEAST:
            widths[elastic] -= over
            break
        first = max(shown, key=lambda i: columns[i].dropped)
        if not columns[first].dropped:
            widths[elastic] = max(widths[elastic] - over, width(columns[elastic].header), 10)
            break
        shown.remove(first)
    return shown


def as_text(cell: Cell, *, whole: bool) -> str:
    """Return what a cell shows, on one line."""
    text = cell if isinstance(cell, str) else cell.whole if whole else cell.short
    return as_written(plain(text, one_line=True))


def _cell(text: str, columns: int, column: Column) -> str:
    text = fitted(text, columns)
    padding = " " * (columns - width(text))
    shown = painted(text, column.colours[text]) if text in column.colours else text
    return padding + shown if column.right else shown + padding


def fitted(text: str, columns: int) -> str:
    """Return a text cut to so many columns of a terminal."""
    if width(text) <= columns:
        return text
    text = text[: columns - 1]
    while width(text) >= columns:
        text = text[:-1]
    return text + "…"


def one_line(text: str, taken: int = 0) -> str:
    """Return a text on one line of the terminal, of which some columns are taken."""
    text = as_written(plain(text, one_line=True))
    return fitted(text, terminal_columns() - taken) if sys.stdout.isatty() else text


def briefly(ids: Iterable[str], *, ends: bool) -> dict[str, Brief]:
    """Return ids with as many of their digits as tell them apart, which commands take in place of the whole.

    Args:
        ids: of what is shown.
        ends: show their ends, as they begin with a time; else what they begin with after ``v1:``.
    """
    known = {one: one if ends else one.rpartition(":")[2] for one in ids}
    for n in range(SHORTEST, 33):
        short = {one: (digits[-n:] if ends else digits[:n]) for one, digits in known.items()}
        if len(set(short.values())) == len(known):
            break
    else:
        short = {one: one for one in known}
    return {one: Brief(one, short[one]) for one in known}
