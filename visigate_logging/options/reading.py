"""Read values as annotations want them, and note all that is wrong with them."""

import dataclasses
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options.faults import Fault, KeyPath, meant, path_of, possible
from visigate_logging.options.kinds import SIMPLE, Via, cure, in_words

Function = TypeVar("Function", bound=Callable[..., Any])
T = TypeVar("T")
Faults = list[Fault]


class _FaultError(ConfigurationError):  # here: for all others it is what it derives from
    """A fault on its way up, so that whoever knows the file can show the value as it is written there."""

    def __init__(self, fault: Fault, others: Sequence[ConfigurationError] = ()) -> None:
        super().__init__(".".join(map(str, fault.path)), fault.told(), others)
        self.fault = fault

    def __reduce__(self) -> tuple[Any, ...]:
        return ConfigurationError, (self.key, self.problem, self.others)


def checked(init: Function) -> Function:
    """Let a constructor be given only what its annotations allow, converted as they say; its defaults too.

    What is wrong is raised together, as a `ConfigurationError`: its ``key`` is that of the first mistake, and
    ``others`` has the rest.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def checked_init(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        hints = hints_of(init)
        faults: Faults = []
        for name, value in bound.arguments.items():
            if name in hints:
                bound.arguments[name] = _read(value, hints[name], (name,), faults)
        if faults:
            raise error_of(faults)
        return init(*bound.args, **bound.kwargs)

    return typing.cast(Function, checked_init)


@functools.lru_cache(maxsize=256)
def hints_of(owner: Any) -> Mapping[str, Any]:
    """Return the annotations of a function or class; none when they exist for type checkers only."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:  # noqa: BLE001 -- an annotation may hold anything
        return {}


def read(value: Any, kind: Any, path: KeyPath = ()) -> tuple[Any, Faults]:
    """Return a value as an annotation wants it, and all that is wrong with it.

    Args:
        value: as YAML gives it.
        kind: the annotation; types that YAML has not are not judged.
        path: where the value stands.
    """
    faults: Faults = []
    return _read(value, kind, path, faults), faults


def build(kind: type[T], values: Any, key: str = "") -> T:
    """Make a dataclass from a mapping of its fields.

    Args:
        kind: the dataclass.
        values: as YAML or JSON gives them; None counts as empty.
        key: where they stand.

    Raises:
        ConfigurationError: they cannot be; the others are in ``others``.
    """
    made, faults = read({} if values is None else values, kind, path_of(key))
    if faults:
        raise error_of(faults)
    return typing.cast(T, made)


def error_of(faults: Sequence[Fault]) -> ConfigurationError:
    """Return the exception that tells of all that is wrong."""
    first, *others = [_FaultError(fault) for fault in faults]
    return _FaultError(faults[0], others) if others else first


def faults_of(error: ConfigurationError, path: KeyPath = ()) -> Faults:
    """Return what an exception says is wrong, where ``path`` is the place of what raised it."""
    found = [
        one.fault if isinstance(one, _FaultError) else Fault(path_of(one.key), one.problem) for one in _all(error)
    ]
    return [dataclasses.replace(fault, path=(*path, *fault.path)) for fault in found]


def _all(error: ConfigurationError) -> list[ConfigurationError]:
    return [error, *error.others]


