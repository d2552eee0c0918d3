"""Secrets out of texts and mappings, before anything is written or sent."""

import re
from collections.abc import Iterable
from typing import Any

from visigate_logging.detail.secret_forms import FORMS, INSIDE_WORDS, MASK, key_forms

__all__ = ["MASK", "Redactor"]

MAX_KEY = 256
"""Characters of a key that are looked at."""

SECRET_KEYS = (
    "password", "passwd", "passphrase", "pwd", "pass", "loginpas", "psk", "passcode", "secret", "token",
    "api_key", "access_key", "account_key", "encryption_key", "private_key", "credential",
    "authorization", "auth", "cookie", "session_id", "csrf", "jwt", "pin_code",
)  # fmt: skip
"""A key is secret when it has one of these among its words: ``db_password``, ``X-Api-Key``, ``userToken``.

``pw`` is as the last word, ``pin`` too when its value has four digits or more: the pins of a board have fewer. Never
is ``key`` by itself: it mostly names an entry of a cache or a mapping, which is what one looks for after an error.
"""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")


class Redactor:
    """Masks secrets.

    Args:
        mask_keys: further keys whose values are secret, beside :data:`SECRET_KEYS`.
    """

    def __init__(self, mask_keys: Iterable[str] = ()) -> None:
        self._phrases = {tuple(_words(k)) for k in (*SECRET_KEYS, *filter(_words, mask_keys))}
        self._forms = (*FORMS, *key_forms(self._phrases))
        self._known: dict[str, bool | None] = {}

    def is_secret(self, key: str, value: Any = None) -> bool:
        """Whether the value under a key is a secret, by the words of the key; for a pin by the value, too."""
        try:
            known = self._known[key]
        except KeyError:
            known = self._names_secret(key)
            if len(key) <= MAX_KEY:
                if len(self._known) >= 1024:
                    self._known.clear()
                self._known[key] = known
        return _is_code(value) if known is None else known

    def _names_secret(self, key: str) -> bool | None:
        """None for the key of a pin."""
        words = _words(key[:MAX_KEY])
        if words[-1:] == ["pw"] or any(part in word for word in words for part in INSIDE_WORDS):
            return True
        if any(
            all(word in (part, f"{part}s", f"{part}es") for word, part in zip(words[i:], phrase, strict=False))
            for phrase in self._phrases
            for i in range(len(words) - len(phrase) + 1)
        ):
            return True
        return None if words[-1:] in (["pin"], ["pins"]) else False

    def text(self, text: str) -> str:
        """A text with the secrets in it masked."""
        low = text.lower()
        for hints, mask in self._forms:
            for hint in hints:
                if hint in low:
                    text = mask(text)
                    break
        return text


def _is_code(value: Any) -> bool:
    """Whether a value, or one of several, is one that a person types to be let in."""
    if type(value) in {list, tuple, set}:
        return any(map(_is_code, tuple(value)[:100]))
    if type(value) is int:
        return 1000 <= value < 10**12
    return type(value) is str and value.isdecimal() and 4 <= len(value) <= 12


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]
