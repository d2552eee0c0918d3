"""What rules look for in an error beside its class: words of its message, and an HTTP status."""

import logging
import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from visigate_logging.detail.codes import error_code
from visigate_logging.detail.values import safe_str
from visigate_logging.options import Via

LONGEST = 2000
"""Characters of a text that are searched: a pattern of the operator's must not hold the caller up."""

_CLASS = re.compile(r"([1-5])xx", re.I)
_IN_TEXT = re.compile(
    r"\b(?:HTTP(?:/\d(?:\.\d)?)?|status(?:[ _-]?code)?)\W{1,3}([1-5]\d\d)\b"
    # As werkzeug and requests begin: "404 Not Found: …", "401 Client Error: …".
    r"|\b([45]\d\d) (?:Client Error|Server Error|Not Found|Forbidden|Unauthorized|Bad Request|Method Not Allowed"
    r"|Too Many Requests|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)\b",
    re.I,
)


class Statuses(frozenset[int]):
    """HTTP statuses of a rule."""

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return those of ``404``, ``4xx`` or a list of such; raise ValueError when one is none."""
        found: set[int] = set()
        for one in value if isinstance(value, list | tuple) and value else [value]:
            if isinstance(one, int) and 100 <= one <= 599 and not isinstance(one, bool):
                found.add(one)
            elif isinstance(one, str) and (digit := _CLASS.fullmatch(one)):
                found.update(range(int(digit[1]) * 100, int(digit[1]) * 100 + 100))
            else:
                raise ValueError("is not an HTTP status, as 404 or 4xx, or a list of such")
        return cls(found)


Status = Annotated[Statuses, Via(Statuses.read, "an HTTP status, as 404 or 4xx")]


def search(wanted: re.Pattern[str], texts: Iterable[str]) -> re.Match[str] | None:
    """Return the first place in one of some texts, of which the beginnings are looked at."""
    return next(filter(None, (wanted.search(text[:LONGEST]) for text in texts)), None)


def text_of(record: logging.LogRecord) -> str:
    """Return the message that was logged, for a filter: nobody has masked it yet."""
    try:
        return record.getMessage()
    except Exception:  # a message that does not fit its arguments
        return safe_str(record.msg)


def status_of(errors: Iterable[BaseException], texts: Iterable[str]) -> int | None:
    """Return the HTTP status that one of some exceptions carries, else the one that a text tells.

    Args:
        errors: nearest first.
        texts: likewise.
    """
    for error in errors:
        kind, _, number = error_code(error).partition(" ")
        if kind == "HTTP":
            return int(number)
    found = search(_IN_TEXT, texts)
    return int(found[1] or found[2]) if found else None
