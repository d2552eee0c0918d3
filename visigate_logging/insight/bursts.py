"""Bursts: hours, or days, with far more errors of a group than its past lets one expect.

The count of an hour is taken to follow a negative binomial. Its mean is an exponentially weighted one of the group's
hours, times what the hour of the day usually has once two weeks are known. Its dispersion is learned from residuals,
``(x - mean)^2 - mean``, because the errors of a gate come in swarms and a Poisson rule cries wolf every day. A second
window, the last 24 hours together, sees what grows slowly. After a burst the group rests for a day.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self

HALF_LIFE = 168
"""Hours after which an hour's count weighs half."""
KEEP = 0.5 ** (1 / HALF_LIFE)
ALARM, CLIP = 3.0, 3.0
"""Scores: from here on a burst; above this an hour's count is cut, lest a burst become what is usual."""
ALARM_DAY = 4.5
"""The same for 24 hours together, of which one is looked at every hour."""
FEWEST, FEWEST_DAY = 5, 12
"""Errors below which nothing is a burst."""
FACTOR = 2.0
"""A burst is at least so many times what was to be expected: less is not worth telling."""
REST = 24
"""Hours after a burst in which no other is told."""
WARM_UP = 24
"""Hours from a group's first error on in which it is new, and nothing is a burst."""
CYCLE_AFTER = 24 * 14
"""Hours after which the hour of the day counts."""
CYCLE_DAYS = 7.0
"""Days of an average hour that the factor of an hour of the day begins with."""
PRIOR_COUNT, PRIOR_HOURS = 1.0, 24.0
"""What is believed of a group before anything is known: one error a day."""
MOST_DISPERSION_DAY = 2.0
"""Of 24 hours together: what grows slowly would else be taken for spread."""
LEAST_DISPERSION, PRIOR_WEIGHT, PRIOR_DISPERSION = 0.1, 24.0, 0.6
QUIET = 48
"""Quiet hours that are gone through one by one; those beyond are taken at once."""
DAY = 24
PRECISION = 1e-7  # of a tail, whose order of magnitude is used


class Burst(NamedTuple):
    """An hour, or the 24 hours that end with it, with far more errors than were to be expected.

    Args:
        hour: the first, in hours since 1970.
        hours: how many: 1 or 24.
        errors: how many there were.
        expected: how many were to be expected.
        score: -log10 of the probability of so many or more.
    """

    hour: int
    hours: int
    errors: int
    expected: float
    score: float


def burst_score(count: int, shape: float, rate: float) -> float:
    """Return -log10 P(X ≥ count) where X is Poisson and its mean Gamma-distributed: a negative binomial.

    Args:
        count: what was seen.
        shape: of the Gamma distribution.
        rate: of the Gamma distribution; its mean is ``shape / rate``.
    """
    if count <= shape / rate:  # not more than expected: no need to know how little that says
        return 0.0
    total = term = 1.0
    k = count
    while term > PRECISION * total:  # the terms fall at least geometrically beyond the mean
        term *= (k + shape) / (k + 1) / (rate + 1)
        total += term
        k += 1
    return max(0.0, -(_log_probability(count, shape, rate) + math.log(total)) / math.log(10))


def _log_probability(count: int, shape: float, rate: float) -> float:
    """Return log P(X = count)."""
    return (
        math.lgamma(count + shape)
        - math.lgamma(shape)
        - math.lgamma(count + 1)
        - shape * math.log1p(1 / rate)
        - count * math.log(rate + 1)
    )


@dataclass
class _Usual:
    """What is usual for a window: weighted counts and hours, and how far counts were from what was expected."""

    errors: float = 0.0
    hours: float = 0.0
    residual: float = PRIOR_WEIGHT * PRIOR_DISPERSION
    squares: float = PRIOR_WEIGHT
    most: float = math.inf

    def mean(self) -> float:
        """Return the errors to be expected in an hour."""
        return (PRIOR_COUNT + self.errors) / (PRIOR_HOURS + self.hours)

    def shape(self) -> float:
        """Return the shape of the Gamma distribution of the mean: the spread of counts, and how little is known."""
        dispersion = max(LEAST_DISPERSION, min(self.most, self.residual / self.squares))
        return 1 / (dispersion + 1 / (PRIOR_COUNT + self.errors))

    def learn(self, count: float) -> None:
        """Take an hour's count into account."""
        self.errors = self.errors * KEEP + count
        self.hours = self.hours * KEEP + 1

    def spread(self, count: float, expected: float, weight: float) -> None:
        """Take into account how far a count was from what was expected; a busy hour says no more than a quiet one."""
        weight /= max(expected, 1.0)
        self.residual = self.residual * KEEP + ((count - expected) ** 2 - expected) * weight
        self.squares = self.squares * KEEP + expected**2 * weight

    def pass_quiet(self, hours: int) -> None:
        """Take hours without errors into account at once."""
        kept = KEEP**hours
        self.errors *= kept
        self.hours = self.hours * kept + (1 - kept) / (1 - KEEP)


