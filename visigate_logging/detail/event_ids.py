"""The id of an event that no other has."""

import itertools
import os
from collections.abc import Iterator

from visigate_logging.host.forks import in_forked_child

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
    time_and_version = milliseconds << 16 | 0x7000 | fraction << 2
    return f"{time_and_version << 64 | 1 << 63 | next(_count) & 0x3FFF_FFFF_FFFF_FFFF:032x}"
