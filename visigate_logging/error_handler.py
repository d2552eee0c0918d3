"""ErrorHandler: the interface that VisiGate's code calls, over the handlers."""

import dataclasses
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from visigate_logging.config.build import Built
from visigate_logging.config.convert import convert
from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.store.legacy import extra
from visigate_logging.store.store import ErrorStore

__all__ = ["ErrorHandler"]

_logger = logging.getLogger("visigate_logging")
_installed: dict[str, dict[str, logging.Handler]] = {}
"""Handlers on the root logger by the configuration that made them: the same one adds none a second time."""


class ErrorHandler:
    """Error handling as VisiGate's modules use it.

    It adds handlers to the root logger, beside those that the application has: what is logged in any other way is
    handled too. Any number of objects with the same configuration share them.

    Args:
        config: VisiGate's configuration, with ``error_handling`` and perhaps ``database``; or what stands under
            ``error_handling`` alone. Unknown keys are told in a warning.

    Raises:
        ConfigurationError: an option cannot be; names its key.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        conversion = convert(config)
        self._values = conversion.values
        self.store = ErrorStore(self._values["handlers"]["details"]["filename"])
        _install(conversion.text, self._values)
        for warning in conversion.warnings:
            _logger.warning("configuration: %s", warning)

    def log_error(
        self,
        error: BaseException,
        module_name: str,
        function_name: str,
        additional_info: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Record an error, and let mail and recovery know.

        Args:
            error: the exception, with its traceback where it has one.
            module_name: where it was met.
            function_name: likewise.
            additional_info: whatever helps to understand it; secrets are masked.

        Returns:
            The detail record: ``timestamp``, ``error_type``, ``error_message``, ``module``, ``function``,
            ``traceback``, ``additional_info``, and the further ones of :class:`ErrorDetail`.
        """
        logger = logging.getLogger(module_name)
        record = logger.makeRecord(
            logger.name,
            logging.ERROR,
            "",
            0,
            "Error in %s.%s",
            (module_name, function_name),
            (type(error), error, error.__traceback__),
            func=function_name,
        )
        record.__dict__.update(extra(additional_info))
        # The caller says where the error belongs; what its traceback says stays in culprit, file and line.
        named = dataclasses.replace(ErrorDetail.from_record(record), module=module_name, function=function_name)
        record.__dict__[CACHED_AS] = named.to_dict()
        logger.handle(record)
        return ErrorDetail.from_record(record).to_dict()

    def get_recent_errors(self, limit: int = 10) -> list[dict[str, Any]]:
        """The newest errors of all processes, the newest first, as detail records."""
        return [record.to_dict() for record in self.store.recent(limit)]

    def get_error_statistics(self, days: int = 7) -> dict[str, Any]:
        """Counts of the last days: ``total_errors``, ``error_types``, ``modules``, ``daily_counts`` and more."""
        return self.store.statistics(days)

    def attempt_recovery(self, error_type: str, context: Mapping[str, Any] | None = None) -> bool:
        """Run the procedure that is configured for a type of error, and wait for its end.

        Its limits hold as they do for the handler: what was tried in vain too often, or is being tried by another
        process, is not tried again.

        Args:
            error_type: name of the exception's class.
            context: what the error is about; values that a procedure's ``key`` names are taken from it.

        Returns:
            Whether it is mended. False as well when no procedure is for that type.
        """
        options = self._values["handlers"].get("recovery")
        if options is None:
            return False
        # Late: a process without a recovery does not pay for it.
        from visigate_logging.recovery.budgets import full_key
        from visigate_logging.recovery.procedures import parse_procedures
        from visigate_logging.recovery.runner import Runner
        from visigate_logging.recovery.steps.base import Context

        procedures = parse_procedures(options["procedures"])
        for procedure in procedures:
            if error_type in {name.rpartition(".")[2] for name in procedure.exceptions}:
                asked = Context(
                    procedure=procedure.name,
                    key="/".join(str((context or {}).get(name, "")) for name in procedure.key),
                    error_type=error_type,
                    manual=True,  # a name is no evidence of damage: the steps look for themselves
                )
                runner = Runner(procedures, Path(options["state_dir"]))
                settled = runner.answer(asked) is None
                return bool(settled and runner.budgets.load(full_key(asked))[0].mended)
        return False

    def global_exception_handler(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """Record what nobody caught; for ``sys.excepthook``."""
        if not issubclass(kind, KeyboardInterrupt | SystemExit):
            where = traceback
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            frame = where.tb_frame if where else None
            module = str(frame.f_globals.get("__name__", "__main__")) if frame else "__main__"
            self.log_error(error.with_traceback(traceback), module, frame.f_code.co_name if frame else "<module>")
        sys.__excepthook__(kind, error, traceback)


def _install(text: str, values: Mapping[str, Any]) -> None:
    root = logging.getLogger()
    if any(handler in root.handlers for handler in _installed.get(text, {}).values()):
        return
    # dictConfig itself would close all handlers that the application has already.
    made = _installed[text] = Built(values).all().handlers
    for name, handler in made.items():
        handler.name = name
        root.addHandler(handler)