@dataclass
class BurstRule:
    """The rule and what it remembers of a group: told of one hour with errors after the other.

    Args:
        begin: the hour of the first error.
        after: the hour that comes next.
        rest_until: the hour until which no burst is told.
        hourly, daily: what is usual for an hour, and for the hours up to a day ago.
        cycle: weighted counts for each hour of the day.
        last: the counts of the last 24 hours, the oldest first.
    """

    begin: int | None = None
    after: int = 0
    rest_until: int = 0
    hourly: _Usual = field(default_factory=_Usual)
    daily: _Usual = field(default_factory=lambda: _Usual(most=MOST_DISPERSION_DAY))
    cycle: list[float] = field(default_factory=lambda: [0.0] * DAY)
    last: list[int] = field(default_factory=lambda: [0] * DAY)

    def see(self, hour: int, count: int) -> Burst | None:
        """Take an hour with errors into account; hours between had none.

        Args:
            hour: hours since 1970.
            count: its errors.

        Returns:
            The burst if it is one.
        """
        if self.begin is None:
            self.begin = self.after = hour
        self.pass_to(hour)
        return self._see(count)

    def pass_to(self, hour: int) -> None:
        """Take into account that there were no errors up to an hour."""
        while self.begin is not None and self.after < hour:
            left = hour - self.after
            if left > QUIET and not any(self.last):
                self.hourly.pass_quiet(left)
                self.daily.pass_quiet(left)
                kept = KEEP**left
                self.cycle = [value * kept for value in self.cycle]
                self.after = hour
            else:
                self._see(0)

    def _see(self, count: int) -> Burst | None:
        hour, age = self.after, self.after - (self.begin or 0)
        expected = self.hourly.mean() * self._factor(hour, age)
        score, cut = _judge(count, expected, self.hourly.shape())
        total, usual = sum(self.last) - self.last[0] + count, self.daily.mean() * DAY
        burst = None
        if age >= WARM_UP and hour >= self.rest_until:
            if count >= max(FEWEST, FACTOR * expected) and score >= ALARM:
                burst = Burst(hour, 1, count, expected, score)
            elif count and total >= max(FEWEST_DAY, FACTOR * usual) and age >= 2 * DAY:
                day_score, _ = _judge(total, usual, self.daily.shape())
                if day_score >= ALARM_DAY:
                    burst = Burst(hour - DAY + 1, DAY, total, usual, day_score)
        if burst:
            self.rest_until = hour + REST
        self._learn(hour, count, cut, expected)
        # A day's residuals are those of 24 hours that overlap: one of them counts as a 24th.
        self.daily.spread(
            min(total, usual + CLIP * math.sqrt(usual * (1 + usual / self.daily.shape()))), usual, 1 / DAY
        )
        return burst

    def _factor(self, hour: int, age: int) -> float:
        """Return how many times the usual count an hour of the day has."""
        if age < CYCLE_AFTER:
            return 1.0
        mean = self.hourly.mean()
        days = self.hourly.hours / DAY
        return (self.cycle[hour % DAY] + CYCLE_DAYS * mean) / (days + CYCLE_DAYS) / mean

    def _learn(self, hour: int, count: int, cut: float, expected: float) -> None:
        most = min(count, cut)
        self.hourly.learn(most)
        self.hourly.spread(most, expected, 1.0)
        self.daily.learn(min(self.last[0], cut))
        self.cycle[hour % DAY] = self.cycle[hour % DAY] * KEEP**DAY + most
        self.last = [*self.last[1:], count]
        self.after = hour + 1

    def to_list(self) -> list[Any]:
        """Return what the rule remembers, as JSON has it."""
        usual = [[getattr(u, f.name) for f in fields(_Usual)[:4]] for u in (self.hourly, self.daily)]
        return [self.begin, self.after, self.rest_until, *usual, self.cycle, self.last]

    @classmethod
    def from_list(cls, remembered: list[Any]) -> Self:
        """Return a rule that remembers what :meth:`to_list` gave."""
        begin, after, rest, hourly, daily, cycle, last = remembered
        return cls(
            begin, after, rest, _Usual(*hourly), replace(_Usual(*daily), most=MOST_DISPERSION_DAY), cycle, last
        )


def _judge(count: int, expected: float, shape: float) -> tuple[float, float]:
    """Return the score of a count, and up to which count it may become what is usual."""
    rate = shape / expected
    spread = math.sqrt(expected * (1 + 1 / rate))
    cut = expected + CLIP * spread
    if count <= expected + 2 * spread:  # far from any alarm, and cheap to say
        return 0.0, cut
    return burst_score(count, shape, rate), cut


def find_bursts(hours: Iterable[tuple[int, int]]) -> list[Burst]:
    """Return the bursts of a series.

    Args:
        hours: hours since 1970 and their counts, ascending; hours without errors may be left out.
    """
    rule = BurstRule()
    return [burst for hour, count in hours if (burst := rule.see(hour, count))]
