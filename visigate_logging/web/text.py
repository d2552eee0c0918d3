"""Values from records as text on a page: whatever they are, harmless, legible and not too long."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.plain import plain
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.words import grouped as number
from visigate_logging.store.typed import about

LONGEST = 20_000
"""Characters of one text on a page; the JSON download has all."""
SPANS = ((86_400 * 2, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def text(given: Any, longest: int = LONGEST) -> str:
    """Return a value as text without control characters; what is left out of the end is counted."""
    whole = given if isinstance(given, str) else "" if given is None else str(given)
    more = len(whole) - longest
    if more <= 0:
        return plain(whole)
    return plain(whole[:longest]) + (f"… and {number(more)} characters more" if longest >= LONGEST else "…")


def value(given: Any) -> str:
    """Return a value of any kind: text as it is, a list of texts line by line, other structures as JSON."""
    if isinstance(given, list) and all(isinstance(item, str) for item in given):
        return text("\n".join(given))
    if isinstance(given, Mapping | Sequence) and not isinstance(given, str):
        return text(orjson.dumps(given, option=orjson.OPT_INDENT_2, default=str).decode())
    return text(given)


def parsed_time(timestamp: Any) -> datetime | None:
    """Return a record's timestamp in the local zone; None for what is none."""
    try:
        when = datetime.fromisoformat(timestamp)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def when(record: ErrorDetail) -> datetime | None:
    """Return when an error was, in the local zone: worked out if the clock was wrong."""
    return parsed_time(about(record) or record.timestamp)


def ago(when: datetime, now: datetime | None = None) -> str:
    """Return how long ago: ``3 min ago``; of what is to come, as after a clock was put right: ``in 2 h``."""
    seconds = ((now or datetime.now(UTC)) - when).total_seconds()
    for least, unit, name in SPANS:
        if abs(seconds) >= least:
            n = int(abs(seconds) // unit)
            return "now" if n == 0 else f"{n} {name} ago" if seconds > 0 else f"in {n} {name}"
    return "now"


def pairs(mapping: Any, *, empty: bool = False) -> list[tuple[str, str]]:
    """Return names and values of what should be a mapping.

    Args:
        mapping: it.
        empty: with those that are empty, as of variables, where that may be what is wrong; else they say nothing.
    """
    items = mapping.items() if isinstance(mapping, Mapping) else [("", mapping)]
    kept = [(name, given) for name, given in items if empty or given not in ("", None, [], {})]
    return [(text(name, 200), value(given) or repr(given)) for name, given in kept]


def place(frame: Frame) -> str:
    """Return where a frame stands, by the last two parts of the file's path."""
    file = "/".join(str(frame.file).rsplit("/", 2)[-2:])
    return text(f"{file}:{frame.line}", 300)


SHOWN = SimpleNamespace(
    about=about, ago=ago, number=number, pairs=pairs, parsed_time=parsed_time, place=place, text=text, when=when
)
"""What the templates use."""
