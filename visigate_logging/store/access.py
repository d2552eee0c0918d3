"""Access to an up-to-date index, whatever becomes of it and of the files meanwhile."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError
from visigate_logging.store.catchup import catch_up
from visigate_logging.store.fetch import fetch
from visigate_logging.store.files import LogFile
from visigate_logging.store.index import Index, Row, is_damage, open_index

__all__ = ["Access"]

T = TypeVar("T")
ATTEMPTS = 5
"""How often a question is begun anew when files are rotated, or the index found damaged, under its hands."""

_logger = logging.getLogger("visigate_logging")


class Access:
    """One log and its index.

    Args:
        log: the details file.
        progress: told while the index is brought up to date: bytes read, and of how many.
    """

    def __init__(self, log: Path, progress: Callable[[int, int], None] | None = None) -> None:
        self.files: dict[int, LogFile] = {}
        self._log = log
        self._progress = progress
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._inherited: Index | None = None

    @property
    def place(self) -> str:
        """Where the index is."""
        return str(self._index.path) if self._index and self._index.path else "in memory"

    @property
    def note(self) -> str:
        """Why the index is not beside the log; empty when it is."""
        return self._index.note if self._index else ""

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Bring the index up to date and put a question to it; again, when something gives way meanwhile.

        Raises:
            StoreError: the log cannot be read.
        """
        with self._lock:
            trouble: Exception | None = None
            for _ in range(ATTEMPTS):
                try:
                    index = self._opened(trouble)
                    self.files = catch_up(index, self._log, self._progress)
                    return question(index.db)
                except (sqlite3.Error, FileNotFoundError) as error:  # the latter: rotated meanwhile
                    trouble = error
                except OSError as error:
                    raise StoreError(f"{error.filename}: {error.strerror}") from error
            raise StoreError(f"{self._log}: gave up after {ATTEMPTS} attempts: {trouble}") from trouble

    def read(self, rows: Sequence[Row]) -> list[ErrorDetail | None]:
        """The records that rows of the index point to; for use within a question."""
        return fetch(rows, self.files)

    def read_one(self, row: Row | None) -> ErrorDetail | None:
        """The record of one row, if there is one; for use within a question."""
        (record,) = self.read([row]) if row else [None]
        return record

    def discard(self) -> None:
        """Throw the index away; the next question makes a new one."""
        with self._lock:
            self._opened(None).discard()
            self._index = None

    def close(self) -> None:
        """Let go of the index."""
        with self._lock:
            if self._index:
                self._index.close()
            self._index = None

    def __del__(self) -> None:
        """Close what nobody has closed: most users ask until they end."""
        self.close()

    def _opened(self, trouble: Exception | None) -> Index:
        """The index, replaced if it is in trouble, stale, or not the one beside the log any more."""
        index = self._index
        if index and index.pid != os.getpid():  # after a fork its locks are the parent's: not even to be closed
            self._inherited, self._index, index = index, None, None
        if index and isinstance(trouble, sqlite3.Error):
            _logger.warning("the index of %s is set aside: %s", self._log, trouble)
            self._index = None
            if is_damage(trouble):
                index.discard()
            else:
                index.close()
                self._index = open_index(self._log, memory=str(trouble))
        elif index and (index.stale or index.replaced):
            index.close()
            self._index = None
        self._index = self._index or open_index(self._log)
        return self._index
