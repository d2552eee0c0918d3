"""Restart a service of systemd."""

from dataclasses import dataclass
from pathlib import Path

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.bounds import would_reboot
from visigate_logging.recovery.steps.commands import call


@dataclass(frozen=True, kw_only=True)
class RestartService(Step):
    """Restart a service, and look whether it runs; for the service that we are part of, only ask for it.

    Args:
        service: its name, with or without ``.service``; no other kind of unit can be restarted.
        allowed: the services that it may be when ``service`` has a placeholder, which what was logged fills in.
        user: whether it belongs to the user's own systemd.
        timeout: seconds.
    """

    service: str
    allowed: tuple[str, ...] = ()
    user: bool = False
    timeout: Seconds = 90.0

    def __post_init__(self) -> None:
        if not self.service or self.service.startswith("-"):
            raise ValueError(f"service is {self.service!r}; it must be the name of a unit")
        if "{" in self.service:
            if not self.allowed:
                raise ValueError(
                    f"service is {self.service!r}; what may be filled in must be listed in allowed: [NAME]"
                )
        elif not _unit(self.service).endswith(".service"):
            raise ValueError(
                f"service is {self.service!r}; only services can be restarted, no {Path(self.service).suffix}"
            )
        elif self.allowed and _unit(self.service) not in map(_unit, self.allowed):
            raise ValueError(f"service is {self.service!r}; allowed are {', '.join(self.allowed)}")

    @property
    def reboots(self) -> bool:
        """When it is one of systemd's own that end the host."""
        return would_reboot([self.service])

    def run(self, context: Context) -> Outcome:
        """Call systemctl."""
        unit = _unit(self.service)
        systemctl = ["systemctl", *(["--user"] if self.user else [])]
        if _is_ours(unit):
            # We are ended with the unit: waiting for it would be waiting for ourselves.
            code, output = call([*systemctl, "restart", "--no-block", "--", unit])
            told = f"{unit}, which this process belongs to, is asked to restart"
            return Outcome(Status.FAILED if code else Status.DONE, f"{told} {output}".strip())
        code, output = call([*systemctl, "restart", "--", unit])
        if code:
            return Outcome(Status.FAILED, f"{unit} could not be restarted: {output[-300:]}")
        code, state = call([*systemctl, "is-active", "--", unit])
        return Outcome(Status.FAILED if code else Status.DONE, f"{unit} was restarted and is {state or 'unknown'}")


def _unit(service: str) -> str:
    known = (".service", ".target", ".socket", ".timer", ".mount", ".path", ".slice", ".scope", ".swap", ".device")
    return service if service.endswith((*known, ".automount")) else f"{service}.service"


def _is_ours(unit: str) -> bool:
    try:
        return f"/{unit}" in Path("/proc/self/cgroup").read_text("ascii")
    except OSError:
        return False
