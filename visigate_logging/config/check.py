"""All that is wrong with a configuration, each with its line and with what is possible."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from visigate_logging.config.load import WARNING, KeyPath, Problem, Source
from visigate_logging.config.objects import Object, check_object, check_value, is_reference
from visigate_logging.config.settings import Settings
from visigate_logging.config.signature import signature
from visigate_logging.options import meant, possible

__all__ = ["LOGGER", "ROOT", "SECTIONS", "check", "examine"]

_OBJECTS = ("formatters", "filters", "handlers")
SECTIONS: dict[str, Any] = {
    "version": int,
    "disable_existing_loggers": bool,
    "incremental": bool,
    "visigate": Mapping,
    **dict.fromkeys((*_OBJECTS, "loggers", "root"), Mapping),
}
"""What the file may have at its top; keys that begin with ``x-`` are for anchors."""
ROOT: dict[str, Any] = {"level": int | str, "handlers": list, "filters": list}
LOGGER: dict[str, Any] = {**ROOT, "propagate": bool}


def check(source: Source, user: str | None = None) -> list[Problem]:
    """What is wrong or doubtful: also what constructors refuse, files, passwords, rules that say nothing.

    Args:
        source: the file.
        user: name of the user that the application runs as; default the one who asks.
    """
    from visigate_logging.config.doubts import look_for_doubts
    from visigate_logging.config.refusals import try_out

    objects = examine(source)
    if not source.unreadable:
        try_out(source, objects)
        look_for_doubts(source, objects, user)
        if not any(p.key and "." not in p.key for p in source.errors):  # what a misspelt section names is unknown
            _find_unused(source)
    return sorted({*source.errors, *(p for p in source.problems if p.severity == WARNING)})


def examine(source: Source) -> list[Object]:
    """Note what makes it impossible to build the configuration. Imports its classes, and makes nothing.

    Returns:
        The formatters, filters and handlers, as far as it is known what makes them.
    """
    if source.unreadable:
        return []
    values = source.values
    _check_mapping(source, (), values, SECTIONS)
    if values.get("version") != 1 or isinstance(values.get("version"), bool):
        source.add(("version",), "version: 1 is wanted, the only one that dictConfig knows")
    settings = signature(Settings).parameters
    _check_mapping(source, ("visigate",), values.get("visigate"), {p.name: p.kind for p in settings.values()})
    _check_handled(source)
    objects = []
    for section in _OBJECTS:
        if section == "handlers" and values.get("incremental") is True:
            continue
        for name, given in _items(values, section):
            found = check_object(source, (section, name), given)
            objects += [found] if found else []
    for name, given in _items(values, "loggers"):
        _check_mapping(source, ("loggers", name), given, LOGGER)
    _check_mapping(source, ("root",), values.get("root"), ROOT)
    _check_references(source)
    return objects


def _items(values: Mapping[str, Any], section: str) -> Iterable[tuple[str, Any]]:
    given = values.get(section)
    return given.items() if isinstance(given, Mapping) else ()


def _check_mapping(source: Source, key: KeyPath, given: Any, kinds: Mapping[str, Any]) -> None:
    if given is None and key[:1] != ("loggers",):
        return
    if not isinstance(given, Mapping):
        if len(key) > 1 or key == ():  # sections are judged with the top of the file
            source.add(key, f"a mapping is wanted, met {given!r:.80}")
        return
    for name, value in given.items():
        if name in kinds:
            if value is not None or key:
                check_value(source, (*key, name), value, kinds[name])
        elif not (key == () and str(name).startswith("x-")):
            source.add((*key, str(name)), f"is not known{possible(name, kinds)}")


def _check_references(source: Source) -> None:
    """Levels that exist, and names that something has."""
    values = source.values
    holders: list[tuple[KeyPath, Any]] = [(("root",), values.get("root"))]
    holders += [
        ((section, name), given) for section in ("handlers", "loggers") for name, given in _items(values, section)
    ]
    for key, given in holders:
        if not isinstance(given, Mapping):
            continue
        if given.get("level") is not None:
            _check_level(source, (*key, "level"), given["level"])
        for name, section in (("formatter", "formatters"), ("filters", "filters"), ("handlers", "handlers")):
            if name in given:
                _check_names(source, (*key, name), given[name], section)
        if key[0] == "handlers" and isinstance(given.get("target"), str):
            _check_names(source, (*key, "target"), given["target"], "handlers")


def _check_names(source: Source, key: KeyPath, named: Any, section: str) -> None:
    known = dict(_items(source.values, section))
    entries = [((*key, i), n) for i, n in enumerate(named)] if isinstance(named, list) else [(key, named)]
    for place, name in entries:
        source.used.add((section, str(name)))
        if (name is None and place == key) or is_reference(name):
            continue
        try:
            missing = name not in known
        except TypeError:  # a list or a mapping
            missing = True
        if missing:
            source.add(place, f"there is no {name!r} under {section}{possible(name, map(str, known))}")


def _check_level(source: Source, key: KeyPath, level: Any) -> None:
    known = logging.getLevelNamesMapping()
    level = check_value(source, key, level, int | str)
    if isinstance(level, str) and level not in known:
        source.add(
            key, f"{source.shown(key, level)} is no level; possible are {', '.join(known)}{meant(level, known)}"
        )


def _check_handled(source: Source) -> None:
    given = source.values.get("visigate")
    level = given.get("handled_exceptions") if isinstance(given, Mapping) else None
    if isinstance(level, str):
        _check_level(source, ("visigate", "handled_exceptions"), level)
    elif level is True:
        source.add(("visigate", "handled_exceptions"), "the name of a level is wanted, or false")


def _find_unused(source: Source) -> None:
    """What is defined, and nothing names."""
    if source.values.get("incremental") is not True:
        for section in _OBJECTS:
            for name, _ in _items(source.values, section):
                if (section, str(name)) not in source.used:
                    source.add((section, name), "is not used by anything", WARNING)
