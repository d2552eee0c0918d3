"""ErrorHandler: the two interfaces that VisiGate's code calls, over the handlers."""

import dataclasses
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from visigate_logging.config.build import Built
from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.detail.values import safe_str
from visigate_logging.migrate.convert import convert
from visigate_logging.migrate.legacy import extra
from visigate_logging.migrate.notifications import ManagerHandler, NotificationManager
from visigate_logging.store.store import ErrorStore

LOG_DIR = "/var/log/visigate"
OWN_SECTIONS = ("error_handling", "database")
"""Of a whole configuration: the application's own log and its notifications are its own to set up."""

_logger = logging.getLogger("visigate_logging")


class ErrorHandler:
    """Error handling as VisiGate's modules use it.

    It adds handlers to the root logger, beside those that the application has: what is logged in any other way is
    handled too. Where a handler writes to the same file already, from another object or from ``logging.yaml``, it
    adds none.

    Args:
        config: VisiGate's configuration, with ``error_handling`` and perhaps ``database``; or what stands under
            ``error_handling`` alone; or a directory: ``log_dir``. Unknown keys are told in a warning.
        notification_manager: its ``send_email_notification(subject=, message=)`` tells of what comes through
            `log_error` and `handle_exception`, in a thread of its own and not more often than mail would be.
        log_dir: the directory in whose ``errors`` the files are; default ``/var/log/visigate``.

    Raises:
        ConfigurationError: an option cannot be; names its key.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        notification_manager: NotificationManager | None = None,
        *,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(config, Mapping):
            directory = log_dir or config or LOG_DIR
            config = {"log_path": os.path.join(directory, "errors")}
        conversion = convert({name: config[name] for name in OWN_SECTIONS if name in config} or config)
        self._values = conversion.values
        details = Path(self._values["handlers"]["details"]["filename"])
        self.log_dir = str(log_dir or details.parent.parent)
        self.notification_manager = notification_manager
        self._notifications = None
        if notification_manager is not None:
            self._notifications = ManagerHandler(notification_manager, details.parent / "state")
        self.store = ErrorStore(details)
        _install(self._values)
        for warning in conversion.told():
            _logger.warning("configuration: %s", warning)

    def log_error(
        self,
        error: BaseException | str,
        module_name: str = "",
        function_name: str = "",
        additional_info: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Record an error, and let mail and recovery know.

        Args:
            error: the exception, with its traceback where it has one; or a text.
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
            "Error in %s.%s: %s",
            (module_name, function_name, safe_str(error)),
            (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None,
            func=function_name,
        )
        record.__dict__.update(extra(additional_info))
        # The caller says where the error belongs; what its traceback says stays in culprit, file and line.
        named = dataclasses.replace(ErrorDetail.from_record(record), module=module_name, function=function_name)
        record.__dict__[CACHED_AS] = named.to_dict()
        logger.handle(record)
        if self._notifications is not None:
            self._notifications.handle(record)
        return ErrorDetail.from_record(record).to_dict()

    def get_recent_errors(self, limit: int = 10) -> list[dict[str, Any]]:
        """Return the newest errors of all processes, the newest first, as detail records."""
        return [record.to_dict() for record in self.store.recent(limit)]

    def get_error_statistics(self, days: int = 7) -> dict[str, Any]:
        """Count the last days: ``total_errors``, ``error_types``, ``modules``, ``daily_counts`` and more."""
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

    def handle_exception(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """Record what nobody caught; for ``sys.excepthook``, after which it is shown as ever."""
        if not issubclass(kind, KeyboardInterrupt | SystemExit):
            where = traceback
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            frame = where.tb_frame if where else None
            module = str(frame.f_globals.get("__name__", "__main__")) if frame else "__main__"
            self.log_error(error.with_traceback(traceback), module, frame.f_code.co_name if frame else "<module>")
        if sys.exc_info()[1] is None:  # else it is called from an except block, and nobody is waiting for a traceback
            sys.__excepthook__(kind, error, traceback)

    global_exception_handler = handle_exception


def setup_error_handler(
    notification_manager: NotificationManager | None = None, log_dir: str | os.PathLike[str] = LOG_DIR
) -> ErrorHandler:
    """Record what nobody catches from now on.

    Args:
        notification_manager: as for :class:`ErrorHandler`.
        log_dir: likewise.

    Returns:
        The handler that ``sys.excepthook`` calls.
    """
    handler = ErrorHandler(log_dir=log_dir, notification_manager=notification_manager)
    sys.excepthook = handler.handle_exception
    return handler


def _install(values: Mapping[str, Any]) -> None:
    root = logging.getLogger()
    details = os.path.abspath(values["handlers"]["details"]["filename"])
    if any(getattr(handler, "baseFilename", "") == details for handler in root.handlers):
        return  # an object before this one, or logging.yaml, has them there
    # dictConfig itself would close all handlers that the application has already.
    made = Built(values).all().handlers
    for name, handler in made.items():
        handler.name = name
        root.addHandler(handler)
