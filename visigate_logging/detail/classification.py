"""What kind of error it is, and how bad: by exception type, logger or module."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any

from visigate_logging.detail.causes import led_to
from visigate_logging.detail.log_record import raised_by
from visigate_logging.detail.modules import imported_name
from visigate_logging.exceptions import ConfigurationError

__all__ = ["Classifier"]

_FAR = 1_000_000
"""Rank of a rule that names no exception: after all that do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; of the conditions that it names, all must hold."""

    exceptions: tuple[str, ...] = ()
    logger: str = ""
    module: str = ""
    causes: bool = False
    category: str = ""
    severity: str = ""


class Classifier(logging.Filter):
    """Gives each record a ``category`` and a ``severity``; lets all records pass.

    A rule has conditions and what it gives; all its conditions must hold:

    ========== =====================================================================================
    exceptions list of class names or dotted paths; subclasses count, and the nearest class wins
    causes     true: the exceptions that led to this one, and the members of a group, count too
    logger     name of a logger; those below it count too
    module     dotted name of a module that the exception passed through; those below it count too
    category   a word of your own: ``camera``, ``database``, ``network``, …
    severity   name of a logging level; the record's own level when no rule gives one
    ========== =====================================================================================

    Category and severity are each taken from the best rule that gives it: one that names the exception's own
    class before one that names a base class, before one that names none; among equals the first. What the
    application gave with ``extra={"severity": …, "category": …}`` stays.

    Args:
        rules: list of such mappings.
        name: as for :class:`logging.Filter`: classify only records of this logger and below.

    Raises:
        ConfigurationError: a rule has an unknown key, no condition, or no such level.
    """

    def __init__(self, rules: Sequence[Mapping[str, Any]] = (), name: str = "") -> None:
        super().__init__(name)
        if isinstance(rules, str | Mapping):
            raise ConfigurationError("rules", f"a list of rules is wanted, met {rules!r}")
        self._rules = [_rule(f"rules[{i}]", r) for i, r in enumerate(rules)]
        self._ranks: dict[tuple[type, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``severity`` and ``category`` on the record; never raises."""
        try:
            if super().filter(record):
                self._classify(record)
        except BaseException:  # what a hostile exception raises must not reach the application from here
            record.__dict__.setdefault("severity", record.levelname)
            record.__dict__.setdefault("category", "")
        return True

    def _classify(self, record: logging.LogRecord) -> None:
        ranked = sorted(self._matching(record), key=lambda pair: pair[0])
        for attribute, otherwise in (("category", ""), ("severity", record.levelname)):
            if not isinstance(getattr(record, attribute, None), str):
                values = (getattr(rule, attribute) for _, rule in ranked)
                setattr(record, attribute, next(filter(None, values), otherwise))

    def _matching(self, record: logging.LogRecord) -> Iterator[tuple[int, Rule]]:
        exc, tb = raised_by(record)
        for rule in self._rules:
            if rule.logger and not _is_below(record.name, rule.logger):
                continue
            if rule.module and not _passed_through(record, tb, rule.module):
                continue
            rank = self._rank(exc, rule) if rule.exceptions else _FAR
            if rank is not None:
                yield rank, rule

    def _rank(self, exc: BaseException | None, rule: Rule) -> int | None:
        """How near the exception is to the classes of a rule; None when it is none of them."""
        if exc is None:
            return None
        for depth, candidate in enumerate(led_to(exc) if rule.causes else [exc]):
            distances = [self._distance(type(candidate), name) for name in rule.exceptions]
            if min(distances) < _FAR:
                return depth * 1000 + min(distances)
        return None

    def _distance(self, kind: type, name: str) -> int:
        known = self._ranks.get((kind, name))
        if known is None:
            if len(self._ranks) >= 4096:
                self._ranks.clear()
            known = next((i for i, c in enumerate(kind.__mro__) if _is_called(c, name)), _FAR)
            self._ranks[kind, name] = known
        return known


def _is_called(kind: type, name: str) -> bool:
    if name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}"):
        return True
    module, _, bare = name.rpartition(".")  # the name that it is imported by: json.JSONDecodeError
    return getattr(sys.modules.get(module), bare, None) is kind


def _is_below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(parent + ".")


def _passed_through(record: logging.LogRecord, tb: TracebackType | None, module: str) -> bool:
    if tb is None:
        return record.module == module.rpartition(".")[2]
    while tb is not None:
        if _is_below(imported_name(tb.tb_frame.f_globals), module):
            return True
        tb = tb.tb_next
    return False


def _rule(key: str, given: Any) -> Rule:
    known = [f.name for f in fields(Rule)]
    if not isinstance(given, Mapping):
        raise ConfigurationError(key, f"a rule is a mapping, met {given!r}")
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"{key}.{name}", f"no such key; possible are {', '.join(known)}")
        _check(f"{key}.{name}", name, value)
    names = given.get("exceptions", ())
    rule = Rule(**{**given, "exceptions": (names,) if isinstance(names, str) else tuple(names)})
    if not (rule.exceptions or rule.logger or rule.module):
        raise ConfigurationError(key, "a rule needs a condition: exceptions, logger or module")
    if not (rule.category or rule.severity):
        raise ConfigurationError(key, "a rule gives something: category or severity")
    return rule


def _check(key: str, name: str, value: Any) -> None:
    if name == "causes":
        if not isinstance(value, bool):
            raise ConfigurationError(key, f"true or false is wanted, met {value!r}")
        return
    texts = value if name == "exceptions" and isinstance(value, list | tuple) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        kind = "a name or a list of names" if name == "exceptions" else "a text"
        raise ConfigurationError(key, f"{kind} is wanted, met {value!r}")
    levels = logging.getLevelNamesMapping()
    if name == "severity" and value not in levels:
        raise ConfigurationError(key, f"{value!r} is no logging level; possible are {', '.join(levels)}")
