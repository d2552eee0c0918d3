"""What options can be: YAML's own types, and annotations for levels, ports, sizes, names, encodings."""

import codecs
import logging
import os
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, NamedTuple

from visigate_logging.options.faults import meant

_SIZE = re.compile(r"([\d_]*\.?\d+(?:e[+-]?\d+)?)\s*([kmg]?)(?:i?b|ytes?)?", re.I)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_MODES = frozenset(0o600 | group | others for group in (0, 0o40, 0o60) for others in (0, 0o4, 0o6))
_MODE = 'permissions to read and write, as in "0640" (with quotes)'
_TRUTHS = dict.fromkeys(("yes", "on", "true", "y"), "true") | dict.fromkeys(("no", "off", "false", "n"), "false")


@typing.runtime_checkable
class Writable(typing.Protocol):
    """What a StreamHandler writes to."""

    def write(self, text: str, /) -> object:
        """Write a text."""


class Simple(NamedTuple):
    """A type that YAML has: the classes of its values, its name for people, and that of JSON Schema."""

    classes: tuple[type, ...]
    words: str
    json: str


SIMPLE: dict[Any, Simple] = {
    bool: Simple((bool,), "true or false", "boolean"),
    int: Simple((int,), "a whole number", "integer"),
    float: Simple((int, float), "a number", "number"),
    str: Simple((str,), "text", "string"),
    os.PathLike: Simple((str, os.PathLike), "a path", "string"),
    re.Pattern: Simple((re.Pattern,), "a text with a regular expression", "string"),
    Writable: Simple((Writable,), "a stream, such as ext://sys.stdout", "string"),
    type(None): Simple((type(None),), "null", "null"),
}


@dataclass(frozen=True)
class Range:
    """Allow, in ``Annotated``, numbers from ``low`` to ``high``, both included, and above ``above``.

    Args:
        low, high, above: limits; None for none.
        unit: what the numbers count, for messages.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    unit: str = ""

    def __call__(self, value: Any) -> Any:
        """Return the number; raise ValueError when it is none of these."""
        is_low = self.low is not None and value < self.low
        is_high = self.high is not None and value > self.high
        if is_low or is_high or (self.above is not None and value <= self.above):
            raise ValueError
        return value

    def words(self, base: str) -> str:
        """Return what is allowed, for people."""
        limits = [("of", self.unit or None), ("from", self.low), ("above", self.above), ("to", self.high)]
        return " ".join([base, *(f"{word} {value}" for word, value in limits if value is not None)])

    @property
    def schema(self) -> dict[str, Any]:
        """The same for JSON Schema."""
        limits = {"minimum": self.low, "maximum": self.high, "exclusiveMinimum": self.above}
        return {name: limit for name, limit in limits.items() if limit is not None}


@dataclass(frozen=True)
class Via:
    """Read, in ``Annotated``, a value of the type by a function.

    Args:
        function: returns the value, or another for it. What it raises says why that cannot be: ``ValueError`` with
            the rest of a sentence about the value (``is not …``), or with nothing; `ConfigurationError` with the key
            below the value.
        name: what is allowed, for people; default what the type says.
        raw: the function gets whatever is given; the type is that of what it returns.
    """

    function: Callable[[Any], Any]
    name: str = ""
    raw: bool = False

    def __call__(self, value: Any) -> Any:
        """Return what the function makes of the value."""
        return self.function(value)

    def words(self, base: str) -> str:
        """Return what is allowed, for people."""
        return self.name or base

    @property
    def schema(self) -> dict[str, Any]:
        """Nothing: a function cannot be told to an editor."""
        return {}


def in_words(kind: Any) -> str:
    """Return what an annotation allows, for people."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Annotated:
        words = in_words(inner[0])
        for wish in inner[1:]:
            words = wish.words(words) if isinstance(wish, Range | Via) else words
        return words
    if origin in (typing.Union, types.UnionType):
        return _any_of(inner)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}" if len(inner) > 1 else str(inner[0])
    return SIMPLE[origin].words if origin in SIMPLE else _collection(origin, inner)


