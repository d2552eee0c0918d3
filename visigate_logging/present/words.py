"""Numbers, spans and times in words."""

from datetime import datetime

__all__ = ["counted", "local", "rate", "spoken"]


def counted(number: int, what: str, many: str = "") -> str:
    """Return so many of something: ``1 error``, ``2 errors``, ``1,000 errors``."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def spoken(seconds: float) -> str:
    """Return a span of time in words: ``40 s``, ``5 min``, ``3 h``, ``4 days``."""
    for unit, size, limit in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if seconds < size * limit:
            return f"{seconds / size:.0f} {unit}"
    return counted(round(seconds / 86_400), "day")


def rate(number: int, seconds: float) -> str:
    """Return how often that is, such as ``about 3 a minute``; empty for less than one a day."""
    for unit, size in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)):
        if seconds >= size and number * size / seconds >= 1:
            return f"about {number * size / seconds:.0f} {'an' if unit == 'hour' else 'a'} {unit}"
    return ""


def local(timestamp: str) -> str:
    """Return an RFC 3339 time in the host's own zone; another text as it is."""
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError, OSError):
        return timestamp
