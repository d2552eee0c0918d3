"""The ``visigate:`` section, which plain ``dictConfig`` passes over."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from visigate_logging.detail.handled import VARIABLE, look_at_environment
from visigate_logging.options import Range, Via, meant


def _level_or_false(value: str | bool) -> str | bool:
    known = logging.getLevelNamesMapping()
    if value is True:
        raise ValueError
    if value and value not in known:
        raise ValueError(f"is no level; possible are {', '.join(known)}{meant(value, known)}")
    return value


_inherited: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is about the installation as a whole.

    Args:
        service: name of the application, for mails and pages; children inherit it as ``VISIGATE_SERVICE``.
        release: the application's version; children inherit it as ``VISIGATE_RELEASE``.
        handled_exceptions: name of the level from which a record gets the exception that is being handled where it
            is logged; false: none does. Children inherit it as ``VISIGATE_HANDLED_EXCEPTIONS``.
        hooks: log what nobody caught, as `install_hooks` does; default false.
        watchdog: seconds after which a loop that has called `heartbeat` once, and does so no more, is told of as an
            error with the stacks of all threads; default 0, never.
        actions: let administrators act on the host from the web pages: run a recovery, take a backup, send the
            outbox; default false.
        watch: apply changes of the file within 2 s, and at once on SIGHUP; default false.
    """

    service: str = ""
    release: str = ""
    handled_exceptions: Annotated[str | bool, Via(_level_or_false, "the name of a level, or false")] = "ERROR"
    hooks: bool = False
    watchdog: Annotated[float, Range(0, unit="seconds")] = 0.0
    actions: bool = False
    watch: bool = False


@contextlib.contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """Put what is set where handlers and children find it; undone when the body raises."""
    given = settings.handled_exceptions
    wanted = {
        "VISIGATE_SERVICE": settings.service,
        "VISIGATE_RELEASE": settings.release,
        VARIABLE: given if isinstance(given, str) else str(given).lower(),
    }
    before = {name: os.environ.get(name, "") for name in wanted}
    for name, value in wanted.items():
        inherited = _inherited.setdefault(name, before[name])
        _set(name, value or inherited)
    try:
        yield
    except BaseException:
        for name, value in before.items():
            _set(name, value)
        raise


def _set(name: str, value: str) -> None:
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)
    look_at_environment()
