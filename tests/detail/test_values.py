"""Any value becomes plain JSON, within bounds, whatever it does when it is looked at."""

import array
import enum
import ipaddress
import math
import time
import tracemalloc
import types
import uuid
from collections import UserDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import attrs
import numpy as np
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


class Lane(enum.Flag):
    """Members that are combined."""

    IN = 1
    OUT = 2


class State(enum.StrEnum):
    """Members that are texts."""

    OPEN = "open"


class Mute:
    """An object whose code must not run."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __repr__


@dataclass(slots=True)
class Slotted:
    """A dataclass whose second field was never filled."""

    a: int
    unset: int = field(init=False)


@dataclass
class Seen:
    """A dataclass with secrets and a field that its repr leaves out."""

    plate: str
    password: str
    inner: Any = None
    hidden: Any = field(default="hidden", repr=False)


@attrs.define
class Counted:
    """A class of attrs."""

    x: Any
    hidden: int = attrs.field(default=1, repr=False)


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
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 2), "1/2"),
        (timedelta(days=1, seconds=3), "1 day, 0:00:03"),
        (date(2026, 5, 4), "2026-05-04"),
        (clock(3, 0), "03:00:00"),
        (ipaddress.ip_address("10.0.0.5"), "10.0.0.5"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (Lane.IN | Lane.OUT, "Lane.IN|OUT"),
        (Lane(0), "Lane.0"),
        (State.OPEN, "State.OPEN"),
        (Seen("M AB 1", "hunter2", Slotted(1)), {"plate": "M AB 1", "password": "***", "inner": {"a": 1}}),
        (Counted(1), {"x": 1}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (deque([1, 2]), [1, 2]),
        ({1: 2}.values(), [2]),
        (array.array("d", [1.0]), "<array of 1 'd'>"),
        (np.float32(1.5), 1.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.datetime64("2026-05-04"), "2026-05-04"),
        (np.longdouble(1.25), "1.25"),
        (np.complex64(1j), "1j"),
        (np.str_("a"), "a"),
        (np.zeros((480, 640, 3), np.uint8), "<ndarray of uint8, shape (480, 640, 3)>"),
        ({Raises(): 1}, {"<Raises: ArithmeticError when looked at>": 1}),
        ({"password": None, "b": {"apiKey": [1, 2]}}, {"password": None, "b": {"apiKey": "***"}}),
        ({"rtsp://a:hunter2@h": 1}, {"rtsp://***@h": 1}),
        (b"\0" * 5000, "\0" * 4096 + "[… 904 bytes cut …]"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_each_kind_of_value_has_its_plain_form(value: Any, expected: Any) -> None:
    assert plain(value, 65_536) == expected


def test_what_an_object_says_of_its_class_is_not_asked() -> None:
    assert plain(LyingText()).startswith("<tests.detail.test_values.LyingText object at ")


@pytest.mark.parametrize("kind", [Seen, np.float64, uuid.UUID])
def test_a_class_is_not_taken_for_one_of_its_objects(kind: type) -> None:
    assert plain(kind) == repr(kind)


def test_neither_a_repr_nor_a_property_of_an_object_with_fields_runs() -> None:
    @dataclass(repr=False)
    class Watched(Mute):
        a: Any

        @property
        def b(self) -> int:
            raise AssertionError

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError

    @attrs.define(repr=False)
    class Other(Mute):
        a: Any

    assert plain([Watched(1), Other(2), types.SimpleNamespace(a=3)]) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_what_only_bears_the_name_of_a_known_type_is_not_taken_for_it() -> None:
    def said(_: object) -> str:
        raise AssertionError

    named = type("UUID", (), {"__module__": "uuid", "__str__": said, "__repr__": lambda _: "mine"})
    assert plain(named()) == "mine"


def test_a_dataclass_in_a_circle_is_named() -> None:
    seen = Seen("a", "b")
    seen.inner = seen
    assert plain(seen)["inner"] == "<cycle: Seen>"


@pytest.mark.parametrize("fields", ["__pydantic_fields__", "model_fields"])
def test_a_pydantic_model_shows_its_fields(fields: str) -> None:
    shown, hidden = types.SimpleNamespace(repr=True), types.SimpleNamespace(repr=False)
    own = {"__pydantic_validator__": None, fields: {"plate": shown, "apiKey": shown, "owner": hidden}}
    model = type("Model", (Mute,), own)()
    model.__dict__.update(plate="M AB 1", apiKey="hunter2", owner="x")
    assert plain(model) == {"plate": "M AB 1", "apiKey": "***"}


@pytest.mark.parametrize(
    "made",
    [
        lambda big: Seen(big, "x", [big, bytearray(big)]),
        Counted,
        lambda big: types.SimpleNamespace(a=big),
        lambda big: deque([big]),
        lambda big: {"a": big}.values(),
        lambda big: array.array("B", big),
        lambda big: np.frombuffer(big, np.uint8),
        np.void,
        memoryview,
    ],
)
def test_the_work_is_bounded_and_not_only_the_result(made: Callable[[bytes], Any]) -> None:
    value = made(b"x" * 20_000_000)
    sanitiser = Sanitiser(Redactor(), 65_536)
    tracemalloc.start()
    try:
        sanitiser.value(value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


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
    started = time.thread_time()
    text = orjson.dumps(plain(value)).decode()
    assert time.thread_time() - started < 1
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
    started = time.thread_time()
    clean = Sanitiser(Redactor(), 65_536).text(text)
    assert time.thread_time() - started < 3
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
