"""Whether one formatter, filter or handler can be as it is written: its class, the names and types of its values."""

import logging
import logging.config
import logging.handlers
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from visigate_logging.config.load import KeyPath, Source
from visigate_logging.config.signature import Parameter, Signature, signature
from visigate_logging.options import meant, possible, read

__all__ = ["OWN_KEYS", "Object", "check_object", "check_value", "is_reference"]

OWN_KEYS: dict[str, dict[str, Any]] = {
    "handlers": {"()": str, "class": str, "level": int | str, "formatter": str, "filters": list, ".": Mapping},
    "formatters": {"()": str, ".": Mapping},
    "filters": {"()": str, ".": Mapping},
}
_FORMATTER: dict[str, Any] = {
    "class": str,
    "format": str | None,
    "datefmt": str | None,
    "style": str,
    "validate": bool,
}
_FILTER: dict[str, Any] = {"name": str}
_QUEUE = {"queue": Any, "listener": Any, "handlers": list, "respect_handler_level": bool}
_HOMES = ("logging", "logging.handlers", "visigate_logging", "pythonjsonlogger.json", "pythonjsonlogger.orjson")
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
        """Whether its class is this package's."""
        return str(getattr(self.factory, "__module__", "")).startswith("visigate_logging.")

    def makes(self, kind: type) -> bool:
        """Whether what is made is of a class."""
        return isinstance(self.factory, type) and issubclass(self.factory, kind)

    def is_called(self, name: str) -> bool:
        """Whether what is made is of the class of a dotted name, which need not be imported for that."""
        bases = getattr(self.factory, "__mro__", ())
        return any(f"{base.__module__}.{base.__qualname__}" == name for base in bases)

    def arguments(self) -> Iterator[tuple[Parameter, Any]]:
        """What the constructor is given."""
        return ((p, self.given[name]) for name, p in self.parameters.items() if name in self.given)


def check_object(source: Source, key: KeyPath, given: Any) -> Object | None:
    """Note what is wrong with one object; None when it is not known what makes it."""
    section = str(key[0])
    factory: Callable[..., Any] | None
    if not isinstance(given, Mapping):
        source.add(key, f"a mapping is wanted, met {given!r}")
        return None
    own, taken = OWN_KEYS[section], Signature({})
    if section == "handlers" or "()" in given:
        factory = _factory(source, key, given)
        taken = _taken(factory) if factory else taken
    elif section == "formatters":
        own = _FORMATTER
        factory = _resolved(source, key, given, "class") if given.get("class") else logging.Formatter
    else:
        own, factory = _FILTER, logging.Filter
    if factory is None:
        return None
    _check_names(source, key, given, own, taken)
    for name, kind in own.items():
        if name in given:
            check_value(source, (*key, name), given[name], kind)
    for name, parameter in taken.parameters.items():
        if name in given and name not in own:
            check_value(source, (*key, name), given[name], parameter.kind)
    return Object(key, given, factory, taken.parameters)


def check_value(source: Source, key: KeyPath, value: Any, kind: Any) -> Any:
    """The value, or what it refers to; None, and what is wrong is noted, when it cannot be of a type."""
    if is_reference(value):
        value = _followed(source, key, value)
        if value is None:
            return None
    faults = read(value, kind, key)[1]
    for fault in faults:
        source.add_fault(fault)
    return None if faults else value


def _followed(source: Source, key: KeyPath, reference: str) -> Any:
    scheme, _, name = reference.partition("://")
    if scheme == "ext":
        return _import(source, key, name)
    try:
        return logging.config.BaseConfigurator(dict(source.values)).cfg_convert(name)
    except Exception as error:  # as many kinds as there are ways to misspell it
        source.add(key, f"{reference} leads nowhere: {error!r}")
        return None


def is_reference(value: Any) -> bool:
    """Whether a value is ``ext://…`` or ``cfg://…``, which ``dictConfig`` resolves."""
    return isinstance(value, str) and value.startswith(("ext://", "cfg://"))


def _check_names(
    source: Source, key: KeyPath, given: Mapping[str, Any], own: Mapping[str, Any], taken: Signature
) -> None:
    for name in given:
        if name not in own and name not in taken.parameters and not (taken.anything and str(name).isidentifier()):
            source.add((*key, str(name)), f"is not known{possible(name, [*own, *taken.parameters])}")
    for name, parameter in taken.parameters.items():
        if parameter.required and name not in given:
            source.add(key, f"{name} is missing, which has no default")


def _factory(source: Source, key: KeyPath, given: Mapping[str, Any]) -> Callable[..., Any] | None:
    name = "()" if "()" in given else "class"
    if name not in given:
        source.add(key, f"class is missing{meant('class', map(str, given))}")
        return None
    factory = _resolved(source, key, given, name)
    if isinstance(factory, type) and key[0] == "handlers" and not issubclass(factory, logging.Handler):
        source.add((*key, name), f"{given[name]} is no logging.Handler")
        return None
    return factory


def _resolved(source: Source, key: KeyPath, given: Mapping[str, Any], name: str) -> Callable[..., Any] | None:
    dotted_name = given[name]
    if not isinstance(dotted_name, str):
        source.add((*key, name), f"the dotted name of a class is wanted, met {dotted_name!r}")
        return None
    found = _import(source, (*key, name), dotted_name.removeprefix("ext://"))
    if callable(found):
        return cast(Callable[..., Any], found)
    if found is not None:
        source.add((*key, name), f"{dotted_name} is no class, but a {type(found).__name__}")
    return None


def _import(source: Source, key: KeyPath, name: str) -> Any:
    try:
        return logging.config.BaseConfigurator({}).resolve(name)
    except Exception as error:  # what is imported may raise anything
        cause = error.__cause__ or error
        source.add(key, f"{name} cannot be imported: {cause}{_near(name)}")
        return None


def _near(name: str) -> str:
    """The class that may have been meant: one of the same name elsewhere, or one that is written much like it."""
    known = {
        f"{home}.{n}" for home in _HOMES if home in sys.modules for n in dir(sys.modules[home]) if n[0].isupper()
    }
    same = sorted(k for k in known if k.rpartition(".")[2].lower() == name.rpartition(".")[2].lower())
    return f"; did you mean {same[0]}?" if same else meant(name, known)


def _taken(factory: Callable[..., Any]) -> Signature:
    found = signature(factory)
    if (
        sys.version_info >= (3, 12)
        and isinstance(factory, type)
        and issubclass(factory, logging.handlers.QueueHandler)
    ):
        parameters = {name: Parameter(name, kind, None) for name, kind in _QUEUE.items()}
        return Signature({**found.parameters, **parameters})
    return found
