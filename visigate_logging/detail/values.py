"""Any value as plain JSON values: bounded, without secrets, whatever it does when it is looked at."""

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.forms import plain_form, type_name
from visigate_logging.detail.redaction import Redactor

MAX_DEPTH = 10
"""Levels of nesting that are kept."""
MAX_ITEMS = 1000
"""Items that are kept of each mapping or sequence."""

ITEM = 8
"""Bytes that each value counts for, beside those of its text."""
SHORTEST = 64
"""Bytes that a text keeps in any case."""

MAX_REMEMBERED = 256
"""Characters of a text that is remembered as harmless."""
MAX_HARMLESS = 2048
"""How many such texts are."""

_SEVERAL = (list, tuple, AbstractSet, deque, ValuesView)
_INT64 = range(-(2**63), 2**63)  # what JSON readers agree on


class Sanitiser:
    """Makes texts and values safe to write: UTF-8, bounded, secrets masked.

    What had to be changed stands in the place of the value, in words.

    Args:
        redactor: masks the secrets.
        limit: bytes a text, or all values of a mapping together, may have.
    """

    def __init__(self, redactor: Redactor, limit: int) -> None:
        self._redactor = redactor
        self._limit = limit
        self.text: Callable[[str], str] = Bounded(MAX_HARMLESS, self._text, _is_harmless).__getitem__
        """Return a text without secrets; of one over the limit the beginning and the end, with how much is gone."""

    def _text(self, text: str) -> str:
        if len(text) * 4 <= self._limit and text.isascii():
            return self._redactor.text(text)
        gone = 0
        wide = self._limit * 2  # secrets are masked before the cut, but not in megabytes that go anyway
        if len(text) > 2 * wide:
            gone = len(_encoded(text[wide:-wide]))
            text = text[:wide] + text[-wide:]
        return _cut(_encoded(self._redactor.text(_encoded(text).decode())), self._limit, gone)

    def around(self, text: str, masked: str, exc: BaseException) -> str:
        """Return a text that quotes an exception: what stands before that does not make a secret of it.

        Args:
            text: as ``Error checking credentials: database is locked``.
            masked: the same with its secrets masked, where none quotes another.
            exc: whose text is quoted, which is masked by itself.
        """
        told = safe_str(exc)
        if not told:
            return masked
        before, found, after = text.partition(told)
        if not found or not before[-1:].isspace():
            return masked
        return self.bounded(f"{self.text(before)}{self.text(told)}{self.text(after)}")

    def bounded(self, text: str, share: int = 1) -> str:
        """Return a text of clean parts, cut as a whole to the limit, or to that divided by ``share``."""
        limit = self._limit // share
        return text if len(text) * 4 <= limit else _cut(_encoded(text), limit)

    def value(self, value: Any) -> Any:
        """Any value as a plain one, with the values under secret keys masked, at any depth."""
        return _Walk(self, self._redactor, self._limit).value(value, ())


def _is_harmless(text: str, masked: str) -> bool:
    """Return whether a text is worth remembering: most come again; one with a secret is never kept."""
    return masked is text and len(text) <= MAX_REMEMBERED


def safe_str(value: object) -> str:
    """``str()`` of an exception, or what the standard library prints when that raises."""
    try:
        text = str(value)
        return text if type(text) is str else str.__str__(text)
    except Exception:  # whatever a hostile __str__ raises must not reach the application
        return "<exception str() failed>"


def word(value: object) -> str:
    """Return the text of what should be a name; None gives an empty one."""
    if type(value) is str and value.isascii():
        return value
    return "" if value is None else utf8(safe_str(value))


def utf8(text: str) -> str:
    """Return a text that can be written as UTF-8."""
    return text if text.isascii() else _encoded(text).decode()


def _encoded(text: str) -> bytes:
    r"""UTF-8; a lone surrogate becomes ``\udcXX``."""
    return text.encode("utf-8", "backslashreplace")


def _cut(encoded: bytes, limit: int, gone: int = 0) -> str:
    if len(encoded) <= limit and not gone:
        return encoded.decode()
    head, tail = encoded[: limit * 2 // 3], encoded[-(limit // 3) :]
    gone += len(encoded) - len(head) - len(tail)
    return f"{head.decode(errors='ignore')}[… {gone} bytes cut …]{tail.decode(errors='ignore')}"


class _Walk:
    """One walk through a value, counting what it has kept."""

    def __init__(self, sanitiser: Sanitiser, redactor: Redactor, limit: int) -> None:
        self._sanitiser = sanitiser
        self._redactor = redactor
        self._left = limit

    def _mapping(self, values: Mapping[Any, Any], trail: tuple[int, ...]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for index, (key, value) in enumerate(values.items()):
            if index >= MAX_ITEMS or self._left <= 0:
                kept["…"] = f"[{len(values) - index} more items cut]"
                break
            name = key if type(key) is str else self._key(key)
            secret = value is not None and self._redactor.is_secret(name, value)
            kept[self._text(name)] = self._redactor.stand_in(name, value) if secret else self.value(value, trail)
        return kept

    def _key(self, key: Any) -> str:
        plain = self.value(key, ())
        return plain if isinstance(plain, str) else str(plain)

    def _sequence(self, values: Collection[Any], trail: tuple[int, ...]) -> list[Any]:
        kept: list[Any] = []
        for value in values:
            if len(kept) >= MAX_ITEMS or self._left <= 0:
                kept.append(f"[{len(values) - len(kept)} more items cut]")
                break
            kept.append(self.value(value, trail))
        return kept

    def _text(self, text: str) -> str:
        clean = self._sanitiser.text(text)
        if len(clean) * 4 > self._left:
            encoded = _encoded(clean)
            clean = _cut(encoded, max(self._left, SHORTEST))
            self._left -= min(len(encoded), max(self._left, SHORTEST))
        else:
            self._left -= len(clean)
        return clean

    def value(self, value: Any, trail: tuple[int, ...]) -> Any:
        """Return a plain value; the trail has the ids of the containers it lies in."""
        self._left -= ITEM
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if value in _INT64 else self._text(_long(value))
        if kind is float:
            return value if math.isfinite(value) else f"<{value}>"
        try:
            return self._other(value, trail)
        except Exception as error:  # a hostile value may raise anything when it is looked at
            return f"<{word(type_name(value))}: {word(type_name(error))} when looked at>"

    def _other(self, value: Any, trail: tuple[int, ...]) -> Any:
        # By its type alone: what an object says of its class is its own code.
        is_mapping = issubclass(type(value), Mapping)
        if not is_mapping and not issubclass(type(value), _SEVERAL):
            plain = plain_form(value)
            if type(plain) is not dict:
                return self.value(plain, trail)
            held, is_mapping = plain, True
        else:
            held = value
        if id(value) in trail:
            return f"<cycle: {word(type_name(value))}>"
        if len(trail) >= MAX_DEPTH:
            return f"<{word(type_name(value))} of {len(held)}, nested too deep>"
        trail = (*trail, id(value))
        return self._mapping(held, trail) if is_mapping else self._sequence(held, trail)


def _long(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # over sys.get_int_max_str_digits()
        return f"<int of {value.bit_length()} bits>"
