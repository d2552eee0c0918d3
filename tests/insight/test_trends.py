"""Trends, against an independent implementation and with what they promise."""

import math
import random

import pymannkendall
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visigate_logging.insight.trends import TOO_FEW, mann_kendall, trend_of

NAMES = {"increasing": "rising", "decreasing": "falling", "no trend": "steady"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=3, max_size=60))
def test_mann_kendall_is_that_of_pymannkendall_ties_and_all(values):
    ours, theirs = mann_kendall(values, 0.05), pymannkendall.original_test(values)
    assert ours.direction == NAMES[theirs.trend]
    assert ours.z == pytest.approx(theirs.z)
    assert ours.p == pytest.approx(theirs.p, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1], [5, 5], [0] * 30])
def test_without_a_course_there_is_no_trend(values):
    assert mann_kendall(values).direction == "steady"


def poisson(chance, mean):
    limit, k, p = math.exp(-mean), 0, chance.random()
    while p > limit:
        k, p = k + 1, p * chance.random()
    return k


@pytest.mark.parametrize("days", [2, 6, 9])
def test_few_days_carry_no_verdict(days):
    assert trend_of(tuple(range(days))).direction == TOO_FEW
    assert trend_of((0,) * (29 - days) + (9,) * days, known=days).direction == TOO_FEW


@pytest.mark.parametrize("mean", [0.3, 5, 40])
@pytest.mark.parametrize("weekend", [1.0, 0.2])
def test_where_nothing_changes_a_verdict_is_rare_weekends_or_not(mean, weekend):
    chance, wrong, runs = random.Random(7), 0, 400
    for run in range(runs):
        days = [poisson(chance, mean * (weekend if (run + day) % 7 < 2 else 1)) for day in range(29)]
        wrong += trend_of(tuple(days)).direction != "steady"
    assert wrong / runs <= 0.04


def test_what_has_changed_in_the_last_two_days_is_seen_against_the_weeks_before():
    chance, seen = random.Random(3), 0
    for _ in range(100):
        days = [poisson(chance, 5) for _ in range(27)] + [poisson(chance, 25) for _ in range(2)]
        seen += trend_of(tuple(days)).direction == "rising"
    assert seen >= 95
    assert trend_of((20, 22, 19, 21) * 7 + (20, 0, 0)).direction == "falling"
