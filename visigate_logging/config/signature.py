"""What a class can be given: names, types and defaults, from its constructor, so that nothing is written twice."""

import inspect
import logging.handlers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from visigate_logging.options import Writable, hints_of

__all__ = ["EMPTY", "Parameter", "Signature", "signature"]

EMPTY = inspect.Parameter.empty


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
        """Return whether it must be given."""
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
        hints = hints_of(function)
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


def _guessed(default: Any) -> Any:
    """The type of a parameter without annotation, from its default."""
    if isinstance(default, bool | str):
        return type(default)
    return float if isinstance(default, int | float) else Any
