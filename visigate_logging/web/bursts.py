"""Which groups came in a burst within a day, looked up now and then."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore

RECENT = timedelta(days=1)
KEPT_FOR = 300.0
"""Seconds for which an answer stands: it takes milliseconds to find, for each group on the list."""
MOST_KEPT = 1000
FEWEST = 5
"""Errors of a burst, see :mod:`visigate_logging.insight.bursts`."""


class Bursts:
    """Tells of a group whether it had a burst lately.

    Args:
        store: the errors.
        clock: seconds that never go back.
    """

    def __init__(self, store: ErrorStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[float, bool]] = {}

    def had(self, group: Group, now: datetime) -> bool:
        """Return whether an hour of the last day was a burst of a group's."""
        if sum(group.daily[-2:]) < FEWEST:
            return False
        found_at, answer = self._known.get(group.key, (-KEPT_FOR, False))
        if self._clock() - found_at >= KEPT_FOR:
            answer = self._look(group.key, now)
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[group.key] = self._clock(), answer
        return answer

    def _look(self, key: str, now: datetime) -> bool:
        found = self._store.trends(days=2, group=key)["groups"]
        return any(datetime.fromisoformat(b["start"]) > now - RECENT for course in found for b in course["bursts"])
