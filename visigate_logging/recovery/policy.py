"""Whether a recovery may run now: pure rules over plain data, the clock passed in.

After OTP's supervisors (so many restarts in a time, then give up), Kubernetes (a backoff that doubles and is reset by
health alone) and resilience4j (half-open: one trial after a rest).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated

from visigate_logging.options import Count, Number, Range, Seconds, Via
from visigate_logging.recovery.steps.base import Status


def _at_least_once(factor: float) -> float:
    if factor < 1:
        raise ValueError("would make the rest shorter; use at least 1")
    return factor


def _at_least_one_run(number: int) -> int:
    if not number:
        raise ValueError("means that it would never run; remove the procedure instead")
    return number


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The rest after failures in a row, seconds.

    Args:
        initial: after the first failure.
        factor: what each further one multiplies it by, at least 1.
        max: the longest.
        jitter: by what part it is varied at random, so that hosts do not act together.
    """

    initial: Seconds = 10.0
    factor: Annotated[float, Via(_at_least_once)] = 2.0
    max: Seconds = 300.0
    jitter: Number = 0.1

    def rest(self, failures: int, chance: float) -> float:
        """Return the rest after so many failures in a row; ``chance`` is from 0 to 1."""
        grown = self.initial * self.factor ** min(failures - 1, 64) if failures else 0.0
        return min(self.max, grown) * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often a procedure may run for one key; times in seconds.

    Args:
        max_attempts: runs within ``period``; one more error, or the last one failing, and the procedure gives up.
        period: see ``max_attempts``.
        cooldown: the shortest time from the end of a run to the next.
        backoff: the rest after failures.
        reset_after: so long without an error means health: attempts and failures are forgotten.
        half_open: so long after giving up, one trial is made.
    """

    max_attempts: Annotated[Count, Via(_at_least_one_run)] = 3
    period: Seconds = 600.0
    cooldown: Seconds = 60.0
    backoff: Backoff = field(default_factory=Backoff)
    reset_after: Seconds = 600.0
    half_open: Seconds = 900.0


LONGEST = 1e15
Moment = Annotated[float, Range(-LONGEST, LONGEST)]
"""A time on the host's clock, seconds; what is kept may be garbage, with which nobody can count."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What is remembered of one key; times on the host's clock, seconds.

    Args:
        attempts: when the runs within the period began.
        failures: in a row.
        rest_until: no run before.
        last_error: when the last matching error was seen.
        given_up: since when, or when the last trial failed; None while there is hope.
        mended: whether the last run was a success.
        running: which attempt has begun and not ended; what interrupts it must not use it up.
    """

    attempts: tuple[Moment, ...] = ()
    failures: Annotated[int, Range(0, LONGEST)] = 0
    rest_until: Moment = 0.0
    last_error: Moment | None = None
    given_up: Moment | None = None
    mended: bool = False
    running: Moment | None = None


class Action(StrEnum):
    """What to do about an error."""

    RUN = "run"
    REST = "rest"  # cooldown or backoff
    GIVE_UP = "give up"  # now: to be told
    GIVEN_UP = "given up"  # already told


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and until when the rest lasts."""

    action: Action
    until: float = 0.0


# complex: one rule a line
def decide(budget: Budget, limits: Limits, now: float, *, error: bool = True) -> tuple[Decision, Budget]:
    """Decide about an error, or about a run that was put off (``error`` False); return the budget after it, too."""
    if budget.last_error is not None and budget.given_up is None and now - budget.last_error >= limits.reset_after:
        budget = Budget()
    if error:
        budget = replace(budget, last_error=now)
    budget = replace(budget, attempts=tuple(t for t in budget.attempts if now - t < limits.period))
    if budget.given_up is not None:
        is_over = now - budget.given_up >= limits.half_open
        return Decision(Action.RUN if is_over else Action.GIVEN_UP), budget
    if len(budget.attempts) >= limits.max_attempts:
        return Decision(Action.GIVE_UP), replace(budget, given_up=now)
    if now < budget.rest_until:
        return Decision(Action.REST, budget.rest_until), budget
    return Decision(Action.RUN), budget


def begin(budget: Budget, now: float) -> Budget:
    """Return the budget with a run that begins now: counted before it ends, for it may end our process."""
    return replace(budget, attempts=(*budget.attempts, now), running=now)


def resume(budget: Budget) -> Budget:
    """Return the budget for a run that was put off or interrupted and is gone on with: that is no further attempt."""
    return replace(_uncounted(budget), rest_until=0.0)


def _uncounted(budget: Budget) -> Budget:
    return replace(budget, attempts=tuple(t for t in budget.attempts if t != budget.running), running=None)


def finish(budget: Budget, limits: Limits, now: float, status: Status, chance: float) -> tuple[bool, Budget]:
    """Return whether the procedure gives up with this outcome (told once), and the budget after it."""
    if status is Status.DONE:
        attempts = () if budget.given_up is not None else budget.attempts
        rest = now + limits.cooldown
        return False, Budget(attempts=attempts, last_error=budget.last_error, mended=True, rest_until=rest)
    if status is Status.REFUSED:  # it was not for this procedure: as if it had not been
        return False, _uncounted(budget)
    if status is Status.DIAGNOSED:  # nothing was tried, so nothing is used up
        return False, replace(_uncounted(budget), rest_until=now + limits.cooldown)
    failures = budget.failures + 1
    rest = now + max(limits.cooldown, limits.backoff.rest(failures, chance))
    if status is Status.DEFERRED:
        return False, replace(_uncounted(budget), failures=failures, mended=False, rest_until=rest)
    budget = replace(budget, failures=failures, mended=False, rest_until=rest, running=None)
    if budget.given_up is not None:
        return False, replace(budget, given_up=now)
    gives_up = len(budget.attempts) >= limits.max_attempts
    return gives_up, replace(budget, given_up=now if gives_up else None)
