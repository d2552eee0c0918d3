"""Faults mend themselves where they can: a handler that runs the procedure configured for an error."""

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visigate_logging.detail.log_record import raised_by
from visigate_logging.detail.record import CACHED_AS, detail_of, make_ready
from visigate_logging.detail.repeats import Recent
from visigate_logging.detail.written import exceptions_in
from visigate_logging.formatters import DetailFormatter, TextFormatter
from visigate_logging.host import CountSheet, Sheet
from visigate_logging.host.settlement import Settlement
from visigate_logging.host.unlocked import Unlocked
from visigate_logging.options import Level, checked
from visigate_logging.recovery.dispatcher import Dispatcher
from visigate_logging.recovery.matching import chain_of, choose, codes_of, detail_chain, written_chain
from visigate_logging.recovery.procedures import Procedure, parse_procedures
from visigate_logging.recovery.process import is_inside
from visigate_logging.recovery.steps.base import Context
from visigate_logging.recovery.steps.restore_sqlite import note_backups

LOGGER = "visigate_logging"
EXIT_TIMEOUT = 10.0
MAX_KEY = 200


class RecoveryHandler(Unlocked):
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

    @checked
    def __init__(
        self,
        procedures: Mapping[str, Any],
        state_dir: str | os.PathLike[str] = "logs/errors/state",
        dry_run: bool = False,
        allow_reboot: bool = False,
        level: Level = logging.ERROR,
    ) -> None:
        self._procedures = parse_procedures(procedures, allow_reboot=allow_reboot)
        self._state_dir = Path(state_dir).absolute()
        make_ready()
        self._counts = CountSheet("recovery")
        self._dispatcher = Dispatcher(self, self._procedures, self._state_dir, self._counts, dry_run=dry_run)
        self._recent = Recent()
        self._resumed = False
        super().__init__(level)
        self.addFilter(_nothing if is_inside() else _is_foreign)

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one, and finish what an earlier process has left unfinished.

        That is waited for, at most a minute: afterwards the application has its database open again, and most
        kinds of damage can only be mended while nobody has. What it does is counted under its name: two handlers of a
        host are told apart.
        """
        super().set_name(name)
        if name and not self._counts.snapshot()["accepted"]:
            self._counts.handler = name
        if name and not self._resumed and not is_inside():
            self._resumed = True
            note_backups(self._state_dir, (one.step for procedure in self._procedures for one in procedure.steps))
            self._dispatcher.finish_what_was_left()

    name = property(logging.Handler.get_name, set_name)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the error if a procedure is for it; one waiting run for each key is enough."""
        settlement = Settlement(self._counts)
        try:
            found = self.procedure_for(record)
            if found is not None:
                self._answer(record, settlement, *found)
        except BaseException as error:
            if settlement.is_accepted or not isinstance(error, Exception):  # else it may have called for nothing
                settlement.interrupted(error)
            if not isinstance(error, Exception):  # it is meant for the application
                raise
            with contextlib.suppress(Exception):  # it prints the exception, which may be hostile
                self.handleError(record)

    def interrupted(self, error: BaseException) -> None:
        """Count a record as lost by what was raised before it was looked at."""
        Settlement(self._counts).interrupted(error)

    def procedure_for(self, record: logging.LogRecord) -> tuple[Procedure, dict[str, int]] | None:
        """Return the procedure that a record calls for, with the error numbers of its exceptions."""
        error, _ = raised_by(record)
        if error is not None:
            chain = chain_of(error)
        elif CACHED_AS in record.__dict__:  # from another process, or through a queue
            chain = detail_chain(detail_of(record))
        else:
            chain = written_chain(exceptions_in(record))
        if error is None and chain:
            self._dispatcher.is_behind_queue = True
        codes = codes_of(chain)
        procedure = choose(self._procedures, chain, record, codes)
        return None if procedure is None else (procedure, codes)

    def counts(self) -> Sheet:
        """Return what this process's handler was given, and what became of it."""
        return self._counts.snapshot()

    def wait(self, timeout: float) -> bool:
        """Wait until all errors so far are answered; False when that takes longer than ``timeout`` seconds."""
        return self._dispatcher.wait(timeout)

    def close(self) -> None:
        """Let what runs finish, for some seconds; what is interrupted is taken up at the next start."""
        self._dispatcher.close(EXIT_TIMEOUT)
        super().close()

    def _answer(
        self, record: logging.LogRecord, settlement: Settlement, procedure: Procedure, codes: dict[str, int]
    ) -> None:
        formatter = self.formatter
        options = formatter.options if isinstance(formatter, DetailFormatter | TextFormatter) else None
        detail = detail_of(record, options)  # which all that follows then uses
        settlement.accept()
        if self._recent.is_repeat(detail.event_id, detail.repeats):
            settlement.fold()
        else:
            self._dispatcher.put(context_of(record, procedure, codes), settlement)


def context_of(record: logging.LogRecord, procedure: Procedure, codes: dict[str, int]) -> Context:
    """Return what its steps are told of the error that calls for a procedure."""
    detail = detail_of(record)
    return Context(
        procedure=procedure.name,
        key=key_of(record, procedure),
        event_id=detail.event_id,
        error_type=detail.error_type,
        error_message=detail.error_message,
        severity=detail.severity,
        logger=str(record.name),
        codes=codes,
        found=procedure.found_in(record),
    )


def _is_foreign(record: logging.LogRecord) -> bool:
    return str(record.name).partition(".")[0] != LOGGER


def _nothing(_record: logging.LogRecord) -> bool:
    """Inside a step no error starts a recovery."""
    return False


def key_of(record: logging.LogRecord, procedure: Procedure) -> str:
    """Return what the fault is about, from the masked values given with ``extra``, else from the message."""
    if not procedure.key:
        return ""
    info = {**procedure.found_in(record), **detail_of(record).additional_info}
    return "/".join(str(info.get(name, "")) for name in procedure.key)[:MAX_KEY]