def _any_of(kinds: Sequence[Any]) -> str:
    each = dict.fromkeys(in_words(kind) for kind in kinds)
    each.pop("a path" if "text" in each else "", None)
    return " or ".join(each)


def _collection(origin: Any, inner: Sequence[Any]) -> str:
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {in_words(inner[0])}" if inner and inner[0] is not Any else "a list"
    return "a mapping" if isinstance(origin, type) and origin is not Any else "a value"


# complex: one kind of slip a line
def cure(value: Any, kind: Any) -> str:
    """Return ``; write …`` where it is plain how a value of another type is to be written."""
    words = in_words(kind)
    if isinstance(value, str):
        if "a list" in words:
            return f"; write [{value}]"
        if "number" in words and (size := _SIZE.fullmatch(value.strip())):
            return f"; write {float(size[1]) * _UNITS[size[2].lower()]:.15g}"
        truth = _TRUTHS.get(value.lower()) if "true" in words else None
        return f"; write {truth}, without quotes" if truth else ""
    if not ("text" in words or words.startswith("one of")):
        return ""
    if isinstance(value, bool):
        return "; YAML reads the bare words yes, no, on and off as true or false: put it in quotes"
    return "; put it in quotes" if isinstance(value, int | float | date) else ""


def _level(value: int | str) -> int:
    known = logging.getLevelNamesMapping()
    return known[_one_of(value, known)] if isinstance(value, str) else value


def _level_name(value: str) -> str:
    return _one_of(value, [name for name, number in logging.getLevelNamesMapping().items() if number])


def _one_of(value: str, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"is no level; possible are {', '.join(known)}{meant(value, known)}")
    return value


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names or not all(names):
        raise ValueError
    return names


def _encoding(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError(f"is no encoding{meant(name, ('utf-8', 'ascii', 'latin-1', 'cp1252'), 0.5)}") from None
    if not info._is_text_encoding:
        raise ValueError("is no encoding of text")
    return name


def _on_unencodable(name: str) -> str:
    try:
        codecs.lookup_error(name)
    except (LookupError, ValueError):
        known = ("strict", "ignore", "replace", "backslashreplace", "xmlcharrefreplace", "namereplace")
        raise ValueError(f"says nothing; possible are {', '.join(known)}{meant(name, known)}") from None
    return name


def _permissions(value: int | str) -> int:
    """Return permissions given as a number, or as text of octal digits, which YAML's readers do not agree on."""
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        mode = -1
    # A file that its owner cannot read and write, or that can be executed or written blindly, nobody wants:
    # it is how 640 or 400 without the leading zero look.
    if mode not in _MODES:
        octal = f", which is {mode:#o}," if isinstance(value, int) and mode >= 0 else ""
        raise ValueError(f"{octal} is not {_MODE}".lstrip())
    return mode


Level = Annotated[int | str, Via(_level, "a level")]
"""A logging level by name or number, read as the number."""
LevelName = Annotated[str, Via(_level_name)]
"""What a severity can be: the name of a level above NOTSET."""
Port = Annotated[int, Range(1, 65535)]
Count = Annotated[int, Range(0)]
Size = Annotated[int, Range(0, unit="bytes")]
Seconds = Annotated[float, Range(0, unit="seconds")]
Number = Annotated[float, Range(0)]
Names = Annotated[str | Sequence[str], Via(_names, "a name or a list of names")]
"""One name or several, read as a tuple; at least one, none of them empty."""
Encoding = Annotated[str, Via(_encoding)]
OnUnencodable = Annotated[str, Via(_on_unencodable)]
"""What becomes of characters that an encoding has not: ``errors`` of :func:`open`."""
FileMode = Annotated[int | str, Via(_permissions, _MODE)]
"""Permissions of a file that its owner can read and write, read as the number."""
