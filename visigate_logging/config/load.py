"""The configuration file, with where each of its values stands, and values from the environment and from files."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from visigate_logging.config.source import Problem, Source, as_written, dotted
from visigate_logging.config.yaml_mistakes import place_of, why_unreadable
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options.faults import KeyPath

LARGEST = 1_048_576
"""Bytes of a configuration file; a larger one is none."""
DEEPEST = 50
"""Levels of keys below each other."""
MOST_VALUES = 20_000
"""Values of a configuration, with those that aliases repeat: a few lines of aliases can stand for billions."""

# In capitals only: formats with style "$" have fields as ${message}.
_VARIABLE = re.compile(r"\$(?P<escaped>\$(?=\{))|\$\{(?P<name>[A-Z_][A-Z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_RESOLVER: Any = yaml.SafeLoader("")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: str | os.PathLike[str], content: bytes | None = None) -> Source:
    """Read a configuration file; what is wrong with it is in ``problems``.

    Args:
        path: the file.
        content: what is in it, when that is known already.

    Raises:
        ConfigurationError: the file cannot be read at all.
    """
    if isinstance(path, Mapping):
        raise ConfigurationError("", "the path of a YAML file is wanted; logging.config.dictConfig takes a mapping")
    try:
        source = Source(Path(path), Path(path).read_bytes() if content is None else content)
    except OSError as error:
        raise ConfigurationError("", f"{path} cannot be read: {error.strerror}") from error
    if len(source.content) > LARGEST:
        raise ConfigurationError("", f"{path} has {len(source.content)} bytes; at most {LARGEST} are read")
    try:
        _parse(source)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        place, text = why_unreadable(source.content, error)
        source.problems.append(Problem(place, "", text))
    source.unreadable = bool(source.problems)
    return source


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
    """Yield all scalar values; notes where keys stand, and which are there twice: YAML silently takes the last."""
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
                source.plain[as_written(key)] = node.value
            yield key, node
        seen: set[str | int] = set()
        for name, mark, child in _children(node):
            place = source.places[as_written((*key, name))] = place_of(mark.start_mark)
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
                begins_below = value.start_mark.line > name.start_mark.line and _is_in_line(value)
                yield str(name.value), value if begins_below else name, value
    elif isinstance(node, yaml.SequenceNode):
        yield from ((i, value, value) for i, value in enumerate(node.value))


def _is_in_line(node: yaml.Node) -> bool:
    return bool(node.value) and (isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", None) is True)


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
