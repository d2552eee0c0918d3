"""What kind of error it is, and how bad: by exception type, logger, module, message or status."""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.causes import led_to
from visigate_logging.detail.conditions import Status, search, status_of, text_of
from visigate_logging.detail.log_record import raised_by
from visigate_logging.detail.modules import imported_name
from visigate_logging.detail.values import safe_str
from visigate_logging.detail.written import exceptions_in
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import LevelName, Names, checked

_FAR = 1_000_000
"""Rank of a rule that names no exception, message or status: after all that do."""
_IGNORED = "_visigate_ignored"
"""Attribute of a record that says whether a rule ignores it; absent while no classifier has looked."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; of the conditions that it names, all must hold."""

    exceptions: Names = ()
    logger: str = ""
    module: str = ""
    message: re.Pattern[str] | None = None
    status: Status | None = None
    causes: bool = False
    category: str = ""
    severity: LevelName = ""
    fingerprint: str = ""
    ignore: bool | None = None

    def __post_init__(self) -> None:
        if not (self.exceptions or self.logger or self.module or self.message or self.status):
            raise ConfigurationError("", "a rule needs a condition: exceptions, logger, module, message or status")
        named = self.message is not None and self.message.groupindex
        if not (self.category or self.severity or self.fingerprint or named or self.ignore is not None):
            raise ConfigurationError("", "a rule gives something: category, severity, fingerprint or ignore")


def is_ignored(record: logging.LogRecord) -> bool:
    """Return whether a rule says that a record is not to be recorded, only counted."""
    return record.__dict__.get(_IGNORED) is True


class Classifier(logging.Filter):
    """Gives each record a ``category`` and a ``severity``; lets all records pass but those that a rule ignores.

    A rule has conditions and what it gives; all its conditions must hold:

    =========== =====================================================================================
    exceptions  list of class names or dotted paths; subclasses count, and the nearest class wins
    causes      true: the exceptions that led to this one, and the members of a group, count too
    logger      name of a logger; those below it count too
    module      dotted name of a module that the exception passed through; those below it count too
    message     regular expression, searched in what was logged, then in the exception's own text; what its named
                groups find, as ``(?P<camera>…)``, goes along as if it were given with ``extra``
    status      HTTP status, as ``404``, ``4xx`` or a list: the exception's, else the one that the text tells
    category    a word of your own: ``camera``, ``database``, ``network``, …
    severity    name of a logging level, down to ``DEBUG``; the record's own level when no rule gives one
    fingerprint name of the group that the error belongs to, or a group's key: what was merged or split by hand
    ignore      true: the record is not for this handler, which counts it as folded; false: it is all the same
    =========== =====================================================================================

    Category, severity, fingerprint and ignore are each taken from the best rule that gives it: one that names the
    exception's own class, a message or a status before one that names a base class, before one that names none of
    these; among equals the first. What the application gave with ``extra={"severity": …, "category": …}`` stays. A
    class whose library is not there is met by no exception: its rule costs nothing.

    Args:
        rules: list of such mappings.
        name: as for :class:`logging.Filter`: classify only records of this logger and below.

    Raises:
        ConfigurationError: a rule has an unknown key, no condition, or no such level.
    """

    @checked
    def __init__(self, rules: Sequence[Rule | Mapping[str, Any]] = (), name: str = "") -> None:
        super().__init__(name)
        self._rules = cast(Sequence[Rule], rules)
        self._ranks: Bounded[tuple[type, str], int] = Bounded(4096)

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``severity`` and ``category`` on the record; false where a rule ignores it. Never raises."""
        try:
            if super().filter(record):
                return not self._classify(record)
        except Exception:  # what a hostile exception raises must not reach the application from here
            record.__dict__.setdefault("severity", record.levelname)
            record.__dict__.setdefault("category", "")
        return True

    def _classify(self, record: logging.LogRecord) -> bool:
        """Set what rules give; whether one ignores the record."""
        ranked = [rule for _, rule in sorted(self._matching(record), key=lambda pair: pair[0])]
        for attribute, otherwise in (("category", ""), ("severity", record.levelname)):
            if not isinstance(getattr(record, attribute, None), str):
                values = (getattr(rule, attribute) for rule in ranked)
                setattr(record, attribute, next(filter(None, values), otherwise))
        if name := next((rule.fingerprint for rule in ranked if rule.fingerprint), ""):
            record.__dict__.setdefault("fingerprint", name)
        ignored = next((rule.ignore for rule in ranked if rule.ignore is not None), False)
        record.__dict__[_IGNORED] = ignored
        return ignored

    def _matching(self, record: logging.LogRecord) -> Iterator[tuple[int, Rule]]:
        exc, tb = raised_by(record)
        kinds = [type(e) for e in led_to(exc)] if exc is not None else [e.kind for e in exceptions_in(record)]
        texts: list[str] | None = None
        for rule in self._rules:
            if rule.logger and not _is_below(record.name, rule.logger):
                continue
            if rule.module and not _passed_through(record, tb, rule.module):
                continue
            rank = self._rank(kinds, rule) if rule.exceptions else _FAR
            if rank is None:
                continue
            if rule.message is not None or rule.status is not None:
                if texts is None:
                    texts = [text_of(record), *([safe_str(exc)] if exc is not None else [])]
                if not _says(rule, exc, texts):
                    continue
                rank = 0 if rank == _FAR else rank
                _tell_named(rule, texts, record)
            yield rank, rule

    def _rank(self, kinds: Sequence[type], rule: Rule) -> int | None:
        """Return how near the exception, the first, is to the classes of a rule; None when it is none of them."""
        for depth, kind in enumerate(kinds if rule.causes else kinds[:1]):
            distances = [self._distance(kind, name) for name in rule.exceptions]
            if min(distances) < _FAR:
                return depth * 1000 + min(distances)
        return None

    def _distance(self, kind: type, name: str) -> int:
        known = self._ranks.get((kind, name))
        if known is None:
            known = next((i for i, c in enumerate(kind.__mro__) if _is_called(c, name)), _FAR)
            self._ranks.keep((kind, name), known)
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


def _tell_named(rule: Rule, texts: Sequence[str], record: logging.LogRecord) -> None:
    """Have what named groups of a rule's message find go along with a record, where the application says nothing."""
    if rule.message is not None and rule.message.groupindex and (found := search(rule.message, texts)):
        for name, value in found.groupdict().items():
            if value is not None:
                record.__dict__.setdefault(name, value)


def _says(rule: Rule, exc: BaseException | None, texts: Sequence[str]) -> bool:
    """Return whether the message and the status are those of a rule."""
    if rule.message is not None and search(rule.message, texts) is None:
        return False
    if rule.status is None:
        return True
    errors = () if exc is None else led_to(exc) if rule.causes else (exc,)
    return status_of(errors, texts) in rule.status
