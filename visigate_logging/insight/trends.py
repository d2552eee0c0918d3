"""Trends: whether errors become more or fewer, said only where the days can carry it."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from visigate_logging.insight.bursts import burst_score

SIGNIFICANT = 0.03
"""Two-sided, of the test over all days. With LATELY the verdicts that are wrong stay below 0.04."""
LATELY = 2.6
"""-log10 of the probability from which the last two days differ from the weeks before."""
FEWEST_DAYS = 10
"""Whole days below which nothing is said: over six, a doubling is seen in one case of eleven."""
FEWEST_WEEKS = 2
"""Weeks before the last two days that are wanted to compare them."""
FEWEST_ERRORS = 5
TOO_FEW = "too few days"


@dataclass(frozen=True)
class Trend:
    """A verdict on the days of a period.

    Args:
        direction: ``rising``, ``falling``, ``steady`` where nothing is significant, or ``too few days``.
        p: two-sided probability of what was seen over all days if there is no trend.
        z: the standard normal score, corrected for continuity.
    """

    direction: str
    p: float
    z: float


def mann_kendall(values: Sequence[float], significant: float = SIGNIFICANT) -> Trend:
    """Return whether a series rises or falls, whatever its shape.

    The normal approximation with the variance corrected for ties: Kendall, *Rank Correlation Methods* (1975);
    Gilbert, *Statistical Methods for Environmental Pollution Monitoring* (1987), 16.4.

    Args:
        values: one for each day.
        significant: two-sided probability below which it is a trend.
    """
    n = len(values)
    s, earlier = 0, list[float]()
    for i, value in enumerate(values):
        s += bisect_left(earlier, value) - (i - bisect_right(earlier, value))
        insort(earlier, value)
    ties = Counter(values).values()
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    z = (s - _sign(s)) / math.sqrt(variance) if variance > 0 else 0.0
    p = math.erfc(abs(z) / math.sqrt(2))
    if p >= significant:
        return Trend("steady", p, z)
    return Trend("rising" if z > 0 else "falling", p, z)


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


@lru_cache(4096)  # of past days, which do not change until tomorrow
def trend_of(daily: tuple[int, ...], known: int | None = None) -> Trend:
    """Return the verdict on counts of whole days: over all of them, and of the last two against the weeks before.

    Args:
        daily: the counts, the oldest first; without today, which is not over.
        known: of how many of these days there is a log at all; None for all.
    """
    days = daily[len(daily) - known :] if known is not None and known < len(daily) else daily
    if len(days) < FEWEST_DAYS:
        return Trend(TOO_FEW, 1.0, 0.0)
    over_all = mann_kendall(days)
    if over_all.direction != "steady" or len(days) < 7 * FEWEST_WEEKS + 2:
        return over_all
    return Trend(_lately(days), over_all.p, over_all.z)


def _lately(days: Sequence[int]) -> str:
    """Return whether the last two days differ from the same days of the weeks before, weekends from weekends."""
    weeks = [sum(days[len(days) - 2 - 7 * back : len(days) - 7 * back]) for back in range(len(days) // 7)]
    last, *before = weeks
    if last + sum(before) < FEWEST_ERRORS:
        return "steady"
    mean = sum(before) / len(before)
    # The spread of neighbouring days says more than that of two or three weekends.
    spread = [sum(days[i : i + 2]) for i in range(len(days) % 2, len(days) - 2, 2)]
    usual = sum(spread) / len(spread)
    variance = sum((x - usual) ** 2 for x in spread) / (len(spread) - 1)
    dispersion = max(0.02, (variance - usual) / usual**2 if usual else 0.0) + 1 / (sum(before) + 1)
    shape = 1 / dispersion
    expected = max(mean, 0.5 / len(before))
    if abs(last - expected) <= 2 * math.sqrt(expected * (1 + expected / shape)):  # far from any verdict
        return "steady"
    if last > expected and burst_score(last, shape, shape / expected) >= LATELY:
        return "rising"
    if last < expected and _score_below(last, shape, shape / expected) >= LATELY:
        return "falling"
    return "steady"


def _score_below(count: int, shape: float, rate: float) -> float:
    """Return -log10 P(X ≤ count) of a negative binomial."""
    log_term = shape * math.log(rate / (rate + 1))
    total = 0.0
    for k in range(count + 1):
        total += math.exp(log_term)
        log_term += math.log((k + shape) / (k + 1) / (rate + 1))
    return -math.log10(total) if total > 0 else math.inf
