"""A recovery runs at most as often as sense allows; the clock is ours."""

from dataclasses import replace

import pytest

from visigate_logging.recovery.policy import Action, Backoff, Budget, Limits, begin, decide, finish
from visigate_logging.recovery.steps.base import Status

LIMITS = Limits()


def attempt(budget: Budget, now: float, status: Status, limits: Limits = LIMITS) -> tuple[Action, bool, Budget]:
    """An error at ``now``; when it may run, the run ends at once with ``status``."""
    decision, budget = decide(budget, limits, now)
    if decision.action is not Action.RUN:
        return decision.action, False, budget
    return Action.RUN, *finish(begin(budget, now), limits, now, status, 0.5)


def test_the_first_error_runs():
    assert attempt(Budget(), 0, Status.DONE)[0] is Action.RUN


def test_after_a_success_errors_rest_for_the_cooldown():
    _, _, budget = attempt(Budget(), 0, Status.DONE)
    assert attempt(budget, 59, Status.DONE)[0] is Action.REST
    assert attempt(budget, 60, Status.DONE)[0] is Action.RUN


def test_after_failures_the_rest_grows_and_is_never_shorter_than_the_cooldown():
    limits = Limits(max_attempts=100, period=1e6, cooldown=15, reset_after=1e6)
    budget, now, rests = Budget(), 0.0, []
    for _ in range(7):
        _, _, budget = attempt(budget, now, Status.FAILED, limits)
        rests.append(budget.rest_until - now)
        now = budget.rest_until
    assert rests == [15, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(("chance", "rest"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
def test_the_rest_is_varied_by_the_jitter(chance, rest):
    assert Backoff().rest(1, chance) == pytest.approx(rest)


def test_a_million_failures_do_not_overflow():
    assert Backoff(jitter=0).rest(10**6, 0.5) == 300


def test_giving_up_is_told_once_when_the_last_attempt_fails():
    budget, told = Budget(), []
    for now in (0, 60, 120, 200, 300):
        action, gives_up, budget = attempt(budget, now, Status.FAILED)
        told.append(gives_up or action is Action.GIVE_UP)
    assert told == [False, False, True, False, False]
    assert budget.given_up == 120


def test_successes_that_do_not_last_use_up_the_attempts_too():
    budget, actions = Budget(), []
    for now in (0, 100, 200, 300, 301):
        action, _, budget = attempt(budget, now, Status.DONE)
        actions.append(action)
    assert actions == [Action.RUN, Action.RUN, Action.RUN, Action.GIVE_UP, Action.GIVEN_UP]


def test_attempts_older_than_the_period_do_not_count():
    budget = Budget(attempts=(0.0, 1.0, 2.0), last_error=500.0)
    assert attempt(budget, 599, Status.DONE)[0] is Action.GIVE_UP
    assert attempt(budget, 600.5, Status.DONE)[0] is Action.RUN


def test_after_giving_up_one_trial_is_made_when_half_open_and_its_failure_is_not_told_again():
    budget = Budget(given_up=1000.0, last_error=1800.0)
    assert attempt(budget, 1899, Status.DONE)[0] is Action.GIVEN_UP
    action, gives_up, after = attempt(budget, 1900, Status.FAILED)
    assert (action, gives_up, after.given_up) == (Action.RUN, False, 1900)
    assert attempt(after, 2000, Status.DONE)[0] is Action.GIVEN_UP


def test_a_trial_that_succeeds_brings_the_whole_budget_back():
    budget = Budget(attempts=(900.0, 950.0, 999.0), failures=3, given_up=1000.0, last_error=1800.0)
    _, _, after = attempt(budget, 1900, Status.DONE)
    assert (after.given_up, after.attempts, after.failures) == (None, (), 0)


def test_health_for_long_enough_forgets_failures_but_a_mere_success_does_not_forget_attempts():
    _, _, budget = attempt(Budget(), 0, Status.FAILED)
    _, _, budget = attempt(budget, 60, Status.DONE)
    assert budget.attempts == (0, 60)
    decision, fresh = decide(budget, LIMITS, 660)
    assert decision.action is Action.RUN
    assert fresh == Budget(last_error=660)


def test_errors_that_go_on_are_not_health():
    budget = Budget(attempts=(0.0,), failures=1, rest_until=300.0, last_error=0.0)
    for now in range(100, 700, 100):
        _, budget = decide(budget, LIMITS, now)
    assert budget.failures == 1


def test_a_run_that_was_put_off_is_not_an_error():
    _, budget = decide(Budget(last_error=5.0), LIMITS, 100, error=False)
    assert budget.last_error == 5.0


@pytest.mark.parametrize("status", [Status.REFUSED, Status.DEFERRED])
def test_what_was_not_tried_uses_up_no_attempt(status):
    budget, now = Budget(), 0.0
    for _ in range(20):
        _, gives_up, budget = attempt(budget, now, status)
        assert not gives_up
        now = budget.rest_until
    assert budget.attempts == ()


def test_a_run_whose_process_was_killed_has_used_up_its_attempt():
    budget = Budget()
    for now in (0, 1, 2):
        decision, budget = decide(budget, LIMITS, now)
        assert decision.action is Action.RUN
        budget = begin(budget, now)
    assert decide(budget, LIMITS, 3)[0].action is Action.GIVE_UP


def test_a_budget_is_plain_data():
    budget = Budget(attempts=(1.0,), failures=1)
    assert replace(budget, failures=1) == budget
