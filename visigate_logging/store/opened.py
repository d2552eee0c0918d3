"""An opened log: what all questions about it share."""

import os
import time
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Self

from visigate_logging.store.access import Access
from visigate_logging.store.times import Period
from visigate_logging.triage.decisions import DecisionLog, decisions_path

__all__ = ["OpenedLog"]


class OpenedLog:
    """One log and access to its index; see :class:`~visigate_logging.store.store.ErrorStore`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tz: tzinfo | None = None,
        clock: Callable[[], float] = time.time,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        given = Path(path)
        self.path = given / "details.jsonl" if given.is_dir() else given
        self.tz = tz
        self._clock = clock
        self._access = Access(self.path, progress, clock)
        self._decisions = DecisionLog(decisions_path(self.path))

    @property
    def patience(self) -> float | None:
        """Seconds that a question waits for an index that is far behind; None, as at first, to wait for all of it.

        After that it is answered from what has been read, the newest first, and a thread goes on: see ``building``.
        """
        return self._access.patience

    @patience.setter
    def patience(self, seconds: float | None) -> None:
        self._access.patience = seconds

    @property
    def building(self) -> str:
        """How far an index that is being made has come, in a sentence; empty when all has been read."""
        return self._access.building

    def close(self) -> None:
        """Let go of the index."""
        self._access.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _period(self, days: int, tz: tzinfo | None = None) -> Period:
        return Period(int(self._clock() * 1e6), days, tz or self.tz)
