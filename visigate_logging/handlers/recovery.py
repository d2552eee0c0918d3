"""Faults mend themselves where they can: a handler that runs the procedure configured for an error."""

import contextlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visigate_logging.detail import written
from visigate_logging.detail.log_record import raised_by
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.redaction import Redactor
from visigate_logging.formatters import DetailFormatter, TextFormatter
from visigate_logging.host import CountSheet, ForkAware, Sheet, watch_forks
from visigate_logging.host.worker import Worker
from visigate_logging.recovery.budgets import full_key
from visigate_logging.recovery.matching import chain_of, choose, codes_of, detail_chain
from visigate_logging.recovery.procedures import Procedure, parse_procedures
from visigate_logging.recovery.process import is_inside
from visigate_logging.recovery.runner import Runner
from visigate_logging.recovery.steps.base import Context

__all__ = ["RecoveryHandler", "key_of"]

LOGGER = "visigate_logging"
EXIT_TIMEOUT = 10.0
MAX_KEY = 200

without_secrets = Redactor().text


class RecoveryHandler(logging.Handler, ForkAware):
    """Run the procedure that is configured for an error's exception, outside the caller.

    Args:
        procedures: name: procedure; see logging.yaml for all options.
        state_dir: where budgets, marks and the audit trail are; shared by the processes of the host.
        dry_run: only tell what would be done.
        allow_reboot: whether a procedure may have the step ``reboot``.
        level: of the records that are looked at.

    Raises:
        ConfigurationError: an option cannot be; names its key.
    """

    def __init__(
        self,
        procedures: Mapping[str, Any],
        state_dir: str | os.PathLike[str] = "logs/errors/state",
        dry_run: bool = False,
        allow_reboot: bool = False,
        level: int | str = logging.ERROR,
    ) -> None:
        # Before logging knows of the handler: one that is refused must not be flushed at exit.
        self._procedures = parse_procedures(procedures, allow_reboot=allow_reboot)
        super().__init__(level)
        self.addFilter(_nothing if is_inside() else _is_foreign)
        self._counts = CountSheet("recovery")
        self._runner = Runner(
            self._procedures, Path(state_dir).absolute(), dry_run=dry_run, failed=self._note_failure
        )
        self._worker = Worker("visigate-recovery", self._work, close=self.close)
        self._queued: set[str] = set()
        self._later: dict[str, tuple[float, Context]] = {}
        self._behind_queue = self._told_of_queue = False
        self._resumed = False
        watch_forks(self)

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one, and take up what an earlier process has left unfinished.

        What it does is counted under its name: two handlers of a host are told apart.
        """
        super().set_name(name)
        if name and not self._counts.snapshot()["accepted"]:
            self._counts.handler = name
        if not is_inside() and any(True for _ in self._runner.marks.pending()):
            self._worker.wake()

    name = property(logging.Handler.get_name, set_name)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the error if a procedure is for it; one waiting run for each key is enough."""
        try:
            found = self.procedure_for(record)
            if found is not None:
                formatter = self.formatter
                options = formatter.options if isinstance(formatter, DetailFormatter | TextFormatter) else None
                ErrorDetail.from_record(record, options)  # which all that follows then uses
                self._counts.accept()
                self._queue(record, *found)
        except Exception:
            with contextlib.suppress(BaseException):  # it prints the exception, which may be hostile
                self.handleError(record)

    def procedure_for(self, record: logging.LogRecord) -> tuple[Procedure, dict[str, int]] | None:
        """The procedure that a record calls for, with the error numbers of its exceptions."""
        error, _ = raised_by(record)
        if error is not None:
            chain = chain_of(error)
        elif record.exc_text or written.is_in(str(record.msg)):
            chain = detail_chain(ErrorDetail.from_record(record))
            self._behind_queue = True
        else:
            chain = ()
        codes = codes_of(chain)
        procedure = choose(self._procedures, chain, record, codes)
        return None if procedure is None else (procedure, codes)

    def counts(self) -> Sheet:
        """What this process's handler was given, and what became of it."""
        return self._counts.snapshot()

    def wait(self, timeout: float) -> bool:
        """Wait until all errors so far are answered; False when that takes longer than ``timeout`` seconds."""
        return self._worker.flush(timeout)

    def close(self) -> None:
        """Let what runs finish, for some seconds; what is interrupted is taken up at the next start."""
        self._worker.stop(EXIT_TIMEOUT)
        self._runner.close()
        super().close()

    def after_fork_in_child(self) -> None:
        """Begin with nothing queued: that is the parent's to answer."""
        self._queued, self._later = set(), {}

    def _queue(self, record: logging.LogRecord, procedure: Procedure, codes: dict[str, int]) -> None:
        key = key_of(record, procedure)
        full = full_key(Context(procedure=procedure.name, key=key))
        if full in self._queued:
            self._counts.fold()
            return
        detail = ErrorDetail.from_record(record)
        context = Context(
            procedure=procedure.name,
            key=key,
            event_id=detail.event_id,
            error_type=detail.error_type,
            error_message=detail.error_message,
            severity=detail.severity,
            logger=str(record.name),
            codes=codes,
            found=procedure.found_in(record),
        )
        self._queued.add(full)
        if not self._worker.put(context):
            self._queued.discard(full)
            self._counts.drop("queue full")

    def _work(self, contexts: list[Context]) -> float | None:
        """In the worker's thread: answer, once, what was left unfinished; what was queued; what was put off."""
        self._tell_of_queue()
        if not self._resumed:
            self._resumed = True
            for context in self._runner.marks.pending():
                self._answer(context, error=False, resumed=True)
        for context in contexts:
            self._queued.discard(full_key(context))
            if self._answer(context):
                self._counts.deliver()
            else:
                self._counts.drop("not decided")
        for key, (due, context) in list(self._later.items()):
            if due <= time.monotonic():
                del self._later[key]
                self._answer(context, error=False)
        self._counts.publish(self._runner.budgets.state)
        soonest = min((due for due, _ in self._later.values()), default=None)
        return None if soonest is None else max(soonest - time.monotonic(), 0.0)

    def _answer(self, context: Context, *, error: bool = True, resumed: bool = False) -> bool:
        try:
            wait = self._runner.answer(context, error=error, resumed=resumed)
        except Exception as problem:
            logging.getLogger(LOGGER).exception("Recovery %s could not be decided", full_key(context))
            self._note_failure(f"{full_key(context)} could not be decided: {problem}")
            return False
        if wait is not None:
            self._later[full_key(context)] = (time.monotonic() + wait, context)
        return True

    def _note_failure(self, text: str) -> None:
        self._counts.fail(without_secrets(text))

    def _tell_of_queue(self) -> None:
        if self._behind_queue and not self._told_of_queue:
            self._told_of_queue = True
            logging.getLogger(LOGGER).warning(
                "Errors reach %s through a queue, as text: base classes and error codes cannot be matched. "
                "Attach it to the logger itself; it has a queue of its own",
                type(self).__name__,
            )


def _is_foreign(record: logging.LogRecord) -> bool:
    """Not from us. A filter, because filters run before the handler's lock is taken.

    When logging shuts down, it holds the lock while it waits in close() for a thread that logs the last outcome.
    """
    return str(record.name).partition(".")[0] != LOGGER


def _nothing(_record: logging.LogRecord) -> bool:
    """Inside a step no error starts a recovery."""
    return False


def key_of(record: logging.LogRecord, procedure: Procedure) -> str:
    """What the fault is about, from the masked values given with ``extra``, else from the message."""
    if not procedure.key:
        return ""
    info = {**procedure.found_in(record), **ErrorDetail.from_record(record).additional_info}
    return "/".join(str(info.get(name, "")) for name in procedure.key)[:MAX_KEY]
