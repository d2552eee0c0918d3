"""The JSON Schema of a configuration, for editors that complete and mark; made from the constructors."""

import dataclasses
import functools
import importlib
import inspect
import logging
import logging.handlers
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.config.check import LOGGER, ROOT, SECTIONS
from visigate_logging.config.objects import OWN_KEYS
from visigate_logging.config.settings import Settings
from visigate_logging.config.signature import EMPTY, Parameter, signature
from visigate_logging.options import SIMPLE, hints_of

_OURS = "visigate_logging"


# complex: one section a line
def schema() -> dict[str, Any]:
    """Return the schema, as plain data."""
    properties = {name: _type(kind) for name, kind in SECTIONS.items()}
    properties["version"] = {"const": 1}
    properties["visigate"] = _mapping(signature(Settings).parameters.values(), description=inspect.getdoc(Settings))
    properties["root"] = _closed({name: _type(kind) for name, kind in ROOT.items()})
    properties["loggers"] = _each(_closed({name: _type(kind) for name, kind in LOGGER.items()}))
    ours = _our_classes()
    stdlib = [c for c in vars(logging.handlers).values() if _is_handler(c)] + [
        logging.StreamHandler,
        logging.FileHandler,
    ]
    handlers = {f"{c.__module__}.{c.__name__}": c for c in stdlib} | {n: c for n, c in ours.items() if _is_handler(c)}
    properties["handlers"] = _each(_by_class("handlers", handlers))
    for section, kind in (("formatters", logging.Formatter), ("filters", logging.Filter)):
        properties[section] = _each(_by_class(section, {n: c for n, c in ours.items() if issubclass(c, kind)}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of logging, for dictConfig and visigate_logging",
        **_closed(properties),
        "patternProperties": {"^x-": {}},
        "required": ["version"],
    }


def _our_classes() -> dict[str, type]:
    package = importlib.import_module(_OURS)
    found = {f"{_OURS}.{name}": getattr(package, name) for name in package.__all__ if name[0].isupper()}
    return {name: kind for name, kind in found.items() if isinstance(kind, type)}


def _is_handler(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, logging.Handler)


def _by_class(section: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Return a mapping that may have the keys of its class; of a class that is not known here, any."""
    own = {name: _type(kind) for name, kind in OWN_KEYS[section].items()}
    names = [name for name in ("class", "()") if name in own]
    cases = []
    for path, kind in classes.items():
        is_it = {"anyOf": [{"properties": {name: {"const": path}}, "required": [name]} for name in names]}
        then = _mapping(signature(kind).parameters.values(), own, inspect.getdoc(kind))
        cases.append({"if": is_it, "then": then})
    known = {name: {**own[name], "examples": sorted(classes)} for name in names}
    return {"type": "object", "properties": {**own, **known}, "allOf": cases}


def _mapping(
    parameters: "typing.Iterable[Parameter]", own: Mapping[str, Any] | None = None, description: str | None = None
) -> dict[str, Any]:
    known = list(parameters)
    properties = {p.name: _with_default(p) for p in known} | dict(own or {})
    required = [p.name for p in known if p.required]
    return {**_closed(properties), "required": required, "description": (description or "").partition("\n\n")[0]}


def _with_default(parameter: Parameter) -> dict[str, Any]:
    made = _type(parameter.kind)
    if isinstance(parameter.default, str | int | float | bool):
        made["default"] = parameter.default
    return made


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _each(value: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value}


def _type(kind: Any) -> dict[str, Any]:
    """Return a type; text stands for any, since it may be filled in from the environment."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is typing.Annotated:
        wishes = [getattr(wish, "schema", {}) for wish in inner[1:]]
        return functools.reduce(operator.or_, wishes, _type(inner[0]))
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type(k) for k in inner]}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin in SIMPLE:
        name = SIMPLE[origin].json
        return {"type": name} if name in ("string", "null") else {"type": [name, "string"], "pattern": r"^\$\{"}
    return _collection(origin, inner) if isinstance(origin, type) else {}


def _collection(origin: type, inner: tuple[Any, ...]) -> dict[str, Any]:
    if dataclasses.is_dataclass(origin):
        hints = hints_of(origin)
        return _mapping([Parameter(f.name, hints[f.name], _default(f)) for f in dataclasses.fields(origin) if f.init])
    if issubclass(origin, Mapping):
        return {"type": "object"}
    if issubclass(origin, Sequence):
        items = _type(inner[0]) if inner and inner[0] is not Any else {}
        return {"type": "array", **({"items": items} if items else {})}
    return {}


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is not dataclasses.MISSING else EMPTY
