"""What comes back, when, and with what: on made data whose truth is known."""

import random

import pytest

from visigate_logging.insight.correlation import beside, comes_with, only_at
from visigate_logging.insight.recurrence import recurrence, rounded
from visigate_logging.insight.rhythm import rhythm_of


@pytest.mark.parametrize(("shape", "mean"), [(0.3, 0.03), (0.5, 0.1)])
def test_a_forecast_is_calibrated_and_better_than_a_constant(shape, mean):
    """Groups with rates of their own, rare and frequent ones, seen for a week to three months; a week is to come."""
    chance = random.Random(1)
    told = []
    while len(told) < 5000:
        rate = min(0.5, chance.gammavariate(shape, mean / shape))
        days = [n for n in range(chance.randrange(7, 90)) if chance.random() < rate]
        if len(days) >= 3:
            told.append((recurrence(days, max(days)), any(chance.random() < rate for _ in range(7))))
    base = sum(came for _, came in told) / len(told)
    assert sum((p - came) ** 2 for p, came in told) / len(told) <= 0.88 * base * (1 - base)
    told.sort()
    for part in (told[n : n + 500] for n in range(0, 5000, 500)):
        assert abs(sum(p - came for p, came in part)) / 500 <= 0.10


@pytest.mark.parametrize(("p", "shown"), [(0.0, 0.1), (0.04, 0.1), (0.44, 0.4), (0.99, 0.9)])
def test_no_more_is_claimed_than_steps_of_a_tenth(p, shown):
    assert rounded(p) == shown


def test_a_rhythm_is_found_across_midnight_and_each_day_counts_once():
    days = [(day, 23 if day % 2 else 0, 1) for day in range(10)] + [(0, 12, 1)]
    found = rhythm_of([*days, (3, 23, 500)])
    assert (found.begin, found.end, found.days, found.of) == (23, 1, 10, 10)


def test_chance_is_no_rhythm():
    chance, found = random.Random(2), 0
    for _ in range(500):
        found += rhythm_of([(day, chance.randrange(24), 1) for day in range(chance.randrange(8, 40))]) is not None
    assert found <= 5
    assert rhythm_of([(day, 3, 1) for day in range(7)]) is None, "seven days are too few"


def test_what_comes_within_seconds_of_most_errors_comes_with_them():
    assert comes_with({1: 18, 2: 3, 3: 20}, 20, {1: 1e-4, 2: 1e-4, 3: 5.0}, 10) == [1], "3 comes all the time"


def test_an_incident_counts_once_and_all_that_is_within_reach_is_beside_it():
    errors = [(0, 1), (2, 2), (4, 1), (5, 3), (20, 1), (26, 2), (40, 1)]
    seen, of = beside(errors, 5)
    assert of == {1: 3, 2: 2, 3: 1}
    assert seen[1] == {2: 1, 3: 1}, "26 is too far from 20, and 4 of the incident of 0"
    assert seen[3] == {1: 1, 2: 1}


def test_only_one_value_of_a_facet_is_told_where_that_is_no_chance():
    all_ = {"camera": {"entrance": 50, "exit": 50}, "host": {"a": 99, "b": 1}}
    assert only_at({"camera": [("entrance", 9)], "host": [("a", 9)]}, all_) == {"camera": "entrance"}
    assert only_at({"camera": [("entrance", 9), ("exit", 1)]}, all_) == {}
    assert only_at({"camera": [("entrance", 2)]}, all_) == {}
