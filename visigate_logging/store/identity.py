"""The ids of records: their own, or made from their content."""

from hashlib import blake2b
from typing import Any

import orjson

from visigate_logging.store.facets import scalar
from visigate_logging.store.times import parse_timestamp

__all__ = ["id_bytes", "identify"]

TELLING = ("timestamp", "error_type", "error_message", "module", "function", "message", "pid")
"""What tells a record without an id from another."""


def id_bytes(event_id: object) -> bytes | None:
    """Return the 16 bytes of an event's id, of which the lower half tells it from others; None for what is no id."""
    try:
        whole = bytes.fromhex(event_id)  # type: ignore[arg-type]  # what is no text is refused here
    except (ValueError, TypeError):
        return None
    return whole if len(whole) == 16 else None


def identify(record: dict[str, Any]) -> str:
    """Return the id of a record: its own, or one made from its content when it has none that is valid."""
    if id_bytes(record.get("event_id")):
        return str(record["event_id"])
    telling = orjson.dumps([scalar(record.get(name)) for name in TELLING])
    content = blake2b(telling, digest_size=10).hexdigest()
    milliseconds = parse_timestamp(record["timestamp"]) // 1000
    return f"{milliseconds & (1 << 48) - 1:012x}7{content[:3]}{content[-16:]}"
