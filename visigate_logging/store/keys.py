"""The keys that lead to the group of a line: its own, and those that earlier rules gave the same errors."""

from collections.abc import Mapping
from typing import Any

from visigate_logging.store.facets import word_of

__all__ = ["LONGEST", "group_keys"]

LONGEST = 500
"""Characters of a key; the application may name groups as it likes."""


def group_keys(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the key of a record's group, and then older ones of the same errors.

    Args:
        record: a line of the log. Without a fingerprint, as other programs write them, it is grouped by type and
            module.
    """
    own = word_of(record.get("fingerprint"), LONGEST)
    return (own or f"{word_of(record.get('error_type'))} in {word_of(record.get('module'))}",)
