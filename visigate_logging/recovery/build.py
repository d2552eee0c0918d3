"""Dataclasses made from the mappings of the configuration, with errors that name the key."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from visigate_logging.exceptions import ConfigurationError

__all__ = ["build"]

T = TypeVar("T")


def build(cls: type[T], values: Any, key: str) -> T:
    """An instance of the dataclass ``cls`` with the parameters that ``values`` has, converted by the fields' types.

    A type with a class method ``from_config(value, key)`` converts itself. For a wrong value ``__post_init__`` raises
    ``ConfigurationError`` with the parameter as its key, or ``ValueError`` for the whole.

    Args:
        cls: a dataclass.
        values: the mapping from YAML or JSON; None counts as empty.
        key: where it stands in the configuration.

    Raises:
        ConfigurationError: an unknown or missing key, a value of the wrong type, a negative number.
    """
    if not isinstance(values, Mapping | None):
        raise ConfigurationError(key, f"{values!r} is not a mapping of names to values")
    given = values or {}
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]  # the caller gives a dataclass
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{key}.{name}", f"is not known; possible are {', '.join(known)}")
    for name, field in known.items():
        if field.default is MISSING and field.default_factory is MISSING and name not in given:
            raise ConfigurationError(f"{key}.{name}", "is missing and has no default")
    hints = get_type_hints(cls)
    converted = {name: _convert(value, hints[name], f"{key}.{name}") for name, value in given.items()}
    try:
        return cls(**converted)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}.{error.key}", error.problem) from error
    except ValueError as error:
        raise ConfigurationError(key, str(error)) from error


def _convert(value: Any, kind: Any, key: str) -> Any:
    if get_origin(kind) is tuple:
        return _several(value, get_args(kind)[0], key)
    if get_origin(kind) is not None and type(None) in get_args(kind):
        kind = get_args(kind)[0]
    if hasattr(kind, "from_config"):
        return kind.from_config(value, key)
    if is_dataclass(kind):
        return build(kind, value, key)  # type: ignore[arg-type]  # a class, not an instance
    return _SIMPLE[get_origin(kind) or kind](value, key)


def _several(value: Any, kind: Any, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigurationError(key, f"{value!r} is not a list; write [first, second]")
    return tuple(_convert(one, kind, f"{key}.{i}") for i, one in enumerate(value))


def _float(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ConfigurationError(key, f"{value!r} is not a number of 0 or more")
    return float(value)


def _int(value: Any, key: str) -> int:
    if _float(value, key) != int(value):
        raise ConfigurationError(key, f"{value!r} is not a whole number")
    return int(value)


def _bool(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(key, f"{value!r} is neither true nor false")
    return value


def _str(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(key, f"{value!r} is not a string; put it in quotes")
    return value


def _pattern(value: Any, key: str) -> re.Pattern[str]:
    try:
        return re.compile(_str(value, key))
    except re.error as error:
        raise ConfigurationError(key, f"is not a regular expression: {error}") from error


_SIMPLE: dict[Any, Callable[[Any, str], Any]] = {
    float: _float,
    int: _int,
    bool: _bool,
    str: _str,
    re.Pattern: _pattern,
}
