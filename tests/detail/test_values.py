"""Any value becomes plain JSON, within bounds, whatever it does when it is looked at."""

import enum
import math
import time
from collections import UserDict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.values import Sanitiser, safe_str, word

LIMIT = 4096


def plain(value: Any, limit: int = LIMIT) -> Any:
    made = Sanitiser(Redactor(), limit).value(value)
    orjson.dumps(made)
    return made


class Raises:
    """Raises what is no ``Exception`` from all that it is asked."""

    def __repr__(self) -> str:
        raise ArithmeticError

    def __bool__(self) -> bool:
        raise ArithmeticError

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError

    def __getattr__(self, name: str) -> Any:
        raise ArithmeticError


class RaisingMapping(UserDict[str, Any]):
    """A mapping that cannot be walked through."""

    def items(self) -> Any:
        raise LookupError


class Endless(list[int]):
    """A list without an end."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


class LyingText:
    """Says that it is a text."""

    @property
    def __class__(self) -> Any:
        return str


class OddText(str):
    """A text that is hostile where a text is harmless."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError

    def __hash__(self) -> int:
        raise ValueError

    def __len__(self) -> int:
        raise ValueError

    def isascii(self) -> bool:
        raise ValueError


class Color(enum.IntEnum):
    """An enumeration of numbers."""

    RED = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("ä", "ä"),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (math.nan, "<nan>"),
        (-math.inf, "<-inf>"),
        (10**5000, "<int of 16610 bits>"),
        (b"\xffa", "\\xffa"),
        ((1, 2), [1, 2]),
        ({"a"}, ["a"]),
        ({1: 2, None: 3, (1, "a"): 4}, {"1": 2, "None": 3, "[1, 'a']": 4}),
        (datetime(2026, 5, 4, tzinfo=UTC), "2026-05-04T00:00:00+00:00"),
        (PurePosixPath("/a"), "/a"),
        (Color.RED, "Color.RED"),
        ("\udcff", "\\udcff"),
        ({"\ud800": "\ud801"}, {"\\ud800": "\\ud801"}),
        (OddText("odd"), "odd"),
        (Raises(), "<Raises: ArithmeticError when looked at>"),
        (RaisingMapping(a=1), "<RaisingMapping: LookupError when looked at>"),
        (LyingText(), "<LyingText: TypeError when looked at>"),
        ({Raises(): 1}, {"<Raises: ArithmeticError when looked at>": 1}),
        ({"password": None, "b": {"apiKey": [1, 2]}}, {"password": None, "b": {"apiKey": "***"}}),
        ({"rtsp://a:hunter2@h": 1}, {"rtsp://***@h": 1}),
        (b"\0" * 5000, "\0" * 4096 + "[… 904 bytes cut …]"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_each_kind_of_value_has_its_plain_form(value: Any, expected: Any) -> None:
    assert plain(value, 65_536) == expected


def test_cycles_are_named_and_shared_values_are_not_cycles() -> None:
    shared = [1]
    cycle: dict[str, Any] = {"shared": [shared, shared]}
    cycle["again"] = [cycle]
    assert plain(cycle) == {"shared": [[1], [1]], "again": ["<cycle: dict>"]}


def test_deep_nesting_ends_in_words() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    text = orjson.dumps(plain(deep)).decode()
    assert "<list of 1, nested too deep>" in text
    assert text.count("[") == 10


@pytest.mark.parametrize(
    "value",
    [
        [[[0] * 1000] * 1000] * 1000,
        {str(n): "x" * 100 for n in range(100_000)},
        ["x" * 3000] * 10,
        "é" * 10_000,
        {"k" * 100_000: "v"},
        Endless(),
        [None] * 100_000,
        {"a": "x" * LIMIT, "b": "y" * LIMIT, "c": ["z" * LIMIT]},
        10**4000,
    ],
    ids=["nested", "wide", "texts", "two-byte", "key", "endless", "nothings", "several", "number"],
)
def test_all_of_a_value_is_within_the_limit_and_says_by_how_much_it_was_cut(value: Any) -> None:
    started = time.perf_counter()
    text = orjson.dumps(plain(value)).decode()
    assert time.perf_counter() - started < 1
    assert len(text.encode()) < LIMIT * 1.5
    assert "cut" in text or len(str(value)) < LIMIT


def test_a_long_text_keeps_both_ends_and_says_how_many_bytes_are_gone() -> None:
    text = Sanitiser(Redactor(), 1024).text("a" * 5000 + "é" * 5000 + "z" * 5000)
    head, _, tail = text.partition("[… ")
    gone = int(tail.split()[0])
    kept = len(head.encode()) + len(tail.partition("cut …]")[2].encode())
    assert head == "a" * 682
    assert text.endswith("z" * 341)
    assert gone + kept == 20_000


@pytest.mark.parametrize("fill", ["x", "é", "password=", "auth ", "://a:", "a b,", "\udc80"])
def test_a_text_of_ten_megabytes_is_cleaned_in_bounded_time(fill: str) -> None:
    text = fill * (10_000_000 // len(fill))
    started = time.perf_counter()
    clean = Sanitiser(Redactor(), 65_536).text(text)
    assert time.perf_counter() - started < 3
    assert len(clean.encode()) < 66_000


def test_a_secret_at_the_place_of_the_cut_is_not_left_in_halves() -> None:
    for before in range(20_000, 60_000, 4999):
        text = "x " * before + "-----BEGIN KEY-----" + "hunter2\n" * 10_000 + "-----END KEY-----" + " y" * before
        assert "hunter2" not in Sanitiser(Redactor(), 65_536).text(text)


def test_what_str_raises_does_not_reach_the_caller() -> None:
    assert safe_str(OddText("x")) == "<exception str() failed>"
    assert word(Raises()) == "<exception str() failed>"
    assert word(None) == ""
    assert word("\ud800") == "\\ud800"


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner),
    max_leaves=30,
)


@given(JUNK)
def test_anything_becomes_json(value: Any) -> None:
    assert orjson.loads(orjson.dumps(plain(value))) == plain(value)
