"""How long to wait after failures."""

import random
import time

_FIRST, _LONGEST = 2.0, 300.0
_JITTER = 0.2


class Backoff:
    """Waits that double from 2 s to 5 min, each up to a fifth longer or shorter: many gates must not come at once."""

    def __init__(self) -> None:
        self.tries = 0
        """Failures in a row."""
        self._until = 0.0

    @property
    def wait(self) -> float:
        """Seconds to go."""
        return max(0.0, self._until - time.monotonic())

    def fail(self, after: float | None = None, *, went_on: bool = False) -> None:
        """Take down a failure.

        Args:
            after: seconds that the other side has named; a day at most is believed.
            went_on: before it something was accepted.
        """
        self.tries = 1 if went_on else self.tries + 1
        wait = min(_FIRST * 2.0 ** min(self.tries - 1, 10), _LONGEST) if after is None else min(after, 86_400.0)
        low = 1.0 if after is not None else 1.0 - _JITTER  # earlier than asked is rude
        self._until = time.monotonic() + wait * random.uniform(low, 1.0 + _JITTER)  # noqa: S311 -- no secret

    def pause(self, until: float) -> None:
        """Wait at least until then, by the monotonic clock: so many records a minute are enough."""
        self._until = max(self._until, until)

    def reset(self) -> None:
        """Take down a success."""
        self.tries, self._until = 0, 0.0
