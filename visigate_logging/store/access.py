"""Access to an up-to-date index, whatever becomes of it and of the files meanwhile."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError, VisigateLoggingError
from visigate_logging.host import clock as host_clock
from visigate_logging.host.log_files import LogFile, log_files
from visigate_logging.store.catchup import catch_up, share_read
from visigate_logging.store.clocks import ReaderClock
from visigate_logging.store.fetch import fetch
from visigate_logging.store.index import Index, Row, is_damage, open_index, remove_older
from visigate_logging.store.ingest import drop_damaged
from visigate_logging.store.splits import name_groups

T = TypeVar("T")
ATTEMPTS = 5
"""How often a question is begun anew when files are rotated, or the index found damaged, under its hands."""

_logger = logging.getLogger("visigate_logging")


class Access:
    """One log and its index.

    Args:
        log: the details file.
        progress: told while the index is brought up to date: bytes read, and of how many.
        now: seconds since 1970.

    Attributes:
        patience: seconds that a question waits for an index that is far behind, before it is answered from what
            there is while a thread goes on; None to wait until all is read.
    """

    def __init__(
        self,
        log: Path,
        progress: Callable[[int, int], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.files: dict[int, LogFile] = {}
        self.patience: float | None = None
        self._log = log
        self._progress = progress
        self._now = now
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._inherited: Index | None = None
        self._builder: _Builder | None = None
        self._asked: Index | None = None

    @property
    def place(self) -> str:
        """Where the index is."""
        return str(self._index.path) if self._index and self._index.path else "in memory"

    @property
    def note(self) -> str:
        """Why the index is not beside the log, or how far it has been read; empty when all is well."""
        return (self._index.note if self._index else "") or self.building

    @property
    def building(self) -> str:
        """How far an index that is being made has come, in a sentence; empty when all has been read."""
        with self._lock:
            if self._index is None or self._builder is None:
                return ""
            done, total = share_read(self._index, log_files(self._log))
            return f"the index is being made: {min(1, done / max(1, total)):.0%} is read, the newest first"

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Bring the index up to date and put a question to it; again, when something gives way meanwhile.

        A question that is part of another is put to the index as that one found it.

        Raises:
            StoreError: the log cannot be read.
        """
        with self._lock:
            if self._asked:
                return question(self._asked.db)
            trouble: Exception | None = None
            for _ in range(ATTEMPTS):
                try:
                    index = self._opened(trouble)
                    self._catch_up(index)
                    self._asked = index
                    return question(index.db)
                except (sqlite3.Error, FileNotFoundError) as error:  # the latter: rotated meanwhile
                    trouble = error
                except (TypeError, ValueError, ArithmeticError, LookupError) as error:
                    # Values that only a damaged index holds; if they come from a new one too, the fault is ours.
                    if trouble or not index.path or isinstance(error, VisigateLoggingError):
                        raise
                    trouble = sqlite3.DatabaseError(f"it holds what cannot be: {error!r}")
                except OSError as error:
                    raise StoreError(f"{error.filename}: {error.strerror}") from error
                finally:
                    self._asked = None
            raise StoreError(f"{self._log}: gave up after {ATTEMPTS} attempts: {trouble}") from trouble

    def _catch_up(self, index: Index) -> None:
        building = self._builder is not None and self._builder.is_alive()
        patient = self.patience is None or index.path is None
        until = None if patient else time.monotonic() + (0 if building else self.patience or 0)
        self.files, done = catch_up(index, self._log, self.reader_clock(), self._progress, until)
        if done:
            self._builder = None
            remove_older(self._log)
        elif not building:
            self._builder = _Builder(self._log, self.reader_clock())
            self._builder.start()

    def reader_clock(self) -> ReaderClock:
        """Return what the reader's own clock says."""
        now, (boot, seconds) = self._now(), host_clock.clock()
        return ReaderClock(boot, int((now - seconds) * 1e6), int(now * 1e6))

    def read(self, rows: Sequence[Row]) -> list[ErrorDetail | None]:
        """Return the records that rows of the index point to; for use within a question."""
        damaged: list[Row] = []
        found = fetch(rows, self.files, damaged, partial=self._builder is not None)
        if damaged and self._asked:
            with suppress(sqlite3.OperationalError):  # somebody else writes: the next who reads it does it
                drop_damaged(self._asked, damaged)
        if self._asked and self._asked.splits:
            name_groups(self._asked, rows, found)
        return found

    def read_one(self, row: Row | None) -> ErrorDetail | None:
        """Return the record of one row, if there is one; for use within a question."""
        (record,) = self.read([row]) if row else [None]
        return record

    def discard(self) -> None:
        """Throw the index away; the next question makes a new one."""
        with self._lock:
            self._opened(None).discard()
            self._index = None

    def close(self) -> None:
        """Let go of the index, and wait until the step is taken in which it is being made."""
        builder = self._builder
        self._let_go()
        if builder and builder.is_alive():
            builder.join()

    def __del__(self) -> None:
        """Close what nobody has closed: most users ask until they end.

        It waits for nobody. The collector may call it in any thread, the builder's own too, and under any lock, that
        of ``threading`` too without which no thread ends; and when the interpreter ends a daemon never does.
        """
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            if self._builder:
                self._builder.stop()
            if self._index:
                self._index.close()
            self._index = self._builder = None

    def _opened(self, trouble: Exception | None) -> Index:
        """Return the index, replaced if it is in trouble, stale, or not the one beside the log any more."""
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


class _Builder(threading.Thread):
    """Reads a log to its end while questions are answered from what there is.

    Args:
        log: the details file.
        reader: what the reader's own clock says.
    """

    def __init__(self, log: Path, reader: ReaderClock) -> None:
        super().__init__(name="visigate-index", daemon=True)
        self._log = log
        self._reader = reader
        self._stopped = threading.Event()

    def run(self) -> None:
        """Catch up, step by step; whoever asks next meets what went wrong, and begins anew."""
        try:
            index = open_index(self._log)
            try:
                if index.path:
                    catch_up(index, self._log, self._reader, self._go_on)
            finally:
                index.close()
        except (_StoppedError, OSError, sqlite3.Error, StoreError) as error:
            _logger.debug("the index of %s is left as far as it is: %s", self._log, error)

    def stop(self) -> None:
        """Have it stop after the step that is being taken."""
        self._stopped.set()

    def _go_on(self, done: int, total: int) -> None:  # noqa: ARG002 -- as catch_up tells it
        if self._stopped.is_set():
            raise _StoppedError


class _StoppedError(Exception):  # here: raised and caught in this module alone
    """The store is being closed."""
