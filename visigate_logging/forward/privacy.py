"""What stays on the host: fields that are left out, and values that go as a pseudonym."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Record

_SHORTEST = 3
"""Characters that a value must have to be looked for in other texts: one letter is in all of them."""


@dataclass(frozen=True, kw_only=True)
class Pseudonyms:
    """What goes as a pseudonym: alike for alike values, and without the secret nobody can tell of which.

    HMAC-SHA256 (RFC 2104), of which 16 hex digits are sent.

    Args:
        secret: the key; best from a file or the environment. Another makes other pseudonyms.
        fields: dotted names of fields, as ``additional_info.plate``; their values are replaced wherever they stand.
        patterns: regular expressions; what they find is replaced in every text.
    """

    secret: str
    fields: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def __post_init__(self) -> None:
        if not self.secret:
            raise ConfigurationError("secret", "is empty; without one everybody could try all plates")

    def of(self, text: str) -> str:
        """Return the pseudonym of a text."""
        return "~" + hmac.digest(self.secret.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hex()[:16]


@dataclass(frozen=True)
class Privacy:
    """What is taken from a record before it leaves the host.

    Args:
        leave_out: dotted names of fields.
        pseudonyms: what goes as a pseudonym.
    """

    leave_out: tuple[str, ...] = ()
    pseudonyms: Pseudonyms | None = None

    def apply(self, record: Record) -> Record:
        """Return the record as it may leave the host."""
        for name in self.leave_out:
            record = _without(record, name.split("."))
        if self.pseudonyms is None:
            return record
        return {**_replaced(record, self._replacement(record, self.pseudonyms)), "event_id": record["event_id"]}

    def _replacement(self, record: Record, pseudonyms: Pseudonyms) -> Callable[[str], str]:
        values = {str(value) for name in pseudonyms.fields for value in _values(record, name.split("."))}
        known = {value for value in values if len(value) >= _SHORTEST}
        found = [re.escape(value) for value in sorted(known, key=len, reverse=True)]
        patterns = [*([re.compile("|".join(found))] if found else []), *pseudonyms.patterns]

        def replace(text: str) -> str:
            if text in values:
                return pseudonyms.of(text)
            for pattern in patterns:
                text = pattern.sub(lambda match: pseudonyms.of(match[0]), text)
            return text

        return replace


def _without(record: Record, path: list[str]) -> Record:
    name, *rest = path
    if name not in record:
        return record
    if not rest:
        return {key: value for key, value in record.items() if key != name}
    inner = record[name]
    if isinstance(inner, Mapping):
        return {**record, name: _without(inner, rest)}
    if isinstance(inner, list):
        return {**record, name: [_without(one, rest) if isinstance(one, Mapping) else one for one in inner]}
    return record


def _values(record: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(record, list):
        for one in record:
            yield from _values(one, path)
    elif not path:
        if isinstance(record, Mapping):
            yield from (value for value in record.values() if isinstance(value, str | int))
        elif isinstance(record, str | int):
            yield record
    elif isinstance(record, Mapping) and path[0] in record:
        yield from _values(record[path[0]], path[1:])


def _replaced(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, Mapping):
        return {replace(name): _replaced(inner, replace) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, replace) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        return new if (new := replace(text)) != text else value
    return value
