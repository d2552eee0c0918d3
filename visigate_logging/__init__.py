"""Error handling for a vision-based gate, as a plugin for Python's :mod:`logging`.

The names below are the package's face. Each is imported when it is first asked for, so that a process
pays only for the handlers that its configuration names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from visigate_logging._version import __version__

if TYPE_CHECKING:
    from visigate_logging.config.apply import configure as configure
    from visigate_logging.detail.classification import Classifier as Classifier
    from visigate_logging.detail.record import ErrorDetail as ErrorDetail
    from visigate_logging.formatters import DetailFormatter as DetailFormatter
    from visigate_logging.formatters import TextFormatter as TextFormatter
    from visigate_logging.handlers.flight_recorder import FlightRecorder as FlightRecorder
    from visigate_logging.handlers.forward import ForwardHandler as ForwardHandler
    from visigate_logging.handlers.json_file import JsonFileHandler as JsonFileHandler
    from visigate_logging.handlers.notification import NotificationHandler as NotificationHandler
    from visigate_logging.handlers.recovery import RecoveryHandler as RecoveryHandler
    from visigate_logging.handlers.rotating import SharedRotatingFileHandler as SharedRotatingFileHandler
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler as ThrottledSMTPHandler
    from visigate_logging.hooks import install_hooks as install_hooks
    from visigate_logging.hooks import uninstall_hooks as uninstall_hooks
    from visigate_logging.lifecycle.watchdog import heartbeat as heartbeat
    from visigate_logging.migrate.error_handler import ErrorHandler as ErrorHandler
    from visigate_logging.migrate.error_handler import setup_error_handler as setup_error_handler
    from visigate_logging.migrate.error_logs import get_error_logs as get_error_logs
    from visigate_logging.store.store import ErrorStore as ErrorStore

_HOME = {
    "Classifier": "detail.classification",
    "DetailFormatter": "formatters",
    "ErrorDetail": "detail.record",
    "JsonFileHandler": "handlers.json_file",
    "ErrorHandler": "migrate.error_handler",
    "ErrorStore": "store.store",
    "ForwardHandler": "handlers.forward",
    "NotificationHandler": "handlers.notification",
    "FlightRecorder": "handlers.flight_recorder",
    "RecoveryHandler": "handlers.recovery",
    "SharedRotatingFileHandler": "handlers.rotating",
    "TextFormatter": "formatters",
    "ThrottledSMTPHandler": "handlers.smtp",
    "configure": "config.apply",
    "heartbeat": "lifecycle.watchdog",
    "get_error_logs": "migrate.error_logs",
    "install_hooks": "hooks",
    "setup_error_handler": "migrate.error_handler",
    "uninstall_hooks": "hooks",
}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 -- the keys are names


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
