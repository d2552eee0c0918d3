"""Find out what is wrong with the network, and take the interface down and up when it is the interface."""

import time
from dataclasses import dataclass

from visigate_logging.options import Seconds
from visigate_logging.recovery import network
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.commands import call

OWN = ("kernel", "ra")  # who sets a route again by itself, with the address
BEYOND = (None, "DNS", "target")  # not the interface's fault


@dataclass(frozen=True, kw_only=True)
class NetworkInterface(Step):
    """Look at an interface from the wire upwards: carrier, address, route, gateway, DNS, target.

    When the gateway answers and only what is behind it does not, the interface is left alone; also when somebody is
    logged in over it.

    Args:
        interface: its name, such as ``eth0``; empty: the one of the default route.
        target: ``HOST:PORT`` of what is to be reached in the end; empty: the gateway is enough.
        restart: whether it may be taken down and up; else the step only says what is wrong.
        settle: how long an address and a route may take to come back, seconds.
        timeout: seconds.
    """

    interface: str = ""
    target: str = ""
    restart: bool = False
    settle: Seconds = 20.0
    timeout: Seconds = 60.0

    def __post_init__(self) -> None:
        if "/" in self.interface or self.interface.startswith("-"):
            raise ValueError(f"interface is {self.interface!r}; it must be a name such as eth0")
        if self.target and not self.target.rpartition(":")[2].isdigit():
            raise ValueError(f"target is {self.target!r}; it must be HOST:PORT")

    @property
    def mends(self) -> bool:
        """Only when it may restart the interface."""
        return self.restart

    # complex: one rung a line
    def run(self, context: Context) -> Outcome:
        """Find the lowest rung that is broken; act only below the gateway; look again."""
        name = self.interface or network.default_interface()
        if not name or not network.flags_of(name):
            return Outcome(Status.FAILED, f"there is no interface {name}" if name else "there is no default route")
        fault = network.fault_of(name, self.target)
        if fault is None:
            return Outcome(Status.DONE, f"{name} works, up to {self.target or 'its gateway'}")
        if fault in BEYOND:
            told = f"{name} and its gateway work, so it is left alone; what fails is: {fault} ({self.target})"
            return Outcome(Status.REFUSED, told)
        if fault == "carrier":
            return Outcome(Status.FAILED, f"{name} has no carrier: cable, switch or radio")
        if not self.restart:
            return Outcome(Status.FAILED, f"{name} has no {fault}; restart: true would take it down and up")
        if peer := network.ssh_peer(network.addresses(name)):
            return Outcome(Status.REFUSED, f"{peer} is logged in over {name}; it is left alone")
        return self._restart(name, fault)

    def _restart(self, name: str, fault: str) -> Outcome:
        before = network.routes(name)
        code, output = _down_and_up(name)
        if code:
            return Outcome(Status.FAILED, f"{name} could not be restarted ({fault}): {output[-300:]}")
        deadline = time.monotonic() + self.settle
        left: str | None = fault
        while left not in BEYOND and time.monotonic() < deadline:
            time.sleep(0.5)
            _put_back(name, before)
            left = network.fault_of(name, self.target)
        good = left in BEYOND
        told = f"{name} was restarted because of its {fault}; now " + ("it works" if good else f"no {left}")
        return Outcome(Status.DONE if good else Status.FAILED, told, {"fault": fault, "now": left})


def _down_and_up(name: str) -> tuple[int, str]:
    if network.has_networkmanager(name):
        code, output = call(["nmcli", "device", "reapply", name])
        return call(["nmcli", "device", "connect", name]) if code else (code, output)
    call(["ip", "link", "set", "dev", name, "down"])
    return call(["ip", "link", "set", "dev", name, "up"])


def _put_back(name: str, before: list[dict[str, str]]) -> None:
    """Routes that were set by hand do not come back by themselves when a link goes down and up."""
    now = {(route.get("dst"), route.get("gateway")) for route in network.routes(name)}
    lost = [r for r in before if r.get("protocol") not in OWN and (r.get("dst"), r.get("gateway")) not in now]
    for route in sorted(lost, key=lambda r: "gateway" in r):  # a gateway may be reached by one without
        via = ["via", route["gateway"]] if "gateway" in route else []
        metric = ["metric", str(route["metric"])] if "metric" in route else []
        family = [route["family"]] if "family" in route else []
        call(["ip", *family, "route", "replace", route["dst"], *via, "dev", name, *metric])
