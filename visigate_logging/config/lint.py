"""What can be applied and would still not do what was meant: thresholds, rotation, options without effect."""

import logging
import logging.handlers
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visigate_logging.config.named import look_around
from visigate_logging.config.objects import Object
from visigate_logging.config.source import WARNING, Source, dotted
from visigate_logging.options import is_secret
from visigate_logging.options.faults import KeyPath

_IN_URL = re.compile(r"//[^/\s:@]*:[^/\s@]+@")
_FORWARD = "visigate_logging.handlers.forward.ForwardHandler"
_RECOVERY = "visigate_logging.handlers.recovery.RecoveryHandler"
_DETAILS = "visigate_logging.handlers.json_file.JsonFileHandler"
_DETAIL = "visigate_logging.formatters.DetailFormatter"


def look_for_warnings(source: Source, objects: Sequence[Object]) -> None:
    """Note what is doubtful about objects that can be made."""
    readable = source.path.exists() and os.stat(source.path).st_mode & 0o004
    for made in objects:
        look_around(source, made)
        _look_for_idle_attributes(source, made)
        _look_at_rotation(source, made)
        if readable:
            _look_for_secrets(source, made)
    _look_at_followed_logs(source, objects)
    _look_at_unread_logs(source, objects)
    _look_at_thresholds(source, objects)
    _look_at_owners(source, objects)
    look_behind_queues(source, objects)


def look_behind_queues(source: Source, objects: Sequence[Object]) -> None:
    """Note recovery handlers that a queue hands records to: ``QueueHandler.prepare`` takes the exception away."""
    recoveries = {made.key[1] for made in objects if made.is_called(_RECOVERY)}
    for made in objects:
        for place, name in _behind_queue(made):
            if name in recoveries:
                text = (
                    f"behind a queue {name} knows exceptions by their class names alone: neither base classes nor "
                    "error codes match. Name it at the logger instead; it has a queue of its own"
                )
                source.add((*made.key, "handlers", place), text, WARNING)


def _behind_queue(made: Object) -> Iterator[tuple[int, str]]:
    listed = made.given.get("handlers")
    if made.makes(logging.handlers.QueueHandler) and isinstance(listed, list):
        yield from ((place, name) for place, name in enumerate(listed) if isinstance(name, str))


def _look_for_secrets(source: Source, made: Object) -> None:
    for key, text in made.texts():
        if key not in source.replaced and text and (is_secret(key) or _IN_URL.search(text)):
            cure = f"write ${{NAME}} or file:PATH instead, or: chmod o-r {source.path}"
            source.add(key, f"a password in a file that every user can read: {cure}", WARNING)


def _look_for_idle_attributes(source: Source, made: Object) -> None:
    """Note what stands below ``.`` and changes nothing: our handlers take their options from the constructor."""
    attributes = made.given.get(".")
    if not (made.is_ours and isinstance(attributes, Mapping)):
        return
    for name in attributes:
        if name in made.parameters:
            source.add((*made.key, ".", str(name)), f"has no effect there: write {name} beside class", WARNING)
        elif not hasattr(made.factory, str(name)):
            kind = getattr(made.factory, "__name__", "it")
            source.add((*made.key, ".", str(name)), f"has no effect: {kind} has no {name}", WARNING)


def _look_at_rotation(source: Source, made: Object) -> None:
    """Note files that grow for ever although something else was meant."""
    for name, other in (("maxBytes", "backupCount"), ("backupCount", "maxBytes")):
        given = made.given.get(name)
        if other in made.parameters and isinstance(given, int) and given > 0 == made.given.get(other, 0):
            text = f"without {other} nothing is rotated: the file grows for ever"
            source.add((*made.key, name), text, WARNING)


def _look_at_owners(source: Source, objects: Sequence[Object]) -> None:
    """Note files that two handlers write to."""
    owners: dict[str, KeyPath] = {}
    for made in objects:
        filename = made.given.get("filename")
        if isinstance(filename, str) and made.makes(logging.Handler):
            first = owners.setdefault(os.path.abspath(filename), made.key)
            if first != made.key:
                source.add((*made.key, "filename"), f"{dotted(first)} writes to this file too", WARNING)


def _look_at_followed_logs(source: Source, objects: Sequence[Object]) -> None:
    """Note a log to be forwarded that no handler writes."""
    written = {os.path.abspath(name) for made in objects if isinstance(name := made.given.get("filename"), str)}
    for made in objects:
        log = made.given.get("log", made.parameters["log"].default) if made.is_called(_FORWARD) else None
        if isinstance(log, str) and os.path.abspath(log) not in written:
            text = f"no handler of this file writes {log}: nothing is forwarded; write a JSON-file handler's filename"
            source.add((*made.key, "log") if "log" in made.given else made.key, text, WARNING)


def _look_at_unread_logs(source: Source, objects: Sequence[Object]) -> None:
    """Note details that are written as something else, as after the class of a text file's handler was changed."""
    others = {m.key[1] for m in objects if m.key[0] == "formatters" and m.makes(object) and not m.is_called(_DETAIL)}
    for made in objects:
        if made.is_called(_DETAILS) and made.given.get("formatter") in others:
            text = "nothing here can read what it writes; name one with (): visigate_logging.DetailFormatter, or none"
            source.add((*made.key, "formatter"), text, WARNING)


def _look_at_thresholds(source: Source, objects: Sequence[Object]) -> None:
    """Note a severity that no rule gives: the classifier and the handler do not know of each other."""
    levels = logging.getLevelNamesMapping()
    highest = max((levels.get(str(rule.get("severity")), 0) for rule in _rules(objects)), default=0)
    for made in objects:
        severity, level = made.given.get("severity"), made.given.get("level")
        if made.is_ours and highest and levels.get(str(severity).upper(), 0) > highest:
            most = logging.getLevelName(highest)
            text = f"no rule gives more than {most}: only what is logged as {severity} passes"
            source.add((*made.key, "severity"), text, WARNING)
        if isinstance(level, int) and level > max(levels.values()):
            source.add((*made.key, "level"), f"nothing is logged at {level}: the handler gets nothing", WARNING)


def _rules(objects: Sequence[Object]) -> Iterator[Mapping[str, Any]]:
    for made in objects:
        rules = made.given.get("rules") if "rules" in made.parameters else None
        yield from (rule for rule in rules or () if isinstance(rule, Mapping))
