"""Run a program of the administrator's."""

from dataclasses import dataclass

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.bounds import would_reboot
from visigate_logging.recovery.steps.commands import call


@dataclass(frozen=True, kw_only=True)
class Command(Step):
    """Done when the program ends with exit code 0. No shell is involved.

    Args:
        argv: the program and its arguments. ``{key}``, ``{procedure}``, ``{event_id}``, ``{error_type}`` and
            ``{logger}`` stand for what the error brought, with all but harmless characters replaced.
        timeout: seconds; then the program and all it started are ended.
    """

    argv: tuple[str, ...]
    timeout: Seconds = 60.0

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError("argv is empty; it must be a list: the program, then its arguments")

    @property
    def reboots(self) -> bool:
        """When one of its words is a program or unit that ends the host."""
        return would_reboot(self.argv)

    def run(self, context: Context) -> Outcome:
        """Start it and wait."""
        code, output = call(self.argv)
        told = f"{self.argv[0]} ended with exit code {code}" + (f": {output[-300:]}" if output else "")
        return Outcome(Status.FAILED if code else Status.DONE, told, {"exit_code": code, "output": output})
