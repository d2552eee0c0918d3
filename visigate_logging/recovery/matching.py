"""Which procedure an error calls for."""

import errno
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from visigate_logging.detail.causes import led_to
from visigate_logging.detail.codes import code_told
from visigate_logging.detail.conditions import status_of
from visigate_logging.detail.lookup import class_named
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.written import WrittenException
from visigate_logging.recovery.procedures import Procedure


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
    """Return the exception, then what it was caused by or wraps, nearest first."""
    return tuple(
        Link(_names(type(e)), _codes(e))  # type: ignore[arg-type]  # classes are hashable; mypy looks at instances
        for e in led_to(error)
    )


def _attribute(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001 -- a hostile property may raise anything
        return None


@lru_cache(maxsize=512)
def _names(kind: type[BaseException]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset((k.__name__, f"{k.__module__}.{k.__qualname__}")) for k in kind.__mro__)


def _codes(error: BaseException) -> dict[str, int]:
    sqlite = _attribute(error, "sqlite_errorcode") or _attribute(error, "extendedresult")  # apsw has the latter
    found = {"sqlite": sqlite, "errno": _attribute(error, "errno"), "http": status_of((error,), ())}
    return {name: code for name, code in found.items() if isinstance(code, int)}


def written_chain(found: Iterable[WrittenException]) -> tuple[Link, ...]:
    """Return the chain of a record that has it as text: base classes as far as loaded here, codes as far as told."""
    return tuple(Link(_names(e.kind), _numbers(e.code)) for e in found)  # type: ignore[arg-type]  # as above


def detail_chain(detail: ErrorDetail) -> tuple[Link, ...]:
    """Return the chain of a record that came with its detail, from another process or through a queue; as above."""
    kinds = [(class_named(f"{e.module}.{e.type}".removeprefix("builtins.")), e.message) for e in detail.exceptions]
    return tuple(Link(_names(k), _numbers(code_told(k, m))) for k, m in kinds)  # type: ignore[arg-type]  # as above


def _numbers(code: str) -> dict[str, int]:
    kind, _, status = code.partition(" ")
    if kind == "HTTP":
        return {"http": int(status)}
    found = {"sqlite": getattr(sys.modules.get("sqlite3"), code, None), "errno": getattr(errno, code, None)}
    return {name: number for name, number in found.items() if isinstance(number, int)}


def codes_of(chain: Iterable[Link]) -> dict[str, int]:
    """Return the error numbers of a chain; of each kind the one nearest to what was logged."""
    codes: dict[str, int] = {}
    for link in chain:
        codes = {**link.codes, **codes}
    return codes


def choose(
    procedures: Sequence[Procedure], chain: Sequence[Link], record: logging.LogRecord, codes: Mapping[str, int]
) -> Procedure | None:
    """Return the procedure whose exception class is nearest to one of the chain, and whose conditions hold.

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
