"""The one cache of the detail."""

import pytest

from visigate_logging.detail.bounded import Bounded


def test_a_cache_starts_anew_when_it_is_full() -> None:
    cache: Bounded[int, int] = Bounded(3)
    for number in range(10):
        assert cache.keep(number, -number) == -number
        assert len(cache) <= 3
    assert cache[9] == -9
    with pytest.raises(KeyError):
        cache[0]


def test_a_value_that_is_missing_is_made_and_kept_where_it_is_worth_it() -> None:
    made = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    cache = Bounded(10, make, lambda key, _value: len(key) < 3)
    assert [cache["ab"], cache["ab"], cache["abc"], cache["abc"]] == ["AB", "AB", "ABC", "ABC"]
    assert made == ["ab", "abc", "abc"]
