"""Whether one formatter, filter or handler can be as it is written: its class, the names and types of its values."""

import logging
import logging.handlers
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from visigate_logging.config.formats import check_format
from visigate_logging.config.references import followed, resolved
from visigate_logging.config.signature import Parameter, Signature, signature
from visigate_logging.config.source import Source, is_reference, leaves
from visigate_logging.config.standard import STYLE
from visigate_logging.options import meant, possible, read
from visigate_logging.options.faults import KeyPath

OWN_KEYS: dict[str, dict[str, Any]] = {
    "handlers": {"()": Any, "class": Any, "level": int | str, "formatter": str, "filters": list, ".": Mapping},
    "formatters": {"()": Any, ".": Mapping},
    "filters": {"()": Any, ".": Mapping},
}
"""What ``dictConfig`` itself takes from the mapping of an object; what makes it, `resolved` looks at."""
_FORMATTER: dict[str, Any] = {
    "class": Any,
    "format": str | None,
    "datefmt": str | None,
    "style": STYLE,
    "validate": bool,
    ".": Mapping,
}
_FILTER: dict[str, Any] = {"name": str, ".": Mapping}
_SURE = 0.8
"""How alike a name must be to a known one, from 0 to 1, to be taken for a slip of the pen where others may be."""
_NOTHING = Signature({})
_QUEUE = {"queue": Any, "listener": Any, "handlers": list, "respect_handler_level": bool}
if sys.version_info >= (3, 12):
    _FORMATTER["defaults"] = Mapping


