"""How the gate is: told each minute by whoever forwards, where the target wants to know."""

import contextlib
import time
from collections.abc import Callable
from importlib import import_module

from visigate_logging.exceptions import VisigateLoggingError
from visigate_logging.forward.options import ForwardOptions
from visigate_logging.forward.target import TellsState

_FIRST, _EVERY = 3.0, 60.0
"""Seconds until the state is told first, so that no short command does, and from then on."""
_BY_NAME = "visigate_logging.health.gate_state"
"""Who describes the gate: by name, as dictConfig has handlers, because it knows all rooms and none may know it."""


class StateTeller:
    """Tells a target how the gate is.

    Args:
        options: of the handler.
        describe: returns the state as JSON; by default that of the configuration that runs in this process.
    """

    def __init__(self, options: ForwardOptions, describe: Callable[[ForwardOptions], bytes] | None = None) -> None:
        self._options = options
        self._describe = describe or _described
        self._due = time.monotonic() + _FIRST

    def in_time(self) -> None:
        """Tell it when it is time; what cannot be known or told now is so in a minute."""
        target = self._options.target
        if isinstance(target, TellsState) and time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            with contextlib.suppress(VisigateLoggingError, OSError):
                target.tell(self._describe(self._options))


def _described(options: ForwardOptions) -> bytes:
    return bytes(import_module(_BY_NAME).described(options))
