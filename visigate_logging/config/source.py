"""A configuration file that has been read: its values, where each stands, and what is wrong with it."""

import hashlib
import logging.config
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visigate_logging import options
from visigate_logging.config.yaml_mistakes import Place
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import NOTHING, Fault, KeyPath, is_secret

ERROR, WARNING, NOTE = "error", "warning", "note"
"""A note is about what is right, and may still not be what was meant; it stands in nobody's way."""
_SHORTEST_SECRET = 4
"""Characters of a secret that is looked for in the words of others; a shorter one is in any sentence."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with a configuration."""

    place: Place
    key: str
    text: str
    severity: str = ERROR


@dataclass
class Source:
    """What a configuration file holds.

    Args:
        path: the file.
        content: its bytes.
        values: what ``dictConfig`` is to be given, with the ``visigate:`` section; empty when it cannot be read.
        problems: what is wrong.
        replaced: where values came from the environment or from a file, and what is written there.
        places: where each key stands.
        plain: how values that YAML reads as a number, a date or a truth are written.
        used: the formatters, filters and handlers that something names.
        unreadable: there are no values to be judged.
        is_to_run: this process is going to run it, and does not only look at it.
    """

    path: Path
    content: bytes
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    replaced: dict[KeyPath, str] = field(default_factory=dict)
    places: dict[tuple[str, ...], Place] = field(default_factory=lambda: {(): Place(1, 1)})
    plain: dict[tuple[str, ...], str] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    unreadable: bool = False
    is_to_run: bool = False

    @property
    def hash(self) -> str:
        """Name the file's content."""
        return hash_of(self.content)

    def section(self, name: str) -> Mapping[str, Any]:
        """Return what stands in a section, or where its ``cfg://`` leads; nothing when that is no mapping."""
        given = self.values.get(name)
        if is_reference(given):
            given = self.referred(str(given)) if str(given).startswith("cfg://") else None
        return given if isinstance(given, Mapping) else {}

    def referred(self, reference: str) -> Any:
        """Return what ``cfg://…`` leads to; None when it leads nowhere."""
        try:
            return logging.config.BaseConfigurator(dict(self.values)).cfg_convert(reference.removeprefix("cfg://"))
        except Exception:  # noqa: BLE001 -- as many kinds as there are ways to misspell it
            return None

    def place(self, key: KeyPath) -> Place:
        """Return where a key stands, or the nearest one above it that is there."""
        path = as_written(key)
        return next(self.places[path[:n]] for n in range(len(key), -1, -1) if path[:n] in self.places)

    def has(self, key: KeyPath) -> bool:
        """Return whether the file has a key."""
        return as_written(key) in self.places

    def add(self, key: KeyPath, text: str, severity: str = ERROR) -> None:
        """Note that something is wrong with the value of a key."""
        self.problems.append(Problem(self.place(key), dotted(key), text, severity))

    def add_foreign(self, key: KeyPath, text: str) -> None:
        """Note what others say is wrong: their words may repeat a secret that stands at or below a key."""
        for secret in self._secrets(key):
            text = text.replace(repr(secret), "***")
            text = text.replace(str(secret), "***") if len(str(secret)) >= _SHORTEST_SECRET else text
        self.add(key, text)

    def add_fault(self, fault: Fault) -> None:
        """Note what is wrong with a value, which is shown as it is written in the file."""
        if fault.met is NOTHING:
            self.add_foreign(fault.path, fault.text)
        else:
            self.add(fault.path, f"{self.shown(fault.path, fault.met)} {fault.text}")

    def shown(self, key: KeyPath, value: Any) -> str:
        """Return a value for a message: as it is written in the file, and nothing of a secret."""
        if key in self.replaced:
            return self.replaced[key]
        return "***" if is_secret(key) else self.plain.get(as_written(key)) or options.shown(value)

    def _secrets(self, key: KeyPath) -> list[Any]:
        value: Any = self.values
        for part in key:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return []
        return [secret for path, secret in leaves(key, value) if str(secret) and is_secret(path)]

    @property
    def errors(self) -> list[Problem]:
        """The problems that are not mere warnings, in the order of the file; the first found of each key."""
        found: dict[tuple[Place, str], Problem] = {}
        for problem in self.problems:
            if problem.severity == ERROR:
                found.setdefault((problem.place, problem.key), problem)
        return sorted(found.values())

    @property
    def warnings(self) -> list[Problem]:
        """The other problems, in the order of the file."""
        return sorted({problem for problem in self.problems if problem.severity == WARNING})

    @property
    def notes(self) -> list[Problem]:
        """What is no problem, in the order of the file."""
        return sorted({problem for problem in self.problems if problem.severity == NOTE})

    def told(self, problem: Problem) -> str:
        """Return a problem as ``file:line:column: key: text``."""
        where = f"{self.path}:{problem.place.line}:{problem.place.column}"
        return ": ".join(filter(None, (where, problem.key, problem.text)))


def hash_of(content: bytes) -> str:
    """Name a content: by the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def dotted(key: KeyPath) -> str:
    """Return a key path as people write it: ``handlers.mail.toaddrs.0``."""
    return ".".join(map(str, key))


def as_written(key: KeyPath) -> tuple[str, ...]:
    """Return a key as it is in the file, where a mapping may have numbers for names."""
    return tuple(map(str, key))


def is_reference(value: Any) -> bool:
    """Return whether a value is ``ext://…`` or ``cfg://…``, which ``dictConfig`` resolves."""
    return isinstance(value, str) and value.startswith(("ext://", "cfg://"))


def refuse(source: Source, problems: list[Problem]) -> ConfigurationError:
    """Return the exception that says why a configuration is not applied: the first problem, then the others."""
    first, *others = problems
    told = [f"{first.text} ({source.path}:{first.place.line}:{first.place.column})", *map(source.told, others)]
    return ConfigurationError(first.key, "\n".join(told))


def leaves(key: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str | int | float]]:
    """Yield the texts and numbers at and below a key."""
    if isinstance(value, Mapping | list | tuple):
        for name, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from leaves((*key, name), inner)
    elif isinstance(value, str | int | float):
        yield key, value