@dataclass(frozen=True)
class Object:
    """One formatter, filter or handler of a configuration, with what makes it."""

    key: KeyPath
    given: Mapping[str, Any]
    factory: Callable[..., Any]
    parameters: Mapping[str, Parameter]

    @property
    def is_ours(self) -> bool:
        """Return whether its class is this package's."""
        return str(getattr(self.factory, "__module__", "")).startswith("visigate_logging.")

    def makes(self, kind: type) -> bool:
        """Return whether what is made is of a class."""
        return isinstance(self.factory, type) and issubclass(self.factory, kind)

    def is_called(self, name: str) -> bool:
        """Return whether what is made is of the class of a dotted name, which need not be imported for that."""
        bases = getattr(self.factory, "__mro__", ())
        return any(f"{base.__module__}.{base.__qualname__}" == name for base in bases)

    def arguments(self) -> Iterator[tuple[Parameter, Any]]:
        """Yield what the constructor is given."""
        return ((p, self.given[name]) for name, p in self.parameters.items() if name in self.given)

    def texts(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield the texts that the constructor is given, at any depth."""
        for parameter, value in self.arguments():
            found = leaves((*self.key, parameter.name), value)
            yield from ((key, text) for key, text in found if isinstance(text, str))

    def paths(self) -> Iterator[tuple[KeyPath, str, bool]]:
        """Yield the paths that the constructor is given, and whether each is of a directory."""
        for parameter, value in self.arguments():
            if parameter.is_path and isinstance(value, str) and not is_reference(value):
                yield (*self.key, parameter.name), value, parameter.name.endswith("_dir")


@dataclass(frozen=True)
class _Maker:
    """What makes an object, with the keys that ``dictConfig`` takes and those that the constructor does."""

    factory: Callable[..., Any]
    own: Mapping[str, Any]
    taken: Signature


def check_object(source: Source, key: KeyPath, given: Any) -> Object | None:
    """Note what is wrong with one object; None when it is not known what makes it."""
    if is_reference(given):
        given = followed(source, key, given)
        if given is None:
            return None
    if not isinstance(given, Mapping):
        source.add(key, f"a mapping is wanted, met {source.shown(key, given)}")
        return None
    maker = _maker(source, key, given)
    if maker is None:
        return None
    _check_names(source, key, given, maker)
    kinds = {name: parameter.kind for name, parameter in maker.taken.parameters.items()} | dict(maker.own)
    for name, value in given.items():
        check_value(source, (*key, name), value, kinds.get(name, Any))
    made = Object(key, given, maker.factory, maker.taken.parameters)
    if key[0] == "formatters":
        _check_format(source, made)
    return made


def check_value(source: Source, key: KeyPath, value: Any, kind: Any) -> Any:
    """Return a value, or what it refers to; None, and what is wrong is noted, when it cannot be of a type."""
    if is_reference(value):
        value = followed(source, key, value)
        if value is None:
            return None
    faults = read(value, kind, key)[1]
    for fault in faults:
        source.add_fault(fault)
    return None if faults else value


def _maker(source: Source, key: KeyPath, given: Mapping[str, Any]) -> _Maker | None:
    section = str(key[0])
    if section == "handlers" or "()" in given:
        factory = _factory(source, key, given)
        return _Maker(factory, OWN_KEYS[section], _taken(factory, given)) if factory else None
    if section == "filters":
        return _Maker(logging.Filter, _FILTER, _NOTHING)
    named = given.get("class")
    factory = resolved(source, (*key, "class"), named) if named else logging.Formatter
    return _Maker(factory, _FORMATTER, _NOTHING) if factory else None


def _factory(source: Source, key: KeyPath, given: Mapping[str, Any]) -> Callable[..., Any] | None:
    name = "()" if "()" in given else "class"
    if name not in given:
        near = [other for other in given if meant(other, ["class"])]
        source.add((*key, *near[:1]), "is not known; did you mean class?" if near else "class is missing")
        return None
    factory = resolved(source, (*key, name), given[name])
    if isinstance(factory, type) and key[0] == "handlers" and not issubclass(factory, logging.Handler):
        source.add((*key, name), f"{given[name]} is no logging.Handler")
        return None
    return factory


def _taken(factory: Callable[..., Any], given: Mapping[str, Any]) -> Signature:
    """Return what a constructor takes from ``dictConfig``, which hands some names on in its own way."""
    found = signature(factory)
    parameters = dict(found.parameters)
    is_queue = isinstance(factory, type) and issubclass(factory, logging.handlers.QueueHandler)
    if is_queue and sys.version_info >= (3, 12):
        parameters |= {name: Parameter(name, kind, None) for name, kind in _QUEUE.items()}
    if "format" in given and "format" not in parameters and "fmt" in parameters:
        parameters["format"] = replace(parameters.pop("fmt"), name="format")
    return Signature(parameters, found.anything)


# complex: each name that is given, and each that is not
def _check_names(source: Source, key: KeyPath, given: Mapping[str, Any], maker: _Maker) -> None:
    known = [*maker.own, *maker.taken.parameters]
    for name in given:
        may_be = maker.taken.anything and str(name).isidentifier() and not meant(name, known, _SURE)
        if name not in known and not may_be:
            source.add((*key, str(name)), f"is not known{space_hint(name) or possible(name, known)}")
    missing = [name for name, one in maker.taken.parameters.items() if one.required and name not in given]
    misspelt = [name for name in given if name not in known]
    for name in missing:
        if not any(meant(other, [name]) for other in misspelt):
            source.add(key, f"{name} is missing, which has no default")


def space_hint(name: object) -> str:
    """Return what to write for a key that has swallowed its value: ``level:INFO``."""
    head, colon, rest = str(name).partition(":")
    return f"; write a space behind the colon: {head}: {rest}" if colon and rest else ""


def _check_format(source: Source, made: Object) -> None:
    """Try the format on a record, where the class leaves that to :class:`logging.Formatter`."""
    name = "fmt" if "fmt" in made.given else "format"
    text, style = made.given.get(name), made.given.get("style", "%")
    if not isinstance(text, str) or style not in ("%", "{", "$") or not made.makes(logging.Formatter):
        return
    for problem, severity in check_format(text, style, validate=made.given.get("validate", True) is True):
        source.add((*made.key, name), problem, severity)
    datefmt = made.given.get("datefmt")
    if isinstance(datefmt, str) and "%f" in datefmt:
        source.add((*made.key, "datefmt"), "%f is written as it is: use %(msecs)03d in the format", "warning")
