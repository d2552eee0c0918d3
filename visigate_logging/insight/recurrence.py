"""Which groups come back: how likely a group has errors again within some days. Not when, and not why.

The days with errors of a group are taken for a Poisson process whose rate is Gamma-distributed and forgotten over a
month: nothing to train, right from the third day on, and no better than that (docs/insight.md).
"""

import math
from collections.abc import Iterable

PRIOR_DAYS, PRIOR_AGE = 0.3, 10.0
DECAY = 30.0
"""Days after which a day weighs 1/e."""
FEWEST_DAYS = 3
"""Days with errors from which a forecast is shown."""


def recurrence(days_ago: Iterable[int], age: int, within: int = 7) -> float:
    """Return the probability that a group has errors within the next days.

    Args:
        days_ago: how many days ago each day with errors was.
        age: days since its first error.
        within: how many days ahead.
    """
    a = PRIOR_DAYS + sum(math.exp(-days / DECAY) for days in days_ago)
    # The days before the first error, of which nobody knows, are forgotten as those of its age, whose weights follow.
    b = PRIOR_AGE * math.exp(-age / DECAY) + (1 - math.exp(-(age + 1) / DECAY)) / (1 - math.exp(-1 / DECAY))
    return 1 - float((b / (b + within)) ** a)


def rounded(probability: float) -> float:
    """Return a probability in steps of a tenth: the rule knows it no better."""
    return min(0.9, max(0.1, round(probability, 1)))
