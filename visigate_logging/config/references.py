"""What a configuration names outside itself: classes, ``ext://`` objects. It is imported, and never called."""

import logging.config
import sys
from collections.abc import Callable
from typing import Any, cast

from visigate_logging.config.source import Source
from visigate_logging.options import meant
from visigate_logging.options.faults import KeyPath

_HOMES = ("logging", "logging.handlers", "visigate_logging", "pythonjsonlogger.json", "pythonjsonlogger.orjson")


def followed(source: Source, key: KeyPath, reference: str) -> Any:
    """Return what ``ext://…`` or ``cfg://…`` stands for; None, which is noted, when that is nothing."""
    scheme, _, name = reference.partition("://")
    if scheme == "ext":
        return imported(source, key, name)
    found = source.referred(reference)
    if found is None:
        source.add(key, f"{reference} leads nowhere; it is cfg://SECTION.NAME, or cfg://SECTION[NAME]")
    return found


def resolved(source: Source, key: KeyPath, given: Any) -> Callable[..., Any] | None:
    """Return the class or function of a dotted name; None, which is noted, when there is none."""
    if not isinstance(given, str):
        if callable(given):  # in a mapping that was no file
            return cast(Callable[..., Any], given)
        source.add(key, f"the dotted name of a class is wanted, met {source.shown(key, given)}")
        return None
    found = imported(source, key, given.removeprefix("ext://"))
    if callable(found):
        return cast(Callable[..., Any], found)
    if found is not None:
        source.add(key, f"{given} is no class, but a {type(found).__name__}")
    return None


def imported(source: Source, key: KeyPath, name: str) -> Any:
    """Return the object of a dotted name; None, which is noted, when it cannot be imported."""
    try:
        return logging.config.BaseConfigurator({}).resolve(name)
    except Exception as error:  # noqa: BLE001 -- what is imported may raise anything
        cause = error.__cause__ or error
        missing = (
            f"{cause}" if isinstance(cause, ImportError | AttributeError) else f"{type(cause).__name__}: {cause}"
        )
        source.add(key, f"{name} cannot be imported: {missing}{_near(name)}{_elsewhere(cause, name)}")
        return None


def _near(name: str) -> str:
    """Return the class that may have been meant: of the same name elsewhere, or written much like it."""
    word = name.rpartition(".")[2].lower()
    known = [
        f"{home}.{n}" for home in _HOMES if home in sys.modules for n in dir(sys.modules[home]) if n[:1].isupper()
    ]
    same = sorted(path for path in known if path.rpartition(".")[2].lower() == word)
    return f"; did you mean {same[0]}?" if same else meant(name, known)


def _elsewhere(cause: BaseException, name: str) -> str:
    is_absent = isinstance(cause, ModuleNotFoundError) and name.partition(".")[0] == str(cause.name).partition(".")[0]
    return "; if it is the application's own, say where that is: --path DIRECTORY" if is_absent else ""
