"""What version 0.1.0 may have left: errors that a process had counted in shared memory when it was killed."""

import contextlib
import hashlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from visigate_logging.delivery.journal import Journal
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.lock import try_lock

_HEAD = struct.Struct("@32sQI")
"""Of a group: time of its last error, how many, length of the first one's record, which follows as JSON."""


def take_over(owner: str, places: Iterable[Path], journal: Journal) -> None:
    """Take into the journal what nobody else will tell any more; what cannot be read or written is left.

    Args:
        owner: state directory and handler, as that version named it.
        places: directories in which its files may be.
        journal: takes what is in them.
    """
    pattern = f"visigate-{hashlib.sha256(owner.encode()).hexdigest()[:16]}-*.tally"
    for path in [path for place in places for path in sorted(place.glob(pattern))]:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(fd, "rb") as page:
                is_left = try_lock(fd)  # as long as its process lives, it has the lock
                found = os.fstat(fd)
                if is_left and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink:
                    for detail, count in _groups(page.read()):
                        journal.append(detail, count)
                    path.unlink()


def _groups(page: bytes) -> Iterator[tuple[ErrorDetail, int]]:
    at = 0
    while at + _HEAD.size <= len(page):
        _, count, length = _HEAD.unpack_from(page, at)
        if not length:
            return
        text = page[at + _HEAD.size : at + _HEAD.size + length]
        at += _HEAD.size + length
        if count:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                yield ErrorDetail.from_dict(orjson.loads(text)), count
