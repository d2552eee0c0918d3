"""What a class can be given: names, types and defaults, from its constructor, so that nothing is written twice."""

import inspect
import os
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visigate_logging.config.standard import STANDARD
from visigate_logging.options import hints_of

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One thing that can be given; ``kind`` is its type, Any when nothing says."""

    name: str
    kind: Any = Any
    default: Any = EMPTY

    @property
    def required(self) -> bool:
        """Return whether it must be given."""
        return self.default is EMPTY

    @property
    def is_path(self) -> bool:
        """Return whether it is a path."""
        kinds = (self.kind, *typing.get_args(self.kind))
        return self.name == "filename" or os.PathLike in {typing.get_origin(kind) or kind for kind in kinds}


@dataclass(frozen=True)
class Signature:
    """What can be given by name; with ``anything``, other names too."""

    parameters: Mapping[str, Parameter]
    anything: bool = False


def signature(factory: Callable[..., Any]) -> Signature:
    """Return the named parameters of a class or function.

    A constructor that hands ``**kwargs`` on takes what the next class above it takes; one of another package may keep
    some for itself.
    """
    found: dict[str, Parameter] = {}
    keeps = False
    for function, owner in _constructors(factory):
        try:
            own = inspect.signature(function).parameters
        except (TypeError, ValueError):  # written in C without a text signature
            return Signature(found, anything=True)
        for parameter in _named(function, owner, own):
            found.setdefault(parameter.name, parameter)
        if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
            return Signature(found, anything=keeps)
        keeps = keeps or not str(function.__module__).startswith(("visigate_logging.", "logging"))
    return Signature(found, anything=True)


def _named(function: Any, owner: Any, own: Mapping[str, inspect.Parameter]) -> Iterator[Parameter]:
    hints = hints_of(function)
    for name, parameter in own.items():
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self":
            kind = hints.get(name) or _of_standard(owner, name) or _guessed(parameter.default)
            yield Parameter(name, kind, parameter.default)


def _constructors(factory: Callable[..., Any]) -> list[tuple[Callable[..., Any], Any]]:
    if not isinstance(factory, type):
        return [(factory, None)]
    return [(vars(c)["__init__"], c) for c in factory.__mro__ if "__init__" in vars(c) and c is not object] or [
        (lambda: None, factory)
    ]


def _of_standard(owner: Any, name: str) -> Any:
    """Return what the standard library's class takes by that name, of which this one is a subclass."""
    return next(filter(None, (STANDARD.get((base, name)) for base in getattr(owner, "__mro__", ()))), None)


def _guessed(default: Any) -> Any:
    """Return the type of a parameter without annotation, from its default."""
    if isinstance(default, bool | str):
        return type(default)
    return float if isinstance(default, int | float) else Any
