"""What had been changed on the host before an error: a release, a configuration, its clock."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from visigate_logging.present.words import spoken

_LONGEST = 200


def changed_before(changes: object, timestamp: str) -> list[str]:
    """Return the changes before an error in words, the last first: ``4 min after release 1.4.2 of gate``.

    Args:
        changes: of the record; anything may stand there in a line of a log.
        timestamp: of the record.
    """
    at = _time(timestamp)
    if at is None or not isinstance(changes, list | tuple):
        return []
    return [text for _, text in sorted(_told(changes, at), key=lambda one: one[0])]


def _told(changes: Iterable[Any], at: datetime) -> Iterator[tuple[float, str]]:
    for change in changes:
        if isinstance(change, Mapping) and (when := _time(change.get("time"))) is not None:
            seconds = (at - when).total_seconds()
            if seconds >= 0 and isinstance(change.get("text"), str):
                yield seconds, f"{spoken(seconds)} after {change['text'][:_LONGEST]}"


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)  # type: ignore[arg-type]  # what is no text raises as well
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
