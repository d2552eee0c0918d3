"""Which group an error belongs to: one module for each version of the rules, the old beside the new.

A key is made of what stays the same when the same fault happens again: in another process, after a restart, when
lines have shifted. It bears the version of the rules that made it; a rule that a later version did not change goes on
making the keys that it made. What the rules look at is stored in each record as ``grouping``, so that later rules can
regroup it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from visigate_logging.detail.grouping import v1, v2, v3, v4
from visigate_logging.detail.grouping.keys import Parts

if TYPE_CHECKING:
    from visigate_logging.detail.record import ErrorDetail

__all__ = ["Parts", "current_key", "former_keys", "key_of_parts", "mask"]

mask = v3.mask
"""A message with what varies from case to case masked, by today's rules."""

key_of_parts = v4.key
"""The key by today's rules."""


def current_key(record: "ErrorDetail") -> str:
    """Return the key that today's rules give a stored record; its own where its parts do not tell.

    Args:
        record: of any version.
    """
    parts = record.grouping
    try:
        if not parts or not all(isinstance(m, Mapping) for m in parts.get("members", ())):
            return record.fingerprint
        return key_of_parts(parts, record.error_message)
    except Exception:  # parts that are none
        return record.fingerprint


def former_keys(record: "ErrorDetail") -> tuple[str, ...]:
    """Return the keys that the same error had by earlier rules, beside the one that it has; newest rules first.

    A group that is known by one of them is not new. Never raises: a line may hold anything.

    Args:
        record: one that today's rules have grouped.
    """
    try:
        return _former(record)
    except Exception:  # parts that are none
        return ()


def _former(record: "ErrorDetail") -> tuple[str, ...]:
    parts, text = record.grouping, record.error_message
    if not parts or "named" in parts:
        return ()
    found = [rules.key(parts, text) for rules in (v3, v2, v1)]
    if "logger" in parts and record.message_template:  # of a call with arguments v1 looked at that
        found.append(v1.key(parts, record.message_template))
    if "call" in parts:  # until handled exceptions were taken up, it was a text
        as_text = {"logger": record.logger, "culprit": (parts["call"],)}
        found += [v1.key(as_text, told) for told in (record.message, record.message_template)]
    return tuple(dict.fromkeys(key for key in found if key != record.fingerprint))
