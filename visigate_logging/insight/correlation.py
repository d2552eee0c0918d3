"""What errors of a group have in company: other groups within seconds, and facets that they all share."""

import math
from collections.abc import Mapping, Sequence

__all__ = ["comes_with", "only_at"]

SHARE = 0.5
FEWEST = 3
CHANCE = 0.01


def comes_with(seen: Mapping[int, int], of: int, rates: Mapping[int, float], span: float) -> list[int]:
    """Return the groups whose errors come with those of another, the most frequent first.

    Args:
        seen: beside how many of the other's errors each group had one.
        of: how many of these were looked at.
        rates: errors of each group in a second.
        span: seconds that were looked at beside each.
    """
    found = []
    for group, times in seen.items():
        by_chance = -math.expm1(-rates.get(group, 0.0) * span)
        if times < max(FEWEST, SHARE * of):
            continue
        if _at_least(times, of, by_chance) * len(seen) < CHANCE:
            found.append((times, group))
    return [group for _, group in sorted(found, reverse=True)]


def _at_least(times: int, of: int, share: float) -> float:
    return sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(times, of + 1))


def only_at(own: Mapping[str, Sequence[tuple[str, int]]], all_: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return the facets of which all errors of a group have one value, though others have others.

    Args:
        own: values and counts of the group, by facet.
        all_: counts of all errors by value, by facet.
    """
    found = {}
    for name, values in own.items():
        others = all_.get(name, {})
        total = sum(n for value, n in others.items() if value)
        if len(values) != 1 or not values[0][0] or total == 0:
            continue
        ((value, count),) = values
        if count >= FEWEST and (others.get(value, 0) / total) ** count < CHANCE:
            found[name] = value
    return found