def _read(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    origin = typing.get_origin(kind) or kind
    if special := _SPECIAL.get(origin):
        return special(value, kind, path, faults)
    if not isinstance(origin, type):
        return value
    if dataclasses.is_dataclass(origin):
        return _read_dataclass(value, origin, path, faults)
    if issubclass(origin, Mapping):
        return _read_mapping(value, kind, path, faults)
    return _read_sequence(value, kind, path, faults) if issubclass(origin, Sequence) else value


def _refuse(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    """Note that a value is of another type than it should be."""
    faults.append(Fault(path, f"is not {in_words(kind)}{cure(value, kind)}", value, is_shape=True))
    return value


def _read_simple(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    base = typing.get_origin(kind) or kind
    does_fit = isinstance(value, SIMPLE[base].classes)
    if not does_fit or (isinstance(value, bool) and base in (int, float)):
        return _refuse(value, kind, path, faults)
    if base is float and not math.isfinite(value):
        faults.append(Fault(path, "is not a finite number", value))
    return value


def _read_literal(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    choices = typing.get_args(kind)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    if type(value) not in map(type, choices):
        return _refuse(value, kind, path, faults)
    near = meant(value, choices) if isinstance(value, str) else ""
    faults.append(Fault(path, f"is not {in_words(kind)}{near}", value))
    return value


# complex: the nearest of several choices
def _read_union(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    choices, nearest = typing.get_args(kind), Faults()
    if any(map(dataclasses.is_dataclass, choices)):  # a mapping beside it is there for those who call with one
        choices = tuple(c for c in choices if (typing.get_origin(c) or c) is not Mapping)
    for choice in choices:
        result, own = read(value, choice, path)
        if not own:
            return result
        if not nearest and not (own[0].is_shape and own[0].path == path):
            nearest = own
    faults += nearest
    return value if nearest else _refuse(value, kind, path, faults)


def _read_annotated(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    base, *wishes = typing.get_args(kind)
    is_raw = any(isinstance(wish, Via) and wish.raw for wish in wishes)
    result, own = read(value, Any if is_raw else base, path)
    if own and own[0].is_shape and own[0].path == path:
        return _refuse(value, kind, path, faults)
    for wish in filter(callable, wishes):
        if not own:
            result = _try(wish, result, kind, path, own, met=value)
    faults += own
    return result


def _try(make: Callable[[Any], Any], value: Any, kind: Any, path: KeyPath, faults: Faults, met: Any) -> Any:
    try:
        return make(value)
    except ConfigurationError as error:
        faults += faults_of(error, path)
    except ValueError as error:
        faults.append(Fault(path, str(error) or f"is not {in_words(kind)}", met))
    return value


def _read_pattern(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    if not isinstance(value, str):
        return value if isinstance(value, re.Pattern) else _refuse(value, kind, path, faults)
    try:
        return re.compile(value)
    except re.error as error:
        faults.append(Fault(path, f"is not a regular expression: {error}", value))
        return value


def _read_mapping(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    inner = typing.get_args(kind)
    if not isinstance(value, Mapping):
        return _refuse(value, kind, path, faults)
    return {name: _read(one, inner[1], (*path, name), faults) for name, one in value.items()} if inner else value


def _read_sequence(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    inner = typing.get_args(kind)
    is_pair = typing.get_origin(kind) is tuple and inner[-1:] != (...,)
    if not isinstance(value, list | tuple) or (is_pair and len(value) != len(inner)):
        return _refuse(value, kind, path, faults)
    if not inner:
        return value
    return tuple(_read(one, inner[i if is_pair else 0], (*path, i), faults) for i, one in enumerate(value))


def _read_dataclass(value: Any, kind: Any, path: KeyPath, faults: Faults) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        return _refuse(value, kind, path, faults)
    known, hints = {f.name: f for f in dataclasses.fields(kind) if f.init}, hints_of(kind)
    own = _wrong_names(value, known, path)
    given = {name: _read(one, hints[name], (*path, name), own) for name, one in value.items() if name in known}
    result = value if own else _try(lambda values: kind(**values), given, kind, path, own, met=value)
    faults += own
    return result


def _wrong_names(value: Mapping[Any, Any], known: Mapping[str, Any], path: KeyPath) -> Faults:
    others = [name for name in value if name not in known]
    own = [Fault((*path, name), f"is not known{possible(name, known)}") for name in others]
    for name, field in known.items():
        is_needed = field.default is field.default_factory is dataclasses.MISSING
        if is_needed and name not in value and not any(meant(other, [name]) for other in others):
            own.append(Fault((*path, name), "is missing, which has no default"))
    return own


_SPECIAL: dict[Any, Callable[[Any, Any, KeyPath, Faults], Any]] = {
    **dict.fromkeys(SIMPLE, _read_simple),
    Annotated: _read_annotated,
    typing.Union: _read_union,
    types.UnionType: _read_union,
    typing.Literal: _read_literal,
    re.Pattern: _read_pattern,
}
