"""The values of local variables, looked at without running code of the application.

Types are asked past their metaclass, objects past their properties and ``__getattribute__``; containers are read by
the methods of the built-in type that they are made of. What is more than that is told by its type.
"""

import itertools
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from inspect import CO_OPTIMIZED
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from visigate_logging.detail.forms import MISSING, own_fields, plain_standard, shape_of, type_name
from visigate_logging.detail.long_texts import LOOKED_AT, MAX_TEXT, Cut, mapped
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.secret_forms import MASK
from visigate_logging.detail.values import utf8

HIDES = "__hide_values__"
"""A local variable of this name, whatever its value, spares its function."""

MAX_VARIABLES = 30
"""Variables that are kept of a frame."""
MAX_ITEMS = 8
"""Items that are kept of a container, and attributes of an object."""
MAX_DEPTH = 3
"""Levels of nesting that are kept."""
MAX_ATTRIBUTE = 80
"""Characters that are kept of an attribute."""
MAX_ALL = 4000
"""Characters that all values of an error may have together."""
PER_VALUE = 8
"""Characters that a value counts for, beside those of its text."""

# By identity: a metaclass may have its own ``__eq__`` and ``__hash__``.
_NOT_TOLD = frozenset(map(id, (ModuleType, FunctionType, BuiltinFunctionType, MethodType)))
_SIMPLE = frozenset(map(id, (str, int, float, bool)))
_MAY_BE_CODE = frozenset(map(id, (str, int, list, tuple, set)))
_INT64 = range(-(2**63), 2**63)
_exception_args = BaseException.__dict__["args"].__get__


def values_of(frames: Iterable[FrameType], redactor: Redactor) -> list[dict[str, Any]]:
    """Return the values of the variables of some frames, without secrets.

    Args:
        frames: those that matter most first: what is too much is left out of the last.
        redactor: masks the secrets, by the names of variables, keys and attributes and by their form.
    """
    look = _Look(redactor)
    found = []
    for frame in frames:
        with_names = _variables(frame)
        try:
            found.append(look.variables(with_names))
        finally:
            _let_go(frame, with_names)
    return look.masked(found)


