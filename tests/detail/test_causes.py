"""What led to an exception, nearest first, each once."""

import pytest

from visigate_logging.detail.causes import led_to


def raised(error, **attributes):
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def test_causes_contexts_wrapped_ones_and_members_are_given_nearest_first():
    first, second, third, fourth = KeyError(1), KeyError(2), KeyError(3), KeyError(4)
    group = ExceptionGroup("g", [raised(first, __context__=third), second])
    error = raised(ValueError(), __cause__=group, orig=fourth)
    assert list(led_to(error)) == [error, group, fourth, first, second, third]


def test_a_context_that_is_not_told_is_not_given():
    error = raised(ValueError(), __context__=KeyError(), __suppress_context__=True)
    assert list(led_to(error)) == [error]


def test_a_circle_ends():
    first, second = KeyError(1), KeyError(2)
    first.__cause__, second.__cause__ = second, first
    assert list(led_to(first)) == [first, second]


def test_a_chain_without_end_is_cut():
    error = KeyError(0)
    for n in range(1000):
        error = raised(KeyError(n), __cause__=error)
    assert len(list(led_to(error))) == 100


@pytest.mark.parametrize("orig", ["text", property(lambda self: 1 / 0)])
def test_what_wraps_nothing_or_cannot_say_it_is_passed_over(orig):
    kind = type("DriverError", (Exception,), {"orig": orig})
    assert [type(e) for e in led_to(kind())] == [kind]


class HostileOrigError(Exception):
    """Raises when it is asked what it wraps."""

    @property
    def orig(self):
        raise ArithmeticError


def test_what_is_hostile_about_one_link_does_not_hide_another():
    error, cause = HostileOrigError(), KeyError("plate")
    error.__cause__ = cause
    assert list(led_to(error)) == [error, cause]
