"""When a record was made, and the id that no other has."""

import itertools
import os
import time
from collections.abc import Iterator

from visigate_logging.host.forks import in_forked_child

_second: tuple[int, str] = (-1, "")


def rfc3339(microseconds: int) -> str:
    """Return a time since the epoch as UTC text, RFC 3339."""
    global _second  # noqa: PLW0603 -- the text of the last second; replaced whole, so threads cannot mix it
    seconds, fraction = divmod(microseconds, 1_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{fraction:06d}Z"


_count: Iterator[int]


def _start() -> None:
    """Begin to count anywhere, in each process elsewhere."""
    global _count  # noqa: PLW0603 -- replaced whole
    _count = itertools.count(int.from_bytes(os.urandom(8), "big"))


_start()
in_forked_child(_start)


def new_id(microseconds: int) -> str:
    """Return a UUID of version 7, RFC 9562, as 32 hex digits; those of one process are in order.

    Args:
        microseconds: of its time, since the epoch.
    """
    milliseconds, fraction = divmod(microseconds, 1000)
    count = next(_count) & 0x3FFF_FFFF_FFFF_FFFF
    return f"{milliseconds:012x}7{fraction << 2:03x}{0x8000_0000_0000_0000 | count:016x}"
