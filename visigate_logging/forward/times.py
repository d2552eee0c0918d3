"""Times as other systems want them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

_EARLY = timedelta(seconds=60)
"""So much ahead of ours may a time be: a record that was written before the clock was set back."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def not_older(timestamp: Any, max_age: float) -> datetime:
    """Return a record's time, or now where it cannot be: older than that, in the future, or none at all.

    Args:
        timestamp: as the record has it, RFC 3339.
        max_age: seconds.
    """
    now = datetime.fromtimestamp(time.time(), UTC)
    try:
        when = datetime.fromisoformat(timestamp).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return now
    return when if now - timedelta(seconds=max_age) < when < now + _EARLY else now


def nanoseconds(when: datetime) -> int:
    """Return nanoseconds since 1970."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000


def rfc3339(when: datetime) -> str:
    """Return a time as text, in UTC with microseconds."""
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")
