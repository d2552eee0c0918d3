"""Trends: whether errors become more or fewer over days, and when they came in bursts.

Pure: counts in, verdict out.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["HALF_LIFE", "Burst", "BurstRule", "Trend", "burst_score", "find_bursts", "mann_kendall"]

SIGNIFICANT = 0.05
HALF_LIFE = 168
"""Hours after which an hour's count weighs half."""
ALARM, CLIP = 2.5, 4.0
"""Scores: from here on a burst; above this an hour's count is cut, lest a burst become what is usual."""
FEWEST = 3
MUTED = 6
"""Hours after a burst in which no other is told."""
PRIOR_COUNT, PRIOR_HOURS = 1.0, 24.0
"""What is believed of a group before anything is known: one error a day."""


@dataclass(frozen=True)
class Trend:
    """The outcome of a Mann-Kendall test.

    Args:
        direction: ``rising``, ``falling`` or, where nothing is significant at 5 %, ``steady``.
        p: two-sided probability of what was seen if there is no trend.
        z: the standard normal score, corrected for continuity.
    """

    direction: str
    p: float
    z: float


def mann_kendall(values: Sequence[float]) -> Trend:
    """Whether a series rises or falls, whatever its shape.

    The normal approximation with the variance corrected for ties: Kendall, *Rank Correlation Methods* (1975);
    Gilbert, *Statistical Methods for Environmental Pollution Monitoring* (1987), 16.4.
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
    if p >= SIGNIFICANT:
        return Trend("steady", p, z)
    return Trend("rising" if z > 0 else "falling", p, z)


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


@dataclass(frozen=True)
class Burst:
    """An hour with far more errors than those before it.

    Args:
        hour: hours since 1970.
        count: how many errors it had.
        expected: how many were to be expected.
        score: -log10 of the probability of so many or more.
    """

    hour: int
    count: int
    expected: float
    score: float


def burst_score(count: int, shape: float, rate: float) -> float:
    """-log10 P(X ≥ count) where X is Poisson and its mean Gamma-distributed: a negative binomial.

    Args:
        count: what was seen.
        shape: of the Gamma distribution: errors, weighted.
        rate: of the Gamma distribution: hours, weighted.
    """
    if count <= shape / rate:  # not more than expected: no need to know how little that says
        return 0.0
    total = term = 1.0
    k = count
    while term > 1e-12 * total:  # the terms fall at least geometrically beyond the mean
        term *= (k + shape) / (k + 1) / (rate + 1)
        total += term
        k += 1
    return max(0.0, -(_log_probability(count, shape, rate) + math.log(total)) / math.log(10))


def _log_probability(count: int, shape: float, rate: float) -> float:
    """Log P(X = count)."""
    return (
        math.lgamma(count + shape)
        - math.lgamma(shape)
        - math.lgamma(count + 1)
        - shape * math.log1p(1 / rate)
        - count * math.log(rate + 1)
    )


class BurstRule:
    """The gamma-Poisson rule, told of one hour after the other."""

    def __init__(self) -> None:
        self._errors = 0.0
        self._hours = 0.0
        self._next: int | None = None
        self._muted_until = -(1 << 62)

    def see(self, hour: int, count: int) -> Burst | None:
        """Take an hour with errors into account; the burst if it is one. Hours between had none."""
        self._pass_quiet_hours(hour)
        shape, rate = PRIOR_COUNT + self._errors, PRIOR_HOURS + self._hours
        score = 0.0 if _is_usual(count, shape, rate) else burst_score(count, shape, rate)
        self._learn(count if score <= CLIP else _clipped(shape, rate))
        if count < FEWEST or score < ALARM or hour < self._muted_until:
            return None
        self._muted_until = hour + MUTED
        return Burst(hour, count, shape / rate, score)

    def _pass_quiet_hours(self, hour: int) -> None:
        quiet = hour - self._next if self._next is not None else 0
        kept = 0.5 ** (quiet / HALF_LIFE)
        self._errors *= kept
        self._hours = self._hours * kept + (1 - kept) / (1 - 0.5 ** (1 / HALF_LIFE))
        self._next = hour + 1

    def _learn(self, count: int) -> None:
        kept = 0.5 ** (1 / HALF_LIFE)
        self._errors = self._errors * kept + count
        self._hours = self._hours * kept + 1


def _is_usual(count: int, shape: float, rate: float) -> bool:
    """Whether a count is within two standard deviations of its mean: far from any alarm, and cheap to say."""
    mean = shape / rate
    return count <= mean + 2 * math.sqrt(mean * (1 + 1 / rate))


def _clipped(shape: float, rate: float) -> int:
    """The largest count whose score is not above CLIP."""
    count = int(shape / rate)
    beyond = 10 ** -burst_score(count + 1, shape, rate)
    term = math.exp(_log_probability(count + 1, shape, rate))
    while beyond >= 10**-CLIP:  # a step costs less than a score
        count += 1
        beyond -= term
        term *= (count + shape) / (count + 1) / (rate + 1)
    return count


def find_bursts(hours: Iterable[tuple[int, int]]) -> list[Burst]:
    """The bursts in a series.

    Args:
        hours: hours since 1970 and their counts, ascending; hours without errors may be left out.
    """
    rule = BurstRule()
    return [burst for hour, count in hours if (burst := rule.see(hour, count))]
