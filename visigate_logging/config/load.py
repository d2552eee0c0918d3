"""The configuration file, with where each of its values stands, and values from the environment and from files."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import NOTHING, Fault, KeyPath, is_secret, shown

__all__ = ["ERROR", "SECRET", "WARNING", "KeyPath", "Problem", "Source", "dotted", "hash_of", "read", "refuse"]

ERROR, WARNING = "error", "warning"
LARGEST = 1_048_576
"""Bytes of a configuration file; a larger one is none."""
DEEPEST = 50
"""Levels of keys below each other."""
MOST_VALUES = 20_000
"""Values of a configuration, with those that aliases repeat: a few lines of aliases can stand for billions."""

SECRET = re.compile(r"(pass(word|wd|phrase)?|secret|token|api_?key|credentials)$", re.I)
"""Keys whose values are nobody's business."""
# In capitals only: formats with style "$" have fields as ${message}.
_VARIABLE = re.compile(r"\$(?P<escaped>\$(?=\{))|\$\{(?P<name>[A-Z_][A-Z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_RESOLVER: Any = yaml.SafeLoader("")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place(NamedTuple):
    """Line and column in the file, both counted from 1."""

    line: int
    column: int


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

    @property
    def hash(self) -> str:
        """What names the file's content."""
        return hash_of(self.content)

    def place(self, key: KeyPath) -> Place:
        """Where a key stands, or the nearest one above it that is there."""
        written = _written(key)
        return next(self.places[written[:n]] for n in range(len(key), -1, -1) if written[:n] in self.places)

    def has(self, key: KeyPath) -> bool:
        """Whether the file has a key."""
        return _written(key) in self.places

    def add(self, key: KeyPath, text: str, severity: str = ERROR) -> None:
        """Note that something is wrong with the value of a key; a secret value is not repeated."""
        for part in self._secrets(key):
            text = text.replace(repr(part), "***").replace(str(part), "***")
        self.problems.append(Problem(self.place(key), dotted(key), text, severity))

    def add_fault(self, fault: Fault) -> None:
        """Note what is wrong with a value; it is shown as it is written in the file."""
        text = fault.text if fault.met is NOTHING else f"{self.shown(fault.path, fault.met)} {fault.text}"
        self.problems.append(Problem(self.place(fault.path), dotted(fault.path), text))

    def _secrets(self, key: KeyPath) -> list[Any]:
        """The values at or below a key that nobody is to read in a message."""
        value: Any = self.values
        for i, part in enumerate(key):
            value = value.get(part) if isinstance(value, dict) else None
            if i > 1 and SECRET.search(str(part)):
                inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
                return [secret for secret in inner if isinstance(secret, str | int | float) and str(secret)]
        return []

    @property
    def errors(self) -> list[Problem]:
        """The problems that are not mere warnings, in the order of the file; the first found of each key."""
        found: dict[tuple[Place, str], Problem] = {}
        for problem in self.problems:
            if problem.severity == ERROR:
                found.setdefault((problem.place, problem.key), problem)
        return sorted(found.values())

    def shown(self, key: KeyPath, value: Any) -> str:
        """Return a value for a message: as it is written in the file, and nothing of a secret."""
        written = self.replaced.get(key)
        if written is None and is_secret(key):
            return "***"
        return written or self.plain.get(_written(key)) or shown(value)

    def told(self, problem: Problem) -> str:
        """A problem as ``file:line:column: key: text``."""
        where = f"{self.path}:{problem.place.line}:{problem.place.column}"
        return ": ".join(filter(None, (where, problem.key, problem.text)))


def hash_of(content: bytes) -> str:
    """What names a content: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def dotted(key: KeyPath) -> str:
    """A key path as people write it: ``handlers.mail.toaddrs.0``."""
    return ".".join(map(str, key))


def read(path: str | os.PathLike[str], content: bytes | None = None) -> Source:
    """Read a configuration file; what is wrong with it is in ``problems``.

    Args:
        path: the file.
        content: what is in it, when that is known already.

    Raises:
        ConfigurationError: the file cannot be read at all.
    """
    try:
        source = Source(Path(path), Path(path).read_bytes() if content is None else content)
    except OSError as error:
        raise ConfigurationError("", f"{path} cannot be read: {error.strerror}") from error
    if len(source.content) > LARGEST:
        raise ConfigurationError("", f"{path} has {len(source.content)} bytes; at most {LARGEST} are read")
    try:
        _parse(source)
    except yaml.YAMLError as error:
        source.problems.append(_not_yaml(error))
    except RecursionError:
        source.problems.append(Problem(Place(1, 1), "", "values are nested too deeply"))
    except ValueError as error:  # a date such as 2026-13-45
        source.problems.append(Problem(Place(1, 1), "", f"a value cannot be: {error}"))
    source.unreadable = bool(source.problems)
    return source


def refuse(source: Source, problems: list[Problem]) -> ConfigurationError:
    """The exception that says why a configuration is not applied: the first problem, then the others."""
    first, *others = problems
    told = [f"{first.text} ({source.path}:{first.place.line}:{first.place.column})", *map(source.told, others)]
    return ConfigurationError(first.key, "\n".join(told))


def _not_yaml(error: yaml.YAMLError) -> Problem:
    text = getattr(error, "problem", None) or str(error).partition("\n")[0]
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if begin and "end of stream" in text:  # a quote that is not closed is noticed at the end of the file
        mark, text = begin, f"{text} {getattr(error, 'context', '')} that begins here"
    hint = "; indent with spaces" if "\\t" in text or "'\t'" in text else ""
    return Problem(_place(mark), "", f"this is not YAML: {text}{hint}")


def _parse(source: Source) -> None:
    loader = _Loader(source.content)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            source.add((), "a mapping with version, handlers and root is wanted")
            return
        for key, node in _walk(source, root):
            _fill(source, key, node)
        if not source.problems:
            source.values = loader.construct_document(root)
    finally:
        loader.dispose()


def _walk(source: Source, root: yaml.Node) -> Iterator[tuple[KeyPath, yaml.ScalarNode]]:
    """All scalar values; notes where keys stand, and which are there twice: YAML silently takes the last."""
    waiting: list[tuple[KeyPath, yaml.Node, tuple[yaml.Node, ...]]] = [((), root, ())]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        key, node, above = waiting.pop()
        if node in above or len(key) > DEEPEST:
            what = "an alias to what it stands in" if node in above else f"nested more than {DEEPEST} levels deep"
            source.add(key[:3], what)
            return
        if isinstance(node, yaml.ScalarNode):
            if node.tag != "tag:yaml.org,2002:str":
                source.plain[_written(key)] = node.value
            yield key, node
        seen: set[str | int] = set()
        for name, mark, child in _children(node):
            place = source.places[_written((*key, name))] = _place(mark.start_mark)
            if name in seen:
                source.problems.append(Problem(place, dotted((*key, name)), "is here twice; leave one"))
            seen.add(name)
            waiting.append(((*key, name), child, (*above, node)))
    source.add((), f"more than {MOST_VALUES} values")


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    """Name, the node that marks the place, and value, of all that is directly below a node."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.tag != "tag:yaml.org,2002:merge":
                yield str(name.value), name, value
    elif isinstance(node, yaml.SequenceNode):
        yield from ((i, value, value) for i, value in enumerate(node.value))


def _place(mark: yaml.Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _written(key: KeyPath) -> tuple[str, ...]:
    """A key as it is in the file, where a mapping may have numbers for names."""
    return tuple(map(str, key))


def _fill(source: Source, key: KeyPath, node: yaml.ScalarNode) -> None:
    """Replace ``${NAME}``, ``${NAME:-default}`` and ``file:PATH`` in a value.

    A value without quotes is read as YAML once it is filled in, so that ``port: ${PORT}`` is a number; a value
    in quotes stays text. ``$${`` stands for ``${``.
    """
    written = node.value
    if node.tag != "tag:yaml.org,2002:str" or not isinstance(written, str):
        return
    if written.startswith("file:") and not written.startswith("file://"):
        filled = _from_file(source, key, written.removeprefix("file:").strip())
    else:
        filled = _VARIABLE.sub(lambda match: _from_environment(source, key, match), written)
    if filled != written:
        source.replaced[key] = written
        node.value = filled
        if not node.style and not written.startswith("file:"):
            node.tag = _RESOLVER.resolve(yaml.ScalarNode, filled, (True, False))


def _from_environment(source: Source, key: KeyPath, match: re.Match[str]) -> str:
    if match["escaped"]:
        return "$"
    value = os.environ.get(match["name"], "")
    if not value and match["default"] is None:
        name = match["name"]
        source.add(key, f"the environment has no {name}: set it, or write ${{{name}:-default}}")
    return value or match["default"] or ""


def _from_file(source: Source, key: KeyPath, name: str) -> str:
    try:
        return Path(name).read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        source.add(key, f"{name} cannot be read: {getattr(error, 'strerror', None) or error}")
        return ""
