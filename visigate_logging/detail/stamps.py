"""When a record was made, and the id that no other has."""

import itertools
import os
import time

from visigate_logging.host.forks import in_forked_child

__all__ = ["EventIds", "rfc3339"]

_second: tuple[int, str] = (-1, "")


def rfc3339(microseconds: int) -> str:
    """A time since the epoch as UTC text, RFC 3339."""
    global _second  # noqa: PLW0603 -- the text of the last second; replaced whole, so threads cannot mix it
    seconds, fraction = divmod(microseconds, 1_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        _second = (seconds, text)
    return f"{text}.{fraction:06d}Z"


class EventIds:
    """UUIDs of version 7, RFC 9562: a time, then a counter that starts anywhere in each process."""

    def __init__(self) -> None:
        self._start()
        in_forked_child(self._start)

    def _start(self) -> None:
        self._count = itertools.count(int.from_bytes(os.urandom(8), "big"))

    def new(self, microseconds: int) -> str:
        """An id as 32 hex digits; microseconds since the epoch order those of one millisecond."""
        milliseconds, fraction = divmod(microseconds, 1000)
        ordered = (milliseconds << 80) | 0x7000_8000_0000_0000_0000 | (fraction << 66)
        return f"{ordered | next(self._count) & 0x3FFF_FFFF_FFFF_FFFF:032x}"
