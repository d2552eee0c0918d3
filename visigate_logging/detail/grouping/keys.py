"""How a key is written: the version of the rules that made it, and a hash of the parts that they looked at."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

Parts = Mapping[str, Any]
"""What a record stores as ``grouping``: what is known of an error that may tell it from others.

``named``, or ``members`` of an exception group, or ``type``, ``code``, ``culprit``, ``message`` and ``causes`` of an
exception, or ``logger``, ``culprit`` and one of ``template``, ``event`` and ``message`` of a text.
"""

KEEPS_NAMES = ("AttributeError", "NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError", "TypeError")
"""Exceptions whose texts name, in quotes, what is missing or of a wrong type."""


def key_of(version: str, **parts: Any) -> str:
    """Return the key: the same in every process, for the same parts in the same order.

    Args:
        version: of the rules, as in ``v1``.
        parts: what they looked at.
    """
    return f"{version}:{hashlib.blake2b(orjson.dumps(tuple(parts.items())), digest_size=8).hexdigest()}"
