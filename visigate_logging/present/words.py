"""Numbers, spans and times in words."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import orjson


def counted(number: int, what: str, many: str = "") -> str:
    """Return so many of something: ``1 error``, ``2 errors``, ``1,000 errors``."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def grouped(number: int) -> str:
    """Return a count with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def size(n: float) -> str:
    """Return bytes, to three digits."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB"


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
    """Return an RFC 3339 time in the host's own zone, which is named; another text as it is."""
    return local_time(timestamp, "%Y-%m-%d %H:%M:%S %Z")


def local_time(timestamp: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return an RFC 3339 time in the host's own zone, to the second; another text as it is.

    Args:
        timestamp: the time.
        form: as ``strftime`` takes it.
    """
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return timestamp


def brief_time(timestamp: str) -> str:
    """Return the same in few characters: without the year when it is this one, else without the time's seconds."""
    this_year = local_time(timestamp, "%Y") == datetime.now().astimezone().strftime("%Y")
    return local_time(timestamp, "%m-%d %H:%M:%S" if this_year else "%Y-%m-%d %H:%M")


def worded(value: object) -> str:
    """Return a value as a person writes it: a list as words with commas, other structures as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping | Sequence):
        return orjson.dumps(value, default=str).decode()
    return "" if value is None else str(value)


def both_ends(text: str, longest: int) -> str:
    """Return a text in so many characters, on one line: of a longer one the beginning and the end.

    What libraries say last is often what counts: ``… (Caused by …: [Errno 111] Connection refused'))``. Of several
    lines the first counts most.

    Args:
        text: any.
        longest: characters it may have.
    """
    whole = " ".join(text.split())
    first = " ".join(text.strip().partition("\n")[0].split())
    if len(first) <= longest:
        return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"
    tail = longest * 2 // 5
    return f"{first[: longest - tail - 1]}…{first[-tail:]}"


FEW = 8
"""Values that are named when none is near the one that was given."""


def meant(value: str, known: Iterable[str]) -> str:
    """Return what somebody may have meant, or a few of all there is, as the rest of a sentence."""
    import difflib

    words = [word for word in known if word]
    lower = {word.lower(): word for word in words}
    near = [lower[w] for w in difflib.get_close_matches(value.lower(), lower, n=3)]
    near += [word for word in words if value.lower() in word.lower() and word not in near]
    if near:
        return f"; did you mean {' or '.join(near[:3])}?"
    more = f" and {len(words) - FEW} more" if len(words) > FEW else ""
    return f"; there are: {', '.join(words[:FEW])}{more}" if words else ""
