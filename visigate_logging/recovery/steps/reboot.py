"""Restart the whole host: the last step."""

from dataclasses import dataclass

from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.commands import call


@dataclass(frozen=True, kw_only=True)
class Reboot(Step):
    """Restart the host; only with ``allow_reboot: true`` at the handler, and at most once within a day of uptime."""

    reboots = True

    def run(self, context: Context) -> Outcome:
        """Call systemctl."""
        code, output = call(["systemctl", "reboot"])
        if code:
            return Outcome(Status.FAILED, f"the host could not be rebooted: {output[-300:]}")
        return Outcome(Status.DONE, "the host reboots")
