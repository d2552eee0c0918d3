"""Trends and bursts, against independent implementations."""

import math
import random

import pymannkendall
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from visigate_logging.store.trends import BurstRule, _is_usual, burst_score, find_bursts, mann_kendall

NAMES = {"increasing": "rising", "decreasing": "falling", "no trend": "steady"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=3, max_size=60))
def test_mann_kendall_is_that_of_pymannkendall_ties_and_all(values):
    ours, theirs = mann_kendall(values), pymannkendall.original_test(values)
    assert ours.direction == NAMES[theirs.trend]
    assert ours.z == pytest.approx(theirs.z)
    assert ours.p == pytest.approx(theirs.p, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1], [5, 5], [0] * 30])
def test_without_a_course_there_is_no_trend(values):
    assert mann_kendall(values).direction == "steady"


@given(st.integers(1, 3000), st.floats(0.01, 5000), st.floats(1, 300))
def test_the_score_of_a_count_is_the_tail_of_the_negative_binomial(count, shape, rate):
    ours = burst_score(count, shape, rate)
    log_p = stats.nbinom.logsf(count - 1, shape, rate / (rate + 1))
    if count > shape / rate and log_p > -700:
        assert ours == pytest.approx(-log_p / 2.302585092994046, rel=1e-6, abs=1e-9)
    elif count <= shape / rate:
        assert ours == 0


def bursts_by_the_book(hours):
    """The rule hour by hour, with scipy, as its definition has it."""
    keep, errors, weight, muted, found = 0.5 ** (1 / 168), 0.0, 0.0, -1, []
    first, last = min(hours), max(hours)
    for hour in range(first, last + 1):
        count = hours.get(hour, 0)
        shape, rate = 1 + errors, 24 + weight

        def score(x, shape=shape, rate=rate):
            return -stats.nbinom.logsf(x - 1, shape, rate / (rate + 1)) / 2.302585092994046 if x else 0.0

        usual = count
        while usual and score(usual) > 4:
            usual -= 1
        if count >= 3 and score(count) >= 2.5 and hour >= muted:
            found.append(hour)
            muted = hour + 6
        errors, weight = errors * keep + usual, weight * keep + 1
    return found


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.integers(490_000, 490_400), st.integers(1, 30), min_size=1, max_size=40))
def test_bursts_are_those_of_the_rule_applied_hour_by_hour(hours):
    assert [burst.hour for burst in find_bursts(sorted(hours.items()))] == bursts_by_the_book(hours)


def test_a_burst_is_told_once_in_six_hours():
    rule = BurstRule()
    told = [hour for hour in range(20) if rule.see(hour, 50)]
    assert told[:2] == [0, 6]


def test_two_errors_are_no_burst_however_rare_they_are():
    assert find_bursts([(0, 1), (5000, 2)]) == []
    assert find_bursts([(0, 1), (5000, 3)])


def test_what_comes_every_hour_is_no_burst():
    chance = random.Random(1)
    steady = [(hour, 20 + chance.randrange(10)) for hour in range(1000)]
    assert all(burst.hour < 200 for burst in find_bursts(steady))


def test_a_burst_does_not_become_what_is_usual():
    hours = [(hour, 2) for hour in range(500)]
    flood = [(hour, 1000) for hour in range(500, 503)]
    (burst, *_) = [b for b in find_bursts([*hours, *flood, (600, 30)]) if b.hour >= 600]
    assert burst.hour == 600


@given(st.floats(0, 5.5).map(lambda power: 10**power), st.floats(24, 266))
def test_a_count_that_is_passed_over_as_usual_could_not_have_been_an_alarm(shape, rate):
    mean = shape / rate
    largest = math.floor(mean + 2 * math.sqrt(mean * (1 + 1 / rate)))
    assert _is_usual(largest, shape, rate)
    assert burst_score(largest, shape, rate) < 1.7
