"""Parts of groups that are groups of their own by decision: which errors are of which part. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from visigate_logging.exceptions import DecisionError
from visigate_logging.triage.decisions import Decision

FIELDS = {"type": "error_type"}
"""Facets that a record has under another name."""
TEXTS = {"message": ("message", "error_message"), "frame": ("traceback",)}


class Split(NamedTuple):
    """A part of a group: the group, what its errors have in common, and the key that they get."""

    key: str
    where: str
    into: str


def split_key(key: str, where: str) -> str:
    """Return the key of a part of a group: the same whenever it is split so."""
    digest = hashlib.blake2b(f"{key} {where}".encode(), digest_size=8).hexdigest()
    return f"{key.partition(':')[0]}:{digest}" if ":" in key else digest


def check_where(where: str) -> None:
    """Refuse what says of no error whether it is of a part.

    Raises:
        DecisionError: it has no name or no value.
    """
    name, equals, value = where.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise DecisionError(
            f"{where!r} names no part of a group: give FACET=VALUE, such as camera=entrance or host=gate-north, "
            "message=TEXT, or frame=TEXT for a file or function of the traceback"
        )


def splits_of(decisions: Iterable[Decision]) -> dict[str, list[Split]]:
    """Return the parts of each group, the first that was split off first."""
    found: dict[str, list[Split]] = {}
    for decision in decisions:
        if decision.action == "split":
            part, parts = Split(decision.key, decision.where, decision.into), found.setdefault(decision.key, [])
            if part not in parts:
                parts.append(part)
    return found


def part_of(record: Mapping[str, Any], parts: Iterable[Split]) -> str:
    """Return the key of the part that an error is of; empty for none."""
    return next((part.into for part in parts if says(record, part.where)), "")


def says(record: Mapping[str, Any], where: str) -> bool:
    """Return whether a record says of itself what the errors of a part have in common.

    Args:
        record: its fields.
        where: ``FACET=VALUE``, of the application's own facets too; ``message=TEXT`` for a part of what was logged or
            raised, ``frame=TEXT`` for one of a line of the traceback that names file and function; in any case.
    """
    name, _, value = where.partition("=")
    if name in TEXTS:
        texts = "\n".join(str(record.get(field, "")) for field in TEXTS[name])
        lines = texts.splitlines() if name == "frame" else [texts]
        return any(
            value.casefold() in line.casefold() for line in lines if name != "frame" or line.startswith("  File")
        )
    own = record.get("facets")
    found = own[name] if isinstance(own, Mapping) and name in own else record.get(FIELDS.get(name, name))
    return str(found).casefold() == value.casefold()
