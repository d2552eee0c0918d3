"""What is said while logging itself changes: a handler that raises must not reach who configures."""

import logging
import sys
from collections.abc import Callable

_log = logging.getLogger("visigate_logging.config")


def report(level: int, message: str, *args: object, exc_info: bool = False) -> None:
    """Say something on the package's logger; when a handler raises, on standard error."""
    try:
        _log.log(level, message, *args, exc_info=exc_info)
    except Exception as error:  # noqa: BLE001 -- a handler may raise anything
        _say(f"{message % args}\n(could not be logged: {type(error).__name__}: {error})")


def safely(what: str, act: Callable[[], object]) -> None:
    """Do something that a configuration in effect does not depend on; what it raises is said."""
    try:
        act()
    except Exception:  # noqa: BLE001 -- it is said, and no more depends on it
        report(logging.ERROR, "the configuration is in effect, but %s failed", what, exc_info=True)


def _say(text: str) -> None:
    try:
        sys.stderr.write(f"visigate_logging: {text}\n")
    except (OSError, ValueError, AttributeError):  # no stderr, or a closed one: there is nobody left to tell
        return
