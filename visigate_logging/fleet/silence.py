"""Who has fallen silent: single gates, or whole sites, whose link is lost; pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visigate_logging.fleet.gates import SILENT, Gate

_TOGETHER = 600.0
"""Seconds within which the gates of a site fall silent when its link is lost: each has told its state at its own
time, and may have been waiting for the hub."""


@dataclass(frozen=True)
class Silence:
    """One incident.

    Args:
        gates: of whom nothing is heard.
        is_site: they are all that their site has, and more than one.
    """

    gates: Sequence[Gate]
    is_site: bool

    @property
    def since(self) -> float:
        """When the last of them was heard."""
        return max(gate.heard for gate in self.gates)


def silences(gates: Iterable[Gate], now: float) -> list[Silence]:
    """Return the silences that nobody has been told of.

    Args:
        gates: all that there are.
        now: seconds since 1970.
    """
    sites: dict[str, list[Gate]] = defaultdict(list)
    for gate in gates:
        sites[gate.sender.site].append(gate)
    found = []
    for own in sites.values():
        fresh = [gate for gate in own if gate.silent_for(now) and gate.told != gate.heard]
        if fresh and len(own) > 1 and all(now - gate.heard > SILENT - _TOGETHER for gate in own):
            found.append(Silence(own, is_site=True))
        else:
            found += [Silence([gate], is_site=False) for gate in fresh]
    return found
