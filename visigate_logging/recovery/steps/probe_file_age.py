"""Is a file fresh: the last frame of a camera, a heartbeat."""

import time
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


@dataclass(frozen=True, kw_only=True)
class ProbeFileAge(Step):
    """Done when the file was written to within ``max_age`` seconds, or is while this step watches it.

    A file from the future (the clock was set) is watched, too: only a change proves it fresh.

    Args:
        path: the file.
        max_age: seconds.
        timeout: how long it may be watched, seconds.
    """

    mends = False

    path: str
    max_age: Seconds
    timeout: Seconds = 10.0

    def run(self, context: Context) -> Outcome:
        """Look at the time of the last change; watch when that is not enough."""
        path = Path(self.path)
        deadline = time.monotonic() + self.timeout * 0.8
        try:
            first = path.stat().st_mtime
            if 0 <= time.time() - first <= self.max_age:
                return Outcome(Status.DONE, f"{path} is fresh")
            while time.monotonic() < deadline:
                if path.stat().st_mtime != first:
                    return Outcome(Status.DONE, f"{path} is written to")
                time.sleep(0.1)
        except OSError as error:
            return Outcome(Status.FAILED, f"{path} cannot be looked at: {error}")
        age = time.time() - first
        return Outcome(Status.FAILED, f"{path} was last written to {age:.0f} s ago; {self.max_age:g} s are allowed")
