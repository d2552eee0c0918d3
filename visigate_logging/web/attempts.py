"""How fast a client may guess the password."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

FREE = 3
"""Wrong passwords in a row that cost a client no waiting."""
LONGEST = 8.0
"""Seconds: who mistypes is slowed, never locked out; 10,800 guesses a day find no password of eight characters."""
FORGOTTEN_AFTER = 3600.0
MOST_CLIENTS = 10_000


class _Failures(NamedTuple):
    n: int
    last: float

    @property
    def next_try(self) -> float:
        return self.last + (min(2.0 ** (self.n - FREE), LONGEST) if self.n >= FREE else 0.0)


class Attempts:
    """Slows each client that gives wrong passwords: after the third by a second, then two, four, eight.

    No client's failures slow another. What is remembered is bounded by forgetting the clients that have been
    quiet for longest, so that nobody can fill it and nobody is refused because it is full.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, address: str) -> int:
        """Return the whole seconds until this client may try again; 0: now."""
        now = self._clock()
        with self._lock:
            return math.ceil(max(self._of(_client(address), now).next_try - now, 0.0))

    def fail(self, address: str) -> None:
        """Count a wrong password of this client."""
        now, client = self._clock(), _client(address)
        with self._lock:
            self._failures[client] = _Failures(self._of(client, now).n + 1, now)
            self._failures.move_to_end(client)
            if len(self._failures) > MOST_CLIENTS:
                self._failures.popitem(last=False)

    def forgive(self, address: str) -> None:
        """Forget the failures of a client that knew the password."""
        with self._lock:
            self._failures.pop(_client(address), None)

    def _of(self, client: str, now: float) -> _Failures:
        found = self._failures.get(client)
        return found if found and now - found.last < FORGOTTEN_AFTER else _Failures(0, now)


def _client(address: str) -> str:
    """Return whom an address belongs to: of IPv6, one host has at least a whole /64 (RFC 4291)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
