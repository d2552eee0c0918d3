"""Call the application, so that it opens its camera or connection again."""

import importlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step

__all__ = ["Reopen"]


@dataclass(frozen=True, kw_only=True)
class Reopen(Step):
    """Call a function of the application with the error's context, a dict.

    It is called in the application's own process, in a thread of its own: what is open is open only there. The
    function returns None or True when it has helped, False or a text saying why when not, or raises.

    Args:
        callable: ``package.module:function``; it must be importable when the configuration is loaded.
        timeout: seconds; a function that takes longer has failed, but cannot be ended.
    """

    inside: ClassVar[bool] = True

    callable: str
    timeout: float = 60.0

    def __post_init__(self) -> None:
        _find(self.callable)

    def run(self, context: Context) -> Outcome:
        """Call it, and judge what it returns."""
        result: list[Outcome] = []
        function = _find(self.callable)
        thread = threading.Thread(
            target=lambda: result.append(_call(function, self.callable, asdict(context))),
            name=f"visigate-recovery-{self.callable}",
            daemon=True,
        )
        thread.start()
        thread.join(self.timeout)
        if not result:
            return Outcome(Status.FAILED, f"{self.callable} has not come back within {self.timeout:g} s")
        return result[0]


def _call(function: Callable[[dict[str, Any]], Any], name: str, context: dict[str, Any]) -> Outcome:
    try:
        answer = function(json.loads(json.dumps(context)))
    except Exception as error:
        return Outcome(Status.FAILED, f"{name} raised {type(error).__name__}: {error}")
    if answer is None or answer is True:
        return Outcome(Status.DONE, f"{name} was called")
    return Outcome(Status.FAILED, f"{name} says: {answer}")


def _find(path: str) -> Callable[[dict[str, Any]], Any]:
    home, _, name = path.partition(":")
    try:
        found = importlib.import_module(home)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ValueError(
            f"{path!r} cannot be reached ({type(error).__name__}: {error}); use module:function"
        ) from error
    if not callable(found):
        raise ValueError(f"{path!r} is {found!r}, which cannot be called")  # noqa: TRY004 -- a wrong value
    return found
