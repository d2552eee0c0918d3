"""Secrets among the values of an SQL statement: those that stand, or are bound, at the place of a secret column."""

import re
from collections.abc import Callable, Collection

HINTS = ("insert", "replace", "update", "select", "delete", "merge")
"""What a text has, in lower case, when a statement is in it."""

MAX_STATEMENT = 4000
"""Characters of a statement that are read, and between it and what is bound to it."""

_STATEMENT = re.compile(
    r"\b(?:(?:INSERT|REPLACE)\s[^()]{0,200}\((?P<columns>[^()]{1,4000})\)\s{0,10}VALUES\s{0,10}(?=\()"
    r"|(?:UPDATE|SELECT|DELETE|MERGE)\s(?P<clauses>[^\]\"']{1,4000}))",
    re.IGNORECASE,
)
_HOLE = r"\?\d{0,3}|%s|\$\d{1,3}"
_BOUND = re.compile(
    r"(?:\b(?:parameters?|params?|args?|arguments|bindings?|binds|values)\b\W{0,6}?|[\"']\s?,\s?)(?=[(\[])",
    re.IGNORECASE,
)
_NEXT_ROW = re.compile(r"\s?,\s?\(")
_PIECE = re.compile(
    r"[bBuU]?'(?:[^'\\]|\\.|'')*+'|[bBuU]?\"(?:[^\"\\]|\\.)*+\"|[()\[\],]|[^\s()\[\],'\"]++|\s++|['\"]"
)


def sql_mask(name: str, shown: str) -> Callable[[str], str]:
    """Return a function that masks what belongs to a secret column.

    Args:
        name: regular expression of what makes a column's name secret.
        shown: what stands for a secret.
    """
    secret = re.compile(name, re.IGNORECASE)
    compared = re.compile(
        rf"(?:{name})\w{{0,40}}[\"`\]]?\s{{0,3}}(?:=|<>|!=|\bLIKE\b|\bIS\b)\s{{0,3}}(?:\w+\(\s?)?$", re.I
    )

    def mask(text: str) -> str:
        if not secret.search(text):
            return text
        parts, at = [], 0
        for match in _STATEMENT.finditer(text):
            if match.start() < at:
                continue
            if match["columns"] is not None:
                places = {i for i, column in enumerate(match["columns"].split(",")) if secret.search(column)}
                values, end = _masked(text, match.end(), places, shown)
                parts += [text[at : match.end()], values]
                at = end
            else:
                clauses, end = match["clauses"], match.end()
                holes = [hole.start() for hole in re.finditer(_HOLE, clauses)]
                places = {i for i, hole in enumerate(holes) if compared.search(clauses, max(0, hole - 100), hole)}
            bound = _BOUND.search(text, end - 1, end + MAX_STATEMENT) if places else None
            if bound:
                values, end = _masked(text, bound.end(), places, shown)
                parts += [text[at : bound.end()], values]
                at = end
        return "".join([*parts, text[at:]]) if parts else text

    return mask


def _masked(text: str, start: int, places: Collection[int], shown: str) -> tuple[str, int]:
    """Return a list of values, or of rows of such, with those at some places masked; and where it ends.

    Args:
        text: where the list stands.
        start: its bracket.
        places: of the values, from 0.
        shown: what stands for a secret.
    """
    depth = index = 0
    row = 2 if text[start + 1 : start + 2] in ("(", "[") else 1
    parts: list[str] = []
    at = start
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            break
        piece, at = match[0], match.end()
        if piece in "([":
            depth += 1
            index = 0 if depth == row else index
        elif piece in ")]":
            depth -= 1
        elif piece == "," and depth == row:
            index += 1
        elif depth >= row and index in places and not piece.isspace() and not re.fullmatch(_HOLE, piece):
            piece = shown
        parts.append(piece)
        if not depth and piece in ")]" and not _NEXT_ROW.match(text, at):
            break
    return "".join(parts), at
