"""What is done for a shared file in the background: it is written, synced, cleared and told of."""

import logging
from collections.abc import Callable

from visigate_logging.exceptions import StateError
from visigate_logging.host.buffered_file import NOT_WRITABLE, BufferedFile
from visigate_logging.host.clock import monotonic
from visigate_logging.host.counts import CountSheet
from visigate_logging.host.state import State
from visigate_logging.host.upkeep import Task

SYNC_EVERY = 1.0
"""Seconds between two syncs, at least."""
RETRY_EVERY = 1.0
"""Seconds between two tries to write what is kept in memory."""
PUBLISH_EVERY = 10.0
"""Seconds between two entries of the counts in the host's state file."""
EXIT_TIMEOUT = 2.0
"""Seconds that the end waits for what is under way, and for other processes that use the state file."""

_report = logging.getLogger("visigate_logging")


class FileUpkeep:
    """Looks after a file whenever it is woken, and as long as there is something to do.

    Args:
        file: the file.
        counts: of its handler.
        state: where the counts of all processes are.
        clear: removes what is to go, and returns the seconds until there may be more; None for nothing.
        close: closes the handler, when the process ends.
    """

    def __init__(
        self,
        file: BufferedFile,
        counts: CountSheet,
        state: State,
        clear: Callable[[], float | None] | None,
        close: Callable[[], None],
    ) -> None:
        self._file = file
        self._counts = counts
        self._state = state
        self._clear = clear
        self._clear_error: OSError | None = None
        self._path = file.file.path
        self._task = Task(f"Upkeep of {self._path}", self._run, close=close)
        self._is_ending = False
        self._told: set[str] = set()
        self._told_lost = 0
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Begin anew, in a forked child."""
        self.is_awake = False
        """Whether it comes by itself within a second."""
        self._synced = -SYNC_EVERY
        self._published = monotonic()

    def wake(self) -> None:
        """Let it come soon."""
        try:
            self.is_awake = True
            self._task.wake()
        except BaseException:  # the application was interrupted: the next must wake it
            self.is_awake = False
            raise

    def sync(self) -> None:
        """Force to the medium what was written."""
        self._file.sync()
        self._synced = monotonic()

    def begin_to_end(self) -> None:
        """Come no more; wait for what is under way."""
        self._is_ending = True
        self._task.stop(EXIT_TIMEOUT)

    def publish(self, timeout: float = EXIT_TIMEOUT) -> bool:
        """Enter the counts in the host's state file; return whether they are there.

        Args:
            timeout: seconds to wait for other processes that use it.
        """
        try:
            if self._counts.has_news:
                self._counts.publish(self._state, timeout)
        except StateError:  # the next time adds it
            return False
        return True

    def _run(self) -> float | None:
        """Do what is to be done; return the seconds until there is more."""
        self.is_awake = True
        self._file.write()
        now = monotonic()
        if self._file.is_dirty and now - self._synced >= SYNC_EVERY:
            self.sync()
        if not self._is_ending:  # logging.shutdown then holds the lock of the handler that this may be told to
            self._tell()
        waits = [self._publish_in_time(now), self._clear_away()]
        self.is_awake = False  # before it looks: whoever writes from here on wakes it
        if self._file.keeps_lines:
            waits.append(RETRY_EVERY)
        elif self._file.is_dirty:
            waits.append(SYNC_EVERY - (now - self._synced))
        wait = min((wait for wait in waits if wait is not None), default=None)
        self.is_awake = wait is not None and wait <= max(RETRY_EVERY, SYNC_EVERY)
        return wait

    def _publish_in_time(self, now: float) -> float | None:
        if not self._counts.has_news or self._is_ending:
            return None
        wait = self._published + PUBLISH_EVERY - now
        if wait > 0:
            return wait
        # Not waiting for other processes that use the state file: the sync of other files would wait as well.
        self._published = now if self.publish(timeout=0.0) else now - PUBLISH_EVERY + RETRY_EVERY
        return self._published + PUBLISH_EVERY - now

    def _clear_away(self) -> float | None:
        if self._clear is None:
            return None
        try:
            self._file.file.rotation.let_go()
            wait, self._clear_error = self._clear(), None
        except OSError as error:
            wait, self._clear_error = PUBLISH_EVERY, error
        return wait

    def _tell(self) -> None:
        """Say once that something cannot be done with the file, and once that it can again."""
        lost = self._counts.snapshot()["dropped"].get(NOT_WRITABLE, 0)
        written = f"; {lost - self._told_lost} records were lost meanwhile"
        trouble = self._file.trouble
        if not trouble and lost > self._told_lost:
            self._told.add("written")
        self._tell_change("written", trouble, "its records are kept in memory", written)
        if not trouble:
            self._told_lost = lost
        self._tell_change("rotated", self._file.file.rotation.error, "it grows on")
        self._tell_change("cleared of what is old", self._clear_error, "its files stay")
        self._tell_change("synced", self._file.sync_error, "a power cut may take its last lines")

    def _tell_change(self, what: str, error: OSError | None, meaning: str, addition: str = "") -> None:
        if error is not None and what not in self._told:
            self._told.add(what)
            self._counts.fail(f"cannot be {what}: {error}; {meaning}")
            _report.error("%s cannot be %s: %s; %s", self._path, what, error, meaning)
        elif error is None and what in self._told:
            self._told.remove(what)
            _report.warning("%s can be %s again%s", self._path, what, addition)
