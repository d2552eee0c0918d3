"""What a class can be given: names, types and defaults, from its constructor, so that nothing is written twice."""

import inspect
import logging.handlers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SIMPLE", "Parameter", "Signature", "fits", "in_words", "signature"]

EMPTY = inspect.Parameter.empty


@typing.runtime_checkable
class Writable(typing.Protocol):
    """What a StreamHandler writes to."""

    def write(self, text: str, /) -> object:
        """Write a text."""


class Simple(typing.NamedTuple):
    """A type that YAML has: the classes of its values, its name for people, and that of JSON Schema."""

    classes: tuple[type, ...]
    words: str
    json: str


SIMPLE: dict[Any, Simple] = {
    bool: Simple((bool,), "true or false", "boolean"),
    int: Simple((int,), "a whole number", "integer"),
    float: Simple((int, float), "a number", "number"),
    str: Simple((str,), "text", "string"),
    os.PathLike: Simple((str,), "a path", "string"),
    Writable: Simple((Writable,), "a stream, such as ext://sys.stdout", "string"),
    type(None): Simple((type(None),), "null", "null"),
}
# What the standard library's defaults do not tell: names are taken as well as numbers; what a stream is.
_UNTOLD: dict[tuple[type, str], Any] = {
    (logging.handlers.SysLogHandler, "facility"): int | str,
    (logging.handlers.MemoryHandler, "flushLevel"): int | str,
    (logging.StreamHandler, "stream"): Writable | None,
}


@dataclass(frozen=True)
class Parameter:
    """One thing that can be given; ``kind`` is its type, Any when nothing says."""

    name: str
    kind: Any = Any
    default: Any = EMPTY

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is EMPTY


@dataclass(frozen=True)
class Signature:
    """What can be given by name; with ``anything``, other names too."""

    parameters: Mapping[str, Parameter]
    anything: bool = False


def signature(factory: Callable[..., Any]) -> Signature:
    """The named parameters of a class or function.

    A constructor that hands ``**kwargs`` on takes what the next class above it takes.
    """
    found: dict[str, Parameter] = {}
    for function, owner in _constructors(factory):
        try:
            own = inspect.signature(function).parameters
        except (TypeError, ValueError):  # written in C without a text signature
            return Signature(found, anything=True)
        hints = _hints(function)
        for name, parameter in own.items():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self":
                kind = _UNTOLD.get((owner, name)) or hints.get(name, _guessed(parameter.default))
                found.setdefault(name, Parameter(name, kind, parameter.default))
        if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
            return Signature(found)
    return Signature(found, anything=True)


def _constructors(factory: Callable[..., Any]) -> list[tuple[Callable[..., Any], Any]]:
    if not isinstance(factory, type):
        return [(factory, None)]
    return [(vars(c)["__init__"], c) for c in factory.__mro__ if "__init__" in vars(c) and c is not object] or [
        (lambda: None, factory)
    ]


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that exists for type checkers only, or anything else that an annotation may hold
        return {}


def _guessed(default: Any) -> Any:
    """The type of a parameter without annotation, from its default."""
    if isinstance(default, bool | str):
        return type(default)
    return float if isinstance(default, int | float) else Any


def fits(value: Any, kind: Any) -> bool:
    """Whether a value from YAML can be of a type; types that YAML cannot have are not judged."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, k) for k in inner)
    if origin is typing.Literal:
        return any(value == k and type(value) is type(k) for k in inner)
    if simple := SIMPLE.get(origin or kind):
        return isinstance(value, simple.classes) and (kind is bool or not isinstance(value, bool))
    if not isinstance(origin or kind, type):
        return True
    return _fits_collection(value, origin or kind, inner)


def _fits_collection(value: Any, kind: type, inner: tuple[Any, ...]) -> bool:
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping) and all(fits(v, inner[1]) for v in value.values() if len(inner) == 2)
    if not issubclass(kind, Sequence | set | frozenset):
        return True
    if (
        isinstance(value, str) and kind is not list
    ):  # a sequence of its characters: constructors say whether they take one
        return not inner or inner[0] is str
    if kind is tuple and inner and Ellipsis not in inner:
        return isinstance(value, list | tuple) and len(value) == len(inner) and all(map(fits, value, inner))
    return isinstance(value, list | tuple) and all(fits(v, inner[0]) for v in value if inner)


def in_words(kind: Any) -> str:
    """What a type takes, for people."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        words = dict.fromkeys(in_words(k) for k in inner)
        words.pop("a path" if "text" in words else "", None)
        return " or ".join(words)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    base = origin or kind
    if base in SIMPLE:
        return SIMPLE[base].words
    if isinstance(base, type) and issubclass(base, Mapping):
        return "a mapping"
    if isinstance(base, type) and issubclass(base, Sequence):
        return f"a list of {in_words(inner[0])}" if inner and inner[0] is not Any else "a list"
    return "a value"