def _variables(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    return {} if HIDES in code.co_varnames or HIDES in code.co_names else frame.f_locals


if sys.version_info >= (3, 13):

    def _let_go(frame: FrameType, variables: dict[str, Any]) -> None:
        """Do nothing: what was read is a view (PEP 667)."""

else:
    _KNOWN_HERE = 5  # the frame, values_of, its argument here, the one of getrefcount, and the caller's own

    def _let_go(frame: FrameType, variables: dict[str, Any]) -> None:
        """Empty the copy of its variables that a frame keeps for as long as it runs; not one that others have.

        Before Python 3.13 ``f_locals`` is such a copy, which ``locals()`` gives to the application too.
        """
        if frame.f_code.co_flags & CO_OPTIMIZED and sys.getrefcount(variables) < _KNOWN_HERE:
            variables.clear()


class _Look:
    """One look at the values of an error, counting what it has kept."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = MAX_ALL
        self._texts: list[str] = []

    def variables(self, held: Any) -> dict[str, Any]:
        """Return the values under their names."""
        kept: dict[str, Any] = {}
        for name, value in list(held.items()):
            if id(type(value)) in _NOT_TOLD or issubclass(type(value), type) or _is_dunder(name):
                continue
            if len(kept) >= MAX_VARIABLES or self._left <= 0:
                kept["…"] = "[more variables cut]"
                break
            kept[self._text(name)] = self._under(name, value, 0)
        return kept

    def _under(self, name: str, value: Any, depth: int) -> Any:
        """Return the value under a name, which may say that it is secret."""
        simple = value if id(type(value)) in _MAY_BE_CODE else None
        if value is not None and self._redactor.is_secret(name, simple):
            return self._redactor.stand_in(name, value) if id(type(value)) in _SIMPLE else MASK
        return self._value(value, depth)

    def _text(self, text: str) -> str:
        shown = text if len(text) <= MAX_TEXT else text[:LOOKED_AT]
        self._left -= min(len(text), MAX_TEXT)
        self._texts.append(shown)
        return shown if shown is text else Cut(shown, len(text))

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= PER_VALUE
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if value in _INT64 else f"<int of {value.bit_length()} bits>"
        if kind is float:
            return value if math.isfinite(value) else f"<{value}>"
        try:
            return self._other(value, kind, depth)
        except Exception as error:  # changed meanwhile by another thread, or nothing that is known
            return self._text(f"<{type_name(value)}: {type_name(error)} when looked at>")

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        for base, items in _CONTAINERS:
            if issubclass(kind, base):
                count = base.__len__(value)  # type: ignore[attr-defined]  # of the built-in, not what a subclass says
                if depth >= MAX_DEPTH or self._left <= 0:
                    return self._text(f"<{type_name(value)} of {count}>")
                return items(self, value, count, depth + 1)
        if issubclass(kind, (bytes, bytearray)):
            return self._bytes(value)
        plain = plain_standard(value)
        if plain is not MISSING:
            return self._text(plain) if type(plain) is str else plain
        return self._text(self._object(value))

    def _bytes(self, value: bytes | bytearray) -> str:
        kind: Any = bytes if issubclass(type(value), bytes) else bytearray
        size = kind.__len__(value)
        if size > MAX_TEXT:
            return self._text(f"<{type_name(value)} of {size} bytes>")
        return self._text(bytes(kind.__getitem__(value, slice(None))).decode("utf-8", "backslashreplace"))

    def mapping(self, value: dict[Any, Any], count: int, depth: int) -> dict[str, Any]:
        """Return the first items of a mapping."""
        kept: dict[str, Any] = {}
        for key, held in itertools.islice(dict.items(value), MAX_ITEMS):
            name = key if type(key) is str else str(self._value(key, MAX_DEPTH))
            kept[self._text(name)] = self._under(name, held, depth)
        if count > MAX_ITEMS:
            kept["…"] = f"[{count - MAX_ITEMS} more]"
        return kept

    def several(self, values: Iterator[Any], count: int, depth: int) -> list[Any]:
        """Return the first of several values."""
        kept = [self._value(held, depth) for held in itertools.islice(values, MAX_ITEMS)]
        return [*kept, f"[{count - MAX_ITEMS} more]"] if count > MAX_ITEMS else kept

    def _object(self, value: Any) -> str:
        """Return the type of an object, with those of its attributes that are simple."""
        if shape := shape_of(value):
            return shape
        if issubclass(type(value), BaseException):
            simple = [self._shown("", held) for held in _exception_args(value)[:MAX_ITEMS]]
            return f"<{type_name(value)}({', '.join(filter(None, simple))})>"
        told = (self._shown(name, held) for name, held in own_fields(value))
        shown = list(itertools.islice(filter(None, told), MAX_ITEMS))
        return f"<{' '.join([type_name(value), ', '.join(shown)]).rstrip()}>"

    def _shown(self, name: str, value: Any) -> str:
        is_simple = id(type(value)) in _SIMPLE or (type(value) is tuple and _is_size(value))
        if not is_simple or _is_dunder(name):
            return ""
        if name and self._redactor.is_secret(name, value):
            instead = self._redactor.stand_in(name, value)
            return f"{name}={instead if instead == MASK else repr(instead)}"
        text = repr(value[:LOOKED_AT] if type(value) is str else value)
        text = text if len(text) <= MAX_ATTRIBUTE else f"{self._redactor.text(text)[:MAX_ATTRIBUTE]}…"
        return f"{name}={text}" if name else text

    def masked(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the values with what looks like a secret masked, and what is too long cut.

        Most have none: then all texts together are looked at once.
        """
        together = "\n".join(self._texts)
        mask = self._redactor.text
        is_clean = utf8(together) == together and mask(together) == together
        return [mapped(values, str if is_clean else lambda text: mask(utf8(text))) for values in found]


_CONTAINERS: tuple[tuple[type, Callable[..., Any]], ...] = (
    (dict, _Look.mapping),
    (list, lambda look, value, count, depth: look.several(list.__iter__(value), count, depth)),
    (tuple, lambda look, value, count, depth: look.several(tuple.__iter__(value), count, depth)),
    (set, lambda look, value, count, depth: look.several(set.__iter__(value), count, depth)),
    (frozenset, lambda look, value, count, depth: look.several(frozenset.__iter__(value), count, depth)),
    (deque, lambda look, value, count, depth: look.several(deque.__iter__(value), count, depth)),
)


def _is_size(value: tuple[Any, ...]) -> bool:
    """Return whether it is a few numbers, as the size of an image."""
    return 0 < len(value) <= 4 and all(type(one) is int or type(one) is float for one in value)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
