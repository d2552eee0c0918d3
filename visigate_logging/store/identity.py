"""What a record is known by: its id, and the keys that lead to its group."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.facets import scalar, word_of
from visigate_logging.store.times import parse_timestamp

TELLING = ("timestamp", "error_type", "error_message", "module", "function", "message", "pid")
"""What tells a record without an id from another."""
LONGEST = 500
"""Characters of a key; the application may name groups as it likes."""
LOOKED_AT = ("fingerprint", "grouping", "error_message", "message", "message_template", "logger")


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


def imported_log(log: Path) -> Path:
    """Return the file beside a log that takes imported errors; no handler writes to it or rotates it."""
    return log.with_name(log.name + ".imported")


def legacy_tie(name: str) -> bytes:
    """Return the lower half of the id that an imported file gets: by its name alone, so that old links find it."""
    return blake2b(Path(name).name.encode(), digest_size=8).digest()
