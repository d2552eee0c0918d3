"""Texts that are cut once their secrets are masked: cut before, one might be known as a secret no more."""

from collections.abc import Callable
from typing import Any, Self

MAX_TEXT = 200
"""Characters that are kept of a text."""
LOOKED_AT = 600
"""Characters of a text in which secrets are looked for."""


class Cut(str):
    """A text that is to be cut, once its secrets are masked."""

    __slots__ = ("size",)

    def __new__(cls, text: str, size: int) -> Self:
        """Keep how long the whole was."""
        made = super().__new__(cls, text)
        made.size = size  # type: ignore[attr-defined]  # which a Cut has
        return made


def mapped(value: Any, mask: Callable[[str], str]) -> Any:
    """Return plain values with each text masked, and cut to `MAX_TEXT`."""
    if isinstance(value, dict):
        return {mask(name): mapped(held, mask) for name, held in value.items()}
    if isinstance(value, list):
        return [mapped(held, mask) for held in value]
    if not isinstance(value, str):
        return value
    text = mask(str.__str__(value))
    if len(text) <= MAX_TEXT:
        return text
    size = value.size if type(value) is Cut else len(text)  # type: ignore[attr-defined]  # likewise
    return f"{text[:MAX_TEXT]}[… {size - MAX_TEXT} more]"
