"""What can be built and would still not do what was meant: files, passwords, rules and thresholds."""

import builtins
import importlib.util
import logging
import logging.handlers
import os
import re
import shutil
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visigate_logging.config.load import SECRET, WARNING, KeyPath, Source, dotted
from visigate_logging.config.objects import Object, is_reference
from visigate_logging.config.places import obstacle
from visigate_logging.config.signature import Parameter
from visigate_logging.options import meant

__all__ = ["look_behind_queues", "look_for_doubts"]

_IN_URL = re.compile(r"//[^/\s:@]*:[^/\s@]+@")
_FIELDS = {
    "%": re.compile(r"%\((\w+)\)"),
    "{": re.compile(r"\{(\w+)"),
    "$": re.compile(r"\$\{?(\w+)"),
}
_RECOVERY = "visigate_logging.handlers.recovery.RecoveryHandler"
_NO_SECRET = re.compile(r"^(0|username)$|_(env|file|credential)$")
"""What beside a password says whose, or where, it is."""
_SURE = 0.88
"""How alike two names of exceptions must be, from 0 to 1, for one to be taken for a slip of the pen."""


def look_for_doubts(source: Source, objects: Sequence[Object], user: str | None) -> None:
    """Note what is doubtful about objects that can be made."""
    readable = os.stat(source.path).st_mode & 0o004
    for made in objects:
        for parameter, value in made.arguments():
            key = (*made.key, parameter.name)
            _check_place(source, made, parameter, value, user)
            if readable:
                _check_secrets(source, key, value)
            for place, text in _texts(key, value):
                if made.is_ours:
                    _check_named(source, place, text)
        _check_fields(source, made)
    _check_thresholds(source, objects)
    _check_rotation(source, objects)
    look_behind_queues(source, objects)


def look_behind_queues(source: Source, objects: Sequence[Object]) -> None:
    """Note recovery handlers that a queue hands records to: ``QueueHandler.prepare`` takes the exception away."""
    recoveries = {made.key[1] for made in objects if made.is_called(_RECOVERY)}
    for made in objects:
        listed = made.given.get("handlers")
        if not (made.makes(logging.handlers.QueueHandler) and isinstance(listed, list)):
            continue
        for place, name in enumerate(listed):
            if isinstance(name, str) and name in recoveries:
                text = (
                    f"behind a queue {name} knows exceptions by their class names alone: neither base classes nor "
                    "error codes match. Name it at the logger instead; it has a queue of its own"
                )
                source.add((*made.key, "handlers", place), text, WARNING)


def _check_place(source: Source, made: Object, parameter: Parameter, value: Any, user: str | None) -> None:
    is_path = os.PathLike in {typing.get_origin(k) or k for k in (parameter.kind, *typing.get_args(parameter.kind))}
    if not isinstance(value, str) or not (is_path or parameter.name == "filename") or is_reference(value):
        return
    directory = parameter.name.endswith("_dir")
    if value.startswith("~"):
        source.add((*made.key, parameter.name), "~ is not expanded: write the path out", WARNING)
    problem = obstacle(value, user, directory=directory, makes_parents=not made.makes(logging.FileHandler))
    if problem:
        source.add((*made.key, parameter.name), problem)


def _check_secrets(source: Source, key: KeyPath, value: Any) -> None:
    for place, text in _texts(key, value):
        secret = any(SECRET.search(str(part)) for part in place[2:]) and not _NO_SECRET.search(str(place[-1]))
        if place not in source.replaced and ((secret and text) or _IN_URL.search(text)):
            cure = f"write ${{NAME}} or file:PATH instead, or: chmod o-r {source.path}"
            source.add(place, f"a password in a file that every user can read: {cure}", WARNING)


def _texts(key: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping | list):
        for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _texts((*key, name), inner)


