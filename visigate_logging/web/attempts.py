"""How often a password may be tried."""

import ipaddress
import threading
import time
from collections.abc import Callable

__all__ = ["Attempts"]

MOST = 5
PERIOD = 300.0
MOST_CLIENTS = 1000
"""Clients that are remembered; while so many have tried within the period, no other may."""


class Attempts:
    """Counts what each client tries: five times in five minutes, then no more until they have passed.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tried: dict[str, list[float]] = {}

    def wait(self, address: str) -> int:
        """Count a try of a client; the seconds it has to wait instead, if it may not."""
        now, client = self._clock(), _client(address)
        with self._lock:
            recent = {c: [t for t in times if now - t < PERIOD] for c, times in self._tried.items()}
            self._tried = {c: times for c, times in recent.items() if times}
            tried = self._tried.get(client, [])
            if len(tried) >= MOST or (not tried and len(self._tried) >= MOST_CLIENTS):
                return int(PERIOD - (now - tried[0]) if tried else PERIOD) + 1
            self._tried[client] = [*tried, now]
            return 0

    def forgive(self, address: str) -> None:
        """Forget the tries of a client that knew the password."""
        with self._lock:
            self._tried.pop(_client(address), None)


def _client(address: str) -> str:
    """Who an address belongs to: of IPv6, one host has at least a whole /64 (RFC 4291)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
