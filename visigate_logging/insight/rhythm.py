"""Rhythm: at which hours of the day the errors of a group usually come."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

FEWEST_DAYS = 8
SHARE = 0.6
SIGNIFICANT = 0.01
LENGTHS = (1, 2, 3, 4, 6)
"""Hours of a window."""


class Rhythm(NamedTuple):
    """A part of the day.

    Args:
        begin, end: local hours, 0 to 23; the end is not part of it.
        days: days on which the group's errors came mainly then.
        of: days with errors.
    """

    begin: int
    end: int
    days: int
    of: int


def rhythm_of(hours: Iterable[tuple[int, int, int]], groups: int = 1) -> Rhythm | None:
    """Return when the errors of a group usually come; None when that may be chance.

    Each day counts once, by its hour with most errors, so that a swarm says no more than a single error. The binomial
    test of the best window is corrected for all windows and groups that were looked at (Bonferroni).

    Args:
        hours: day, local hour of the day, and count.
        groups: how many groups are looked at.
    """
    best: dict[int, tuple[int, int]] = {}
    for day, hour, count in hours:
        if day not in best or count > best[day][0]:
            best[day] = count, hour
    days = len(best)
    if days < FEWEST_DAYS:
        return None
    by_hour = Counter(hour for _, hour in best.values())
    found = []
    for length in LENGTHS:
        for begin in range(24):
            hits = sum(by_hour[(begin + n) % 24] for n in range(length))
            if hits >= SHARE * days:
                found.append((_tail(hits, days, length / 24), Rhythm(begin, (begin + length) % 24, hits, days)))
    if not found:
        return None
    p, rhythm = min(found)
    return rhythm if p * 24 * len(LENGTHS) * groups < SIGNIFICANT else None


def _tail(hits: int, of: int, share: float) -> float:
    """Return P(X ≥ hits) of a binomial distribution."""
    return sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits, of + 1))
