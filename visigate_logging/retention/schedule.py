"""When what goes: by age, and when the card is nearly full."""

import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from visigate_logging.host.clock import monotonic, utc_text
from visigate_logging.host.log_files import log_files
from visigate_logging.retention.rewrite import rewrite_log, rotation_lock
from visigate_logging.retention.samples import keep_some

DAY = 86_400.0
LOOK_EVERY = 3600.0
SLACK = timedelta(days=1)
"""How much older than the age a file's first record must be: each file is written anew once a day at most."""
QUIET_FOR = 30 * DAY
"""How long some records of a group are kept that does not come any more, where no age is set."""
UNITS = {"d": DAY, "w": 7 * DAY, "y": 365 * DAY}
TIMESTAMP = re.compile(rb'\{"timestamp":"([^"]{10,40})"')


def read_age(value: str | float | None) -> float | None:
    """Return an age in seconds: ``90d``, ``12w``, ``1y``; None for any."""
    if value is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})([dwy])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is no age: write 90d, 12w or 1y")
    return int(match[1]) * UNITS[match[2]]


class Retention:
    """What goes from one log, looked after by whichever process comes first.

    Args:
        log: the details file.
        age: seconds after which records go; None for none.
        per_group: records of each group that are kept when the file that they are in goes; 0 for none.
        max_bytes: size that what is kept so may have.
        free: bytes of the card below which the oldest file goes.
        wall: seconds since 1970, for tests.
    """

    def __init__(
        self,
        log: Path,
        *,
        age: float | None = None,
        per_group: int = 0,
        max_bytes: int = 0,
        free: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._age = age
        self._per_group = per_group
        self._max_bytes = max_bytes
        self._free = free
        self._wall = wall
        self._looked: float | None = None
        self._was_old = False

    @property
    def leave(self) -> Callable[[Path], None] | None:
        """What is done with a file that is to be removed."""
        return self._keep_some if self._per_group else None

    def act(self) -> float | None:
        """Do what is due; return in how many seconds to come again, None for never.

        Raises:
            OSError: it could not be done.
        """
        if self._age is None and not self._free:
            return None
        now = monotonic()
        wait = LOOK_EVERY if self._looked is None else self._looked + LOOK_EVERY - now
        if self._looked is None or wait <= 0:
            self._looked, wait = now, LOOK_EVERY
            self._make_room()
            # Twice in a row, an hour apart: a clock that is wrong for a while must not empty a log.
            is_old = self._has_old()
            if is_old and self._was_old:
                self.forget_old()
            self._was_old = is_old
        return wait

    def _make_room(self) -> None:
        while self._free and shutil.disk_usage(self._log.parent).free < self._free:
            rotated = [f.path for f in log_files(self._log) if re.search(r"\.\d+(\.gz)?$", f.path.name)]
            if not rotated:
                return
            with rotation_lock(self._log).tried() as is_ours:
                if not is_ours:
                    return
                if self._per_group and rotated[-1].suffix != ".gz":
                    self._keep_some(rotated[-1])
                rotated[-1].unlink(missing_ok=True)

    def _has_old(self) -> bool:
        limit = self._limit(SLACK)
        return limit is not None and any(_first_time(file.path) < limit for file in log_files(self._log))

    def forget_old(self) -> list[Path]:
        """Write the files that have records above the age anew without them; return these files."""
        limit = self._limit()
        if limit is None:
            return []

        def without_old(line: bytes) -> bytes:
            match = TIMESTAMP.match(line)
            return b"" if match and match[1] < limit else line

        return rewrite_log(self._log, without_old, timeout=0.0)

    def _limit(self, more: timedelta = timedelta()) -> bytes | None:
        if self._age is None:
            return None
        return utc_text(self._wall() - self._age - more.total_seconds()).encode()[:-1]

    def _keep_some(self, leaving: Path) -> None:
        keep_some(self._log, leaving, self._per_group, self._max_bytes, timedelta(seconds=self._age or QUIET_FOR))


def _first_time(path: Path) -> bytes:
    """Return the time of the first record of a file; of one that cannot be told, one that is never old."""
    if path.suffix == ".gz":
        return utc_text(os.stat(path).st_mtime).encode()
    with path.open("rb") as file:
        match = TIMESTAMP.match(file.readline(200))
    return match[1] if match else b"9"
