"""Call the application, so that it opens its camera or connection again."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from visigate_logging.options import Seconds
from visigate_logging.recovery.application import call, find
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


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
    timeout: Seconds = 60.0

    def __post_init__(self) -> None:
        find(self.callable)

    def run(self, context: Context) -> Outcome:
        """Call it, and judge what it returns."""
        function = find(self.callable)
        plain = json.loads(json.dumps(asdict(context)))
        try:
            answer = call(lambda: function(plain), self.callable, self.timeout)
        except TimeoutError as error:
            return Outcome(Status.FAILED, str(error))
        except Exception as error:  # noqa: BLE001 -- the application's function may raise anything
            return Outcome(Status.FAILED, f"{self.callable} raised {type(error).__name__}: {error}")
        if answer is None or answer is True:
            return Outcome(Status.DONE, f"{self.callable} was called")
        return Outcome(Status.FAILED, f"{self.callable} says: {answer}")
