"""ForwardHandler: sends what the log has to other systems, however long they are away."""

import logging
import time
from pathlib import Path
from typing import Any, Literal

from visigate_logging.forward.forwarder import Forwarder
from visigate_logging.forward.options import Backfill, Bytes, ForwardOptions, LogFile, PerMinute
from visigate_logging.forward.privacy import Privacy, Pseudonyms
from visigate_logging.forward.selection import Selection
from visigate_logging.forward.target import unreachable
from visigate_logging.forward.targets import OneTarget
from visigate_logging.host import Sheet
from visigate_logging.host.follower import Cursor, Follower
from visigate_logging.host.worker import Worker
from visigate_logging.options import Level, Names, checked

_PACE = 1.0
"""Seconds between two looks at the log, however many errors come."""
_EXIT_TIMEOUT = 2.0
_LAST_WORDS = 1.5
_LONGEST_PAUSE = 0.5
"""Seconds that are waited between two loads at the end of a process."""
_OFF = "nothing is forwarded: for that, give target (such as {sentry: {dsn: …}})"


class ForwardHandler(logging.Handler):
    """Sends all errors of the log to another system: to Sentry, OpenTelemetry, or any web server.

    The log on disk is the queue. ``emit`` only wakes the thread that reads it: what is sent is what the log has, also
    what other processes and earlier ones have written. Of the handlers of one name on a host one forwards, or
    ``visigate-errors forward`` does; when it ends another takes over.

    It is off while no target is given.

    Args:
        target: ``{NAME: {OPTION: VALUE}}``; see docs/monitoring.md for what there is.
        log: the details file, as the JSON-file handler writes it.
        state_dir: directory that the processes of the host share; made when absent.
        severity: records from this severity on; it is the classifier's, else the record's level.
        categories: only these; default all.
        loggers: only these and those below; default all.
        leave_out: dotted names of fields that stay on the host, such as ``additional_info.plate``.
        pseudonyms: ``secret``, ``fields`` and ``patterns``: what goes as a pseudonym; default nothing.
        backfill: what was logged before the handler was first used: ``7d``, ``12h``, ``all``; default nothing of it.
        max_bytes: of the records in one request, before they are packed.
        max_per_minute: records.

    Raises:
        ConfigurationError: an option cannot be; ``key`` names it.
    """

    @checked
    def __init__(
        self,
        target: OneTarget | None = None,
        log: LogFile = "logs/errors/details.jsonl",
        *,
        state_dir: LogFile = "logs/errors/state",
        severity: Level = "NOTSET",
        categories: Names | None = None,
        loggers: Names | None = None,
        leave_out: Names | None = None,
        pseudonyms: Pseudonyms | None = None,
        backfill: Backfill | None = None,
        max_bytes: Bytes = 262_144,
        max_per_minute: PerMinute = 6000,
    ) -> None:
        since: Any = backfill  # was read as a span
        self.options: ForwardOptions | None = None
        """What it was given, checked; None while it is off."""
        if target is not None:
            self.options = ForwardOptions(
                target.chosen,
                Path(log),
                Path(state_dir),
                Selection(int(severity), tuple(categories or ()), tuple(loggers or ())),
                Privacy(tuple(leave_out or ()), pseudonyms),
                max_bytes,
                max_per_minute,
                since,
            )
        self.off = "" if self.options else _OFF
        self._forwarder: Forwarder | None = None
        self._worker: Worker[Literal["now"]] = Worker("visigate-forward", self._work, close=self.close)
        self._not_before = 0.0
        self._closed = False
        super().__init__()

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one, and go on with what an earlier process has left to be sent."""
        super().set_name(name)
        if name and self.options and self._forwarder is None:
            self._forwarder = Forwarder(self.options, name, self._end_of_log())
            self._worker.wake()

    name = property(logging.Handler.get_name, set_name)

    def handle(self, record: logging.LogRecord) -> bool | logging.LogRecord:  # type: ignore[override]  # as from 3.12 on
        """Emit without lock and filters: what is sent is what the log has."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 -- what is sent is what the log has
        """Let the log be looked at soon; never waits and never raises."""
        try:
            if self._forwarder is not None:
                self._worker.wake()
            elif self.options is not None and not self._closed:
                self.set_name("forward")
        except Exception:  # nothing is lost by it: the log is looked at by the clock as well
            return

    def doubts(self) -> list[str]:
        """Return what is doubtful about the options, as sentences: nobody answers at the target's address."""
        problem = unreachable(self.options.target) if self.options else ""
        return [f"{problem}; what is logged meanwhile waits"] if problem else []

    def counts(self) -> Sheet:
        """Return what became of the records of the log that the handlers of this name are to forward."""
        if self._forwarder is None:
            return Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0)
        return self._forwarder.counts()

    def wait(self, timeout: float) -> bool:
        """Wait until what the log has now was looked at; False when that takes longer than ``timeout`` seconds."""
        self._worker.put("now")
        return self._worker.flush(timeout)

    def close(self) -> None:
        """Send what can be sent within 2 s; the rest waits for the next process."""
        if not self._closed:
            self._closed = True
            if self._forwarder is not None:
                self._worker.put("now")
                if self._worker.stop(_EXIT_TIMEOUT):
                    self._forwarder.close()  # else the thread does, when it is done
        super().close()

    def _end_of_log(self) -> Cursor | None:
        assert self.options is not None  # noqa: S101 -- for mypy
        try:
            return Follower(self.options.log).end()
        except OSError:
            return None

    def _work(self, requests: list[Literal["now"]]) -> float | None:
        forwarder, now = self._forwarder, time.monotonic()
        if forwarder is None:
            return None
        if now < self._not_before and not requests:
            return self._not_before - now
        try:
            wait = forwarder.turn()
            # So many a minute are enough: that is waited for here, a server that is away is not.
            while requests and wait <= _LONGEST_PAUSE and time.monotonic() + wait < now + _LAST_WORDS:
                time.sleep(wait)
                wait = forwarder.turn()
        finally:
            if self._closed:
                forwarder.close()
        self._not_before = time.monotonic() + min(wait, _PACE)
        return wait
