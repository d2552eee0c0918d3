"""All that is wrong with a configuration, each with its line and with what is possible."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from visigate_logging.config.named import check_named
from visigate_logging.config.objects import Object, check_object, check_value, space_hint
from visigate_logging.config.paths import check_paths, check_trust
from visigate_logging.config.references import followed
from visigate_logging.config.settings import Settings
from visigate_logging.config.signature import signature
from visigate_logging.config.source import WARNING, Problem, Source, is_reference
from visigate_logging.config.standard import TRUTH
from visigate_logging.options import Level, Via, meant, possible
from visigate_logging.options.faults import KeyPath

_OBJECTS = ("formatters", "filters", "handlers")
_HOLDERS = ("handlers", "loggers")
_NAMES = {"formatter": "formatters", "filters": "filters", "handlers": "handlers", "target": "handlers"}
"""Keys whose values name others, and where these stand."""
_TRUE = ("true", "yes", "on", "1")
_SURE = 0.85
"""How alike the name of a section must be to a known one, from 0 to 1, to be taken for a slip of the pen."""


def _propagate(value: Any) -> Any:
    if isinstance(value, str) and value.lower() not in _TRUE:
        raise ValueError("is not true or false: as a text it counts as true; write false, without quotes")
    return value


SECTIONS: dict[str, Any] = {
    "version": int,
    "disable_existing_loggers": TRUTH,
    "incremental": bool,
    "visigate": Mapping,
    **dict.fromkeys((*_OBJECTS, "loggers"), Mapping),
    "root": Mapping,
}
"""What the file may have at its top; keys that begin with ``x-`` are for anchors."""
ROOT: dict[str, Any] = {"level": int | str, "handlers": list, "filters": list}
LOGGER: dict[str, Any] = {
    **ROOT,
    "propagate": Annotated[bool | Literal[0, 1] | str, Via(_propagate, "true or false")],
}


def check(source: Source, user: str | None = None, *, construct: bool = False) -> list[Problem]:
    """Return what is wrong or doubtful; nothing is made but objects of this package, and nothing is called.

    Args:
        source: the file.
        user: name of the user that the application runs as; default the one who asks.
        construct: call what the file names, to learn what that refuses.
    """
    from visigate_logging.config.construct import try_out
    from visigate_logging.config.lint import look_for_warnings

    objects = examine(source, user)
    if not source.unreadable:
        try_out(source, objects, construct=construct)
        look_for_warnings(source, objects)
        _find_unused(source)
    return sorted([*source.errors, *source.warnings, *source.notes])


def examine(source: Source, user: str | None = None) -> list[Object]:
    """Note what makes it impossible to apply the configuration. Imports its classes, and makes nothing.

    Returns:
        The formatters, filters and handlers, as far as it is known what makes them.
    """
    if source.unreadable:
        return []
    _check_top(source)
    settings = {p.name: p.kind for p in signature(Settings).parameters.values()}
    _check_mapping(source, ("visigate",), source.section("visigate"), settings)
    objects = _objects(source)
    for name, given in source.section("loggers").items():
        _check_mapping(source, ("loggers", name), given, LOGGER)
    _check_mapping(source, ("root",), source.section("root"), ROOT)
    _check_references(source)
    for made in objects:
        check_paths(source, made, user)
        check_named(source, made)
    check_trust(source, objects, user)
    return objects


def _objects(source: Source) -> list[Object]:
    found = []
    for section in _OBJECTS:
        if section != "handlers" or source.values.get("incremental") is not True:
            found += [check_object(source, (section, name), given) for name, given in source.section(section).items()]
    return [made for made in found if made is not None]


# complex: one way to be wrong each
def _check_top(source: Source) -> None:
    values = source.values
    nested = [name for name, inner in values.items() if isinstance(inner, Mapping) and inner.get("version") == 1]
    if "version" not in values and nested:
        text = f"the configuration stands below {nested[0]}; move it up, so that version stands at the margin"
        source.add((nested[0],), text)
        return
    for name, value in values.items():
        if name not in SECTIONS:
            _check_other_section(source, str(name), value)
        elif value is not None and not (value == [] and name in _OBJECTS):
            check_value(source, (name,), value, SECTIONS[name])
    if (values.get("version"), type(values.get("version"))) != (1, int):
        source.add(("version",), "version: 1 is wanted, the only one that dictConfig knows")


def _check_other_section(source: Source, name: str, value: Any) -> None:
    """Note a section that ``dictConfig`` passes over: a slip of the pen, something at the margin, or of others."""
    if name.startswith("x-"):
        return
    if guess := meant(name, SECTIONS, _SURE):
        source.add((name,), f"is not known{guess}")
    elif isinstance(value, Mapping) and ("class" in value or "()" in value):
        source.add((name,), "stands at the margin; indent it, below handlers, formatters or filters")
    elif not (name.isprintable() and name.isascii()):
        source.add((name,), f"is not known{possible(name, SECTIONS)}")
    elif f"cfg://{name}" not in source.content.decode("utf-8", "replace"):
        source.add((name,), f"means nothing here{possible(name, SECTIONS)}", WARNING)


def _check_mapping(source: Source, key: KeyPath, given: Any, kinds: Mapping[str, Any]) -> None:
    if not isinstance(given, Mapping):
        hint = space_hint(given) or "; write level: or handlers: below it"
        source.add(key, f"a mapping is wanted, met {source.shown(key, given)}{hint}")
        return
    for name, value in given.items():
        if name in kinds:
            check_value(source, (*key, name), value, kinds[name])
        elif key == ("root",) and name == "propagate":
            source.add((*key, name), "has no effect: there is nothing above the root; leave it out", WARNING)
        else:
            source.add((*key, str(name)), f"is not known{possible(name, kinds)}")


def _check_references(source: Source) -> None:
    """Note levels that do not exist, and names that nothing has."""
    named = [((section, name), given) for section in _HOLDERS for name, given in source.section(section).items()]
    for key, given in [(("root",), source.section("root")), *named]:
        holder = source.referred(given) if is_reference(given) else given
        if isinstance(holder, Mapping):
            _check_holder(source, key, holder)


def _check_holder(source: Source, key: KeyPath, holder: Mapping[Any, Any]) -> None:
    for name, value in holder.items():
        if name == "level" and value is not None:
            check_value(source, (*key, name), value, Level)
        elif name in _NAMES and not (value is None or isinstance(value, Mapping)):  # a mapping is another target
            _check_names(source, (*key, name), value, _NAMES[name])


def _check_names(source: Source, key: KeyPath, named: Any, section: str) -> None:
    each = {(*key, i): one for i, one in enumerate(named)} if isinstance(named, list) else {key: named}
    for place, name in each.items():
        _check_name(source, place, name, section)


def _check_name(source: Source, key: KeyPath, name: Any, section: str) -> None:
    known = source.section(section)
    source.used.add((section, str(name)))
    if is_reference(name):
        followed(source, key, name)
    elif section == "filters" and (callable(name) or callable(getattr(name, "filter", None))):
        return
    elif not isinstance(name, str | int) or name not in known:
        absent = f"there is no {source.shown(key, name)} under {section}"
        source.add(key, f"{absent}{possible(name, map(str, known))}")


def _find_unused(source: Source) -> None:
    """Note what is defined, and nothing names."""
    if source.values.get("incremental") is True or any(p.key and "." not in p.key for p in source.errors):
        return  # what a misspelt section names is unknown
    for section in _OBJECTS:
        for name in source.section(section):
            if (section, str(name)) not in source.used:
                source.add((section, name), "is not used by anything", WARNING)
