"""Bursts: rare where nothing is wrong, told where something is."""

import math
import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.insight.test_trends import poisson
from visigate_logging.insight.bursts import BurstRule, burst_score, find_bursts

BEGIN = 490_000


@given(st.integers(1, 3000), st.floats(0.01, 5000), st.floats(1, 300))
def test_the_score_of_a_count_is_the_tail_of_the_negative_binomial(count, shape, rate):
    ours = burst_score(count, shape, rate)
    log_p = stats.nbinom.logsf(count - 1, shape, rate / (rate + 1))
    if count > shape / rate and log_p > -700:
        assert ours == pytest.approx(-log_p / 2.302585092994046, rel=1e-6, abs=1e-9)
    elif count <= shape / rate:
        assert ours == 0


@pytest.mark.parametrize("mean", [0.5, 3, 30])
def test_a_day_cycle_is_no_burst(mean):
    chance, days, found = random.Random(1), 42, 0
    for _ in range(8):
        hours = [
            (BEGIN + hour, n)
            for hour in range(24 * days)
            if (n := poisson(chance, mean * (1 + math.sin(2 * math.pi * hour / 24))))
        ]
        found += len(find_bursts(hours))
    assert found / 8 / days <= 0.05


def test_a_new_group_is_new_and_no_burst():
    assert find_bursts([(BEGIN, 500), (BEGIN + 1, 900), (BEGIN + 20, 100)]) == []


def test_a_swarm_after_weeks_of_little_is_a_burst_and_told_once():
    hours = [(BEGIN + 50 * n, 1) for n in range(20)]
    swarm = [(BEGIN + 1200 + n, 40) for n in range(6)]
    (burst,) = find_bursts([*hours, *swarm])
    assert (burst.hour, burst.hours, burst.errors) == (BEGIN + 1200, 1, 40)
    assert burst.expected < 1


def test_what_grows_slowly_is_seen_within_a_day():
    """Two an hour for two days, in a group that had one error a week before."""
    hours = [(BEGIN + 170 * n, 1) for n in range(5)]
    slow = [(BEGIN + 1000 + n, 2) for n in range(48)]
    first = find_bursts([*hours, *slow])[0]
    assert first.hours == 24
    assert first.hour + 24 <= BEGIN + 1000 + 24
    assert first.errors >= 12


def test_four_errors_are_no_burst_however_rare_they_are():
    assert find_bursts([(BEGIN, 1), (BEGIN + 5000, 4)]) == []
    assert find_bursts([(BEGIN, 1), (BEGIN + 5000, 8)])


def test_a_burst_does_not_become_what_is_usual():
    hours = [(BEGIN + hour, 2) for hour in range(500)]
    flood = [(BEGIN + hour, 1000) for hour in range(500, 503)]
    assert [b for b in find_bursts([*hours, *flood, (BEGIN + 600, 60)]) if b.hour >= BEGIN + 600]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.integers(BEGIN, BEGIN + 900), st.integers(1, 60), min_size=1, max_size=60), st.data())
def test_a_rule_that_is_put_away_and_taken_up_again_goes_on_as_if_nothing_were(hours, data):
    series = sorted(hours.items())
    cut = data.draw(st.integers(0, len(series)))
    rule = BurstRule()
    found = [b for hour, n in series[:cut] if (b := rule.see(hour, n))]
    again = BurstRule.from_list(orjson.loads(orjson.dumps(rule.to_list())))
    found += [b for hour, n in series[cut:] if (b := again.see(hour, n))]
    assert found == find_bursts(series)
