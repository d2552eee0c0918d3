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


def microseconds(when: datetime) -> int:
    """Return microseconds since 1970."""
    return (when - _EPOCH) // timedelta(microseconds=1)
