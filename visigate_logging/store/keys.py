"""The keys that lead to the group of a line: its own, and those that earlier rules gave the same errors."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.facets import word_of

__all__ = ["LONGEST", "group_key", "older_keys"]

LONGEST = 500
"""Characters of a key; the application may name groups as it likes."""
LOOKED_AT = ("fingerprint", "grouping", "error_message", "message", "message_template", "logger")


def group_key(record: Mapping[str, Any]) -> str:
    """Return the key of a record's group.

    Args:
        record: a line of the log. Without a fingerprint, as other programs write them, it is grouped by type and
            module.
    """
    own = word_of(record.get("fingerprint"), LONGEST)
    return own or f"{word_of(record.get('error_type'))} in {word_of(record.get('module'))}"


def older_keys(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that earlier rules gave the same error."""
    from visigate_logging.detail.grouping import former_keys  # whose forms take longer to compile than most answers

    looked_at = SimpleNamespace(**{name: record.get(name, "") for name in LOOKED_AT})
    return former_keys(cast(ErrorDetail, looked_at))
