"""Secrets out of texts and mappings, before anything is written or sent."""

import re
from collections.abc import Iterable
from typing import Any

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.pseudonyms import Pseudonyms
from visigate_logging.detail.secret_forms import FORMS, MASK, key_forms
from visigate_logging.detail.secret_names import GLUED, INSIDE_WORDS, SECRET_KEYS

MAX_KEY = 256
"""Characters of a key that are looked at."""
MAX_KEYS = 1024
"""Keys that are remembered."""

_GLUED = re.compile(GLUED)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")


class Redactor:
    """Masks secrets.

    Args:
        mask_keys: further keys whose values are secret, beside :data:`SECRET_KEYS`.
        pseudonyms: what gives the values under some keys another name; None for none.
    """

    def __init__(self, mask_keys: Iterable[str] = (), pseudonyms: Pseudonyms | None = None) -> None:
        self._phrases = {tuple(_words(k)) for k in (*SECRET_KEYS, *filter(_words, mask_keys))}
        self._pseudonyms = pseudonyms
        named = (pseudonyms.form,) if pseudonyms else ()
        self._forms = (*named, *FORMS, *key_forms(self._phrases))
        self._forms_of_ascii = tuple((tuple(filter(str.isascii, hints)), mask) for hints, mask in self._forms)
        self._known: Bounded[str, bool | None] = Bounded(
            MAX_KEYS, self._names_secret, lambda key, _: len(key) <= MAX_KEY
        )

    def is_secret(self, key: str, value: Any = None) -> bool:
        """Return whether the value under a key is a secret, by the words of the key; for a pin by the value, too."""
        known = self._known[key]
        return _is_code(value) if known is None else known

    def stand_in(self, key: str, value: Any) -> str:
        """Return what is written in the place of a secret value."""
        return (self._pseudonyms and self._pseudonyms.of(key, value)) or MASK

    def _names_secret(self, key: str) -> bool | None:
        """None for the key of a pin."""
        if self._pseudonyms and self._pseudonyms.concerns(key):
            return True
        words = _words(key[:MAX_KEY])
        if words[-1:] == ["pw"] or any(part in word for word in words for part in INSIDE_WORDS):
            return True
        if any(map(_GLUED.fullmatch, words)):
            return True
        if any(
            all(word in (part, f"{part}s", f"{part}es") for word, part in zip(words[i:], phrase, strict=False))
            for phrase in self._phrases
            for i in range(len(words) - len(phrase) + 1)
        ):
            return True
        return None if words[-1:] in (["pin"], ["pins"]) else False

    def text(self, text: str) -> str:
        """Return a text with the secrets in it masked."""
        low = text.lower()
        for hints, mask in self._forms_of_ascii if low.isascii() else self._forms:
            for hint in hints:
                if hint in low:
                    text = mask(text)
                    break
        return text


def _is_code(value: Any) -> bool:
    """Return whether a value, or one of several, is one that a person types to be let in."""
    if type(value) in {list, tuple, set}:
        return any(map(_is_code, tuple(value)[:100]))
    if type(value) is int:
        return 1000 <= value < 10**12
    return type(value) is str and value.isdecimal() and 4 <= len(value) <= 12


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]
