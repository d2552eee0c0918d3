"""What can be known of a network interface, from the wire upwards: by iproute2 and /proc, changing nothing."""

import ipaddress
import json
import shutil
import socket
import subprocess
from typing import Any

REACHABLE = {"REACHABLE", "DELAY", "PERMANENT"}
SSH = 22
PATIENCE = 3.0  # for one connection, seconds


# complex: one rung a line
def fault_of(interface: str, target: str) -> str | None:
    """Return the lowest rung that is broken: carrier, address, route, gateway, DNS or target; None when all is well.

    Args:
        interface: its name.
        target: ``HOST:PORT`` of what is to be reached; empty when the gateway is enough.
    """
    flags = flags_of(interface)
    if "UP" in flags and "LOWER_UP" not in flags:
        return "carrier"
    if not addresses(interface):
        return "address"
    host = target.rpartition(":")[0]
    if not _leads_there(interface, host):
        return "route"
    gateway = next((r["gateway"] for r in routes(interface) if r.get("dst") == "default" and "gateway" in r), None)
    if gateway is not None and not _gateway_answers(gateway, interface):
        return "gateway"
    return _fault_beyond(target) if target else None


def _leads_there(interface: str, host: str) -> bool:
    """Return whether there is a route to an address, or, for a name or nothing in particular, a default route."""
    if _is_number(host):
        return any(route.get("dev") == interface for route in _ip("route", "get", host))
    return any(route.get("dst") == "default" for route in routes(interface))


def _fault_beyond(target: str) -> str | None:
    host, _, port = target.rpartition(":")
    try:
        socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError:
        return "DNS"
    return None if _accepts(host, int(port)) else "target"


def default_interface() -> str:
    """Return the interface of the default route; empty when there is none."""
    return next((str(r["dev"]) for r in _ip("route", "show", "default")), "")


def flags_of(interface: str) -> list[str]:
    """Return the flags of an interface, such as UP and LOWER_UP; empty when it is not there."""
    return [flag for link in _ip("link", "show", "dev", interface) for flag in link.get("flags", ())]


def addresses(interface: str) -> list[str]:
    """Return the addresses of an interface that is up, but for those that it gives itself."""
    shown = _ip("address", "show", "dev", interface, "up")
    return [str(a["local"]) for link in shown for a in link.get("addr_info", ()) if a.get("scope") != "link"]


def routes(interface: str) -> list[dict[str, Any]]:
    """Return the routes over an interface, of both versions, as iproute2 tells them."""
    return _ip("route", "show", "dev", interface) + [
        route | {"family": "-6"} for route in _ip("-6", "route", "show", "dev", interface)
    ]


def has_networkmanager(interface: str) -> bool:
    """Return whether NetworkManager looks after an interface."""
    if shutil.which("nmcli") is None:
        return False
    asked = ["nmcli", "-g", "GENERAL.STATE", "device", "show", interface]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "unmanaged" not in done.stdout


def ssh_peer(local: list[str]) -> str | None:
    """Return who is logged in by SSH to one of our addresses, as iproute2's ``ss`` tells it."""
    asked = ["ss", "-Hnt", "state", "established", f"sport = :{SSH}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        ours, theirs = map(_address, line.split()[2:4])
        if ours in local:
            return theirs
    return None


def _address(text: str) -> str:
    """Without the port, the interface, and what marks an IPv4 address on a socket for both versions."""
    return text.rpartition(":")[0].strip("[]").partition("%")[0].removeprefix("::ffff:")


def _ip(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    return found


def _gateway_answers(gateway: str, interface: str) -> bool:
    """Return whether a gateway answers, be it by refusing: to ARP, too, as a firewall swallows only the first."""
    if _accepts(gateway, 80) is not None:
        return True
    found = _ip("neigh", "show", gateway, "dev", interface)
    return any(set(entry.get("state", ())) & REACHABLE for entry in found)


def _accepts(host: str, port: int) -> bool | None:
    """Return True when it accepts, False when it refuses, None when nothing comes back."""
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return None
    return True


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