def _check_named(source: Source, key: KeyPath, name: str) -> None:
    """What a text names outside this file: an exception, a variable, a file, a program."""
    last = str(key[-1])
    if "exceptions" in key[-2:]:
        _check_exception(source, key, name)
    elif last.endswith("_env") and not os.environ.get(name):
        source.add(key, "the environment has no such variable here", WARNING)
    elif last.endswith("_file"):
        try:
            os.stat(name)
        except FileNotFoundError:
            source.add(key, f"there is no file {os.path.abspath(name)}", WARNING)
        except (OSError, ValueError):  # not for who asks to see, or refused by who opens it
            pass
    elif key[-2:] == ("argv", 0) and shutil.which(name) is None:
        source.add(key, f"there is no program {name} here", WARNING)


def _check_exception(source: Source, key: KeyPath, name: str) -> None:
    home, _, word = name.rpartition(".")
    if not home:
        known = {n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, BaseException)}
        if name not in known and (guess := meant(name, known, _SURE)):
            source.add(key, f"{name} is no exception of Python's{guess}", WARNING)
        return
    top = home.partition(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        # A library that is not installed is no mistake: rules are for what may be met. A slip of the pen is one.
        if guess := meant(top, sys.stdlib_module_names, _SURE):
            source.add(key, f"there is no module {top}{guess}", WARNING)
        return
    try:
        module = importlib.import_module(home)
    except Exception as error:  # what is imported may raise anything
        source.add(key, f"{home} cannot be imported: {error}")
        return
    found = getattr(module, word, None)
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        names = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, BaseException)]
        source.add(key, f"{home} has no exception {word}{meant(word, names)}")


def _check_fields(source: Source, made: Object) -> None:
    """A misspelt field of a format costs each record, or is null in each; others may come with ``extra=``."""
    name = "fmt" if "fmt" in made.given else "format"
    text = made.given.get(name)
    if made.key[0] == "formatters" and isinstance(text, str):
        pattern = _FIELDS.get(str(made.given.get("style", "%")), _FIELDS["%"])
        known = {*vars(logging.makeLogRecord({})), "message", "asctime", "severity", "category", "taskName"}
        for field in set(pattern.findall(text)) - known:
            if guess := meant(field, known, 0.8):
                source.add((*made.key, name), f"{field} is no field of a record{guess}", WARNING)


def _check_rotation(source: Source, objects: Sequence[Object]) -> None:
    """Files that grow for ever although something else was meant, and files that two handlers write to."""
    owners: dict[str, KeyPath] = {}
    for made in objects:
        for name, other in (("maxBytes", "backupCount"), ("backupCount", "maxBytes")):
            given = made.given.get(name)
            if other in made.parameters and isinstance(given, int) and given > 0 == made.given.get(other, 0):
                text = f"without {other} nothing is rotated: the file grows for ever"
                source.add((*made.key, name), text, WARNING)
        filename = made.given.get("filename")
        if isinstance(filename, str) and made.makes(logging.Handler):
            first = owners.setdefault(os.path.abspath(filename), made.key)
            if first != made.key:
                source.add((*made.key, "filename"), f"{dotted(first)} writes to this file too", WARNING)


def _check_thresholds(source: Source, objects: Sequence[Object]) -> None:
    """A severity that no rule gives: the classifier and the handler do not know of each other."""
    levels = logging.getLevelNamesMapping()
    rules = [rule for made in objects if "rules" in made.parameters for rule in made.given.get("rules") or ()]
    given = [levels.get(str(rule.get("severity")), 0) for rule in rules if isinstance(rule, Mapping)]
    highest = max(given, default=0)
    for made in objects:
        severity, level = made.given.get("severity"), made.given.get("level")
        if made.is_ours and highest and levels.get(str(severity).upper(), 0) > highest:
            text = (
                f"no rule gives more than {logging.getLevelName(highest)}: only what is logged as {severity} passes"
            )
            source.add((*made.key, "severity"), text, WARNING)
        if isinstance(level, int) and level > max(levels.values()):
            source.add((*made.key, "level"), f"nothing is logged at {level}: the handler gets nothing", WARNING)
