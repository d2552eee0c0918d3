"""What errors of a group have in company: other groups within seconds, and facets that they all share."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

SHARE = 0.5
FEWEST = 3
CHANCE = 0.01


def beside(
    errors: Sequence[tuple[int, int]], reach: int
) -> tuple[Mapping[int, Mapping[int, int]], Mapping[int, int]]:
    """Return beside how many incidents of each group each other one had an error, and how many incidents that were.

    Args:
        errors: their times and groups, in the order of time.
        reach: how far before and after an error another is of the same incident.
    """
    seen, of, last = defaultdict[int, Counter[int]](Counter), Counter[int](), dict[int, int]()
    within = Counter[int]()
    begin = end = 0
    for at, group in errors:
        if group in last and at - last[group] <= 2 * reach:
            continue
        last[group] = at
        of[group] += 1
        while end < len(errors) and errors[end][0] <= at + reach:
            within[errors[end][1]] += 1
            end += 1
        while errors[begin][0] < at - reach:
            within[errors[begin][1]] -= 1
            begin += 1
        seen[group].update(other for other, n in within.items() if n and other != group)
    return seen, of


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
