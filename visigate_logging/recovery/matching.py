"""Which procedure an error calls for."""

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from visigate_logging.detail.causes import led_to
from visigate_logging.detail.conditions import status_of
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.recovery.procedures import Procedure

__all__ = ["Link", "chain_of", "choose", "codes_of", "detail_chain"]


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain, without its traceback.

    Args:
        names: the class's names, plain and dotted, then those of the class it derives from, and so on.
        codes: the error numbers it carries.
    """

    names: tuple[frozenset[str], ...]
    codes: Mapping[str, int]


def chain_of(error: BaseException) -> tuple[Link, ...]:
    """The exception, then what it was caused by or wraps, nearest first."""
    return tuple(
        Link(_names(type(e)), _codes(e))  # type: ignore[arg-type]  # classes are hashable; mypy looks at instances
        for e in led_to(error)
    )


def _attribute(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except BaseException:  # a hostile property may raise anything
        return None


@lru_cache(maxsize=512)
def _names(kind: type[BaseException]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset((k.__name__, f"{k.__module__}.{k.__qualname__}")) for k in kind.__mro__)


def _codes(error: BaseException) -> dict[str, int]:
    sqlite = _attribute(error, "sqlite_errorcode") or _attribute(error, "extendedresult")  # apsw has the latter
    found = {"sqlite": sqlite, "errno": _attribute(error, "errno"), "http": status_of((error,), ())}
    return {name: code for name, code in found.items() if isinstance(code, int)}


def detail_chain(detail: ErrorDetail) -> tuple[Link, ...]:
    """What is left of the chain when the record came through a queue: names alone, and no codes.

    A class of a module that is loaded here is known with its base classes.
    """
    return tuple(Link(_names_of(e.module, e.type), {}) for e in detail.exceptions)


def _names_of(module: str, name: str) -> tuple[frozenset[str], ...]:
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    if isinstance(found, type) and issubclass(found, BaseException):
        return _names(found)  # type: ignore[arg-type]  # as above
    return (frozenset((name, f"{module}.{name}")),)


def codes_of(chain: Iterable[Link]) -> dict[str, int]:
    """The error numbers of a chain; of each kind the one nearest to what was logged."""
    codes: dict[str, int] = {}
    for link in chain:
        codes = {**link.codes, **codes}
    return codes


def choose(
    procedures: Sequence[Procedure], chain: Sequence[Link], record: logging.LogRecord, codes: Mapping[str, int]
) -> Procedure | None:
    """The procedure whose exception class is nearest to one of the chain, and whose conditions hold.

    Those that name no class come last: their message decides.
    """
    found = [
        (distance, depth, order)
        for depth, link in enumerate(chain)
        for distance, names in enumerate(link.names)
        for order, procedure in enumerate(procedures)
        if not names.isdisjoint(procedure.exceptions)
    ]
    found = sorted(found) + [(0, 0, order) for order, one in enumerate(procedures) if not one.exceptions]
    for _distance, _depth, order in found:
        if procedures[order].concerns(record, codes):
            return procedures[order]
    return None
