"""Counts errors by group without any wait, and keeps them over a kill of the process."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import ForkAware, watch_forks
from visigate_logging.mail.page import Page

__all__ = ["SHARED_MEMORY", "Tally"]

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- files there are opened O_EXCL under random names, with mode 0600
"""Where files are that need no disk."""


class Tally(ForkAware):
    """The errors of one process that have not been stored yet.

    Adding one writes into memory that is shared with a file in ``/dev/shm``, or in ``fallback`` where there is
    none: no system call, no disk. When the process is killed the file is left, unlocked, and any other process of
    the host takes it over with `orphans`. When no such file can be made, plain memory serves, and a kill loses what
    had not been stored.

    Args:
        owner: what names the counts' owner: state directory and handler.
        fallback: directory for the file where the system has no shared memory.
    """

    def __init__(self, owner: str, fallback: Path) -> None:
        self._prefix = f"visigate-{hashlib.sha256(owner.encode()).hexdigest()[:16]}-"
        self._directory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else fallback
        self._lock = threading.RLock()  # reentrant: a destructor that logs may interrupt this very thread in here
        self._page: Page | None = None
        self._taken: Page | None = None
        watch_forks(self)

    def add(self, detail: ErrorDetail) -> bool:
        """Count one error; True when it is the first since the last `take`."""
        with self._lock:
            if self._page is not None:
                self._page.add(detail)
                return False
            page = Page.new(self._directory, self._prefix)
            if self._page is None:
                self._page = page
            else:  # a destructor that logged while the page was made has made one
                page.remove()
            self._page.add(detail)
            return True

    @property
    def has_news(self) -> bool:
        """Whether anything has been counted since the last `take`."""
        return self._page is not None

    @property
    def is_behind(self) -> bool:
        """Whether what was taken has not been forgotten, and so will be given again."""
        return self._taken is not None

    @property
    def count(self) -> int:
        """How many errors have been counted and not forgotten."""
        with self._lock:
            return sum(page.count for page in (self._page, self._taken) if page)

    def take(self) -> Page | None:
        """All that has been counted, to be stored; the same again until it is forgotten."""
        with self._lock:
            if self._taken is None:
                self._taken, self._page = self._page, None
            return self._taken

    def forget(self) -> None:
        """Remove what was taken, now that it is stored."""
        with self._lock:
            if self._taken is not None:
                self._taken.remove()
                self._taken = None

    def orphans(self) -> Iterator[Page]:
        """What killed processes have left; each is to be stored unless its token was, and removed."""
        for path in sorted(self._directory.glob(f"{self._prefix}*.tally")):
            page = Page.orphan(path)
            if page is not None:
                yield page

    def before_fork(self) -> None:
        """Be between two calls, which take no longer than a copy in memory."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's memory: what is in there is the parent's to store."""
        self._lock = threading.RLock()
        for page in (self._page, self._taken):
            if page is not None:
                page.let_go()
        self._page = self._taken = None
