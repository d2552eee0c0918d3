"""What to do about an error, by its message, type and category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError

__all__ = ["Advice", "advice_for", "read_advice", "shipped"]


@dataclass(frozen=True, slots=True)
class Advice:
    """One rule: all of its conditions that are given must hold.

    Args:
        text: what to do.
        types: names of exception types, of which one is in the chain.
        categories: the classifier's, of which the error has one.
        words: of which one is in a message, whatever its case.
    """

    text: str
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()

    def holds(self, detail: ErrorDetail) -> bool:
        """Return whether it speaks of this error."""
        chain = {detail.error_type, *(e.type for e in detail.exceptions)}
        said = " ".join([detail.error_message, detail.message, *(e.message for e in detail.exceptions)]).lower()
        return (
            (not self.types or not chain.isdisjoint(self.types))
            and (not self.categories or detail.category in self.categories)
            and (not self.words or any(word in said for word in self.words))
        )


def advice_for(detail: ErrorDetail, own: Sequence[Advice] = ()) -> str:
    """Return what to do: by the administrator's own table, then by the one that is shipped; else nothing."""
    return next((rule.text for rule in (*own, *shipped()) if rule.holds(detail)), "")


@cache
def shipped() -> tuple[Advice, ...]:
    """Return the table that comes with the package, ``advice.yaml`` beside this file."""
    import yaml

    return read_advice(yaml.safe_load(Path(__file__).with_name("advice.yaml").read_text("utf-8")))


def read_advice(given: Any) -> tuple[Advice, ...]:
    """Return the rules of a table as YAML has it: a list of rules, or a mapping of types or categories to texts.

    Raises:
        ConfigurationError: a rule cannot be; ``key`` is below the table.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(rule for name, text in given.items() for rule in _named(name, text))
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigurationError("", f"{given!r} is neither a mapping of names to texts nor a list of rules")
    return tuple(_rule(str(n), rule) for n, rule in enumerate(given))


def _named(name: Any, text: Any) -> tuple[Advice, Advice]:
    return Advice(_text(str(name), text), types=frozenset({str(name)})), Advice(
        text, categories=frozenset({str(name)})
    )


def _rule(key: str, rule: Any) -> Advice:
    if not isinstance(rule, Mapping):
        raise ConfigurationError(key, f"{rule!r} is no mapping with advice and any of types, categories, words")
    for name in rule:
        if name not in ("advice", "types", "categories", "words"):
            raise ConfigurationError(f"{key}.{name}", "not known; possible are advice, types, categories, words")
    lists = {name: _list(f"{key}.{name}", rule.get(name)) for name in ("types", "categories", "words")}
    if not any(lists.values()):
        raise ConfigurationError(key, "says of no error that it speaks of it: give types, categories or words")
    return Advice(
        _text(f"{key}.advice", rule.get("advice")),
        frozenset(lists["types"]),
        frozenset(lists["categories"]),
        tuple(word.lower() for word in lists["words"]),
    )


def _list(key: str, value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigurationError(key, f"{value!r} is no list of texts")
    return found


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(key, f"{value!r} is no text that says what to do")
    return value
