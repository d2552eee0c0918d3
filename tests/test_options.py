"""A constructor's options are checked against its annotations, all at once, each with its key."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Annotated, Any, Literal

import pytest

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import (
    Count,
    Encoding,
    Level,
    LevelName,
    Names,
    OnUnencodable,
    Port,
    Range,
    Via,
    Writable,
    checked,
    in_words,
    read,
)


@dataclass(frozen=True)
class Probe:
    """What is nested, with a constructor that refuses."""

    host: str
    port: Port = 554

    def __post_init__(self) -> None:
        if self.host == "nowhere":
            raise ConfigurationError("host", "nowhere is no place")
        if self.host == "worse":
            raise ValueError("cannot be")


@dataclass(frozen=True)
class Plan:
    """What is nested twice."""

    probes: Sequence[Probe] = ()
    names: Mapping[str, Count] = field(default_factory=dict)


class Siren:
    """What has options."""

    @checked
    def __init__(
        self,
        port: Port,
        volume: Annotated[float, Range(0, 1)] = 0.5,
        tone: Literal["high", "low"] = "low",
        level: Level = "ERROR",
        plan: Plan | Mapping[str, Any] | None = None,
        secret: str = "",
        *more: Any,
    ) -> None:
        self.given = (port, volume, tone, level, plan)


def even(value: int) -> int:
    if value % 2:
        raise ValueError("is odd")
    return value


READ = [
    (5, int, 5),
    (5, float, 5),
    ("x", str, "x"),
    (None, str | None, None),
    ("a/b", str | PathLike[str], "a/b"),
    ("low", Literal["high", "low"], "low"),
    ("WARNING", Level, logging.WARNING),
    (35, Level, 35),
    ("WARNING", LevelName, "WARNING"),
    ("OSError", Names, ("OSError",)),
    (["OSError", "KeyError"], Names, ("OSError", "KeyError")),
    ("utf-8", Encoding, "utf-8"),
    ("replace", OnUnencodable, "replace"),
    ([1, "a"], tuple[int, str], (1, "a")),
    ([1, 2], tuple[int, ...], (1, 2)),
    ([1, "a"], list, [1, "a"]),
    ({"a": 1}, Mapping[str, int], {"a": 1}),
    ("a", Annotated[int, Via(len, raw=True)], 1),
    ({"host": "h"}, Probe, Probe("h")),
    ({"host": "h"}, Probe | Mapping[str, Any], Probe("h")),
    (Probe("h"), Probe | Mapping[str, Any], Probe("h")),
    ({"probes": [{"host": "h", "port": 1}]}, Plan, Plan((Probe("h", 1),))),
    ("a+", re.Pattern[str], re.compile("a+")),
    (object, type, object),
    (4, Annotated[int, Via(even)], 4),
]


@pytest.mark.parametrize(("value", "kind", "result"), READ)
def test_a_value_that_an_annotation_allows_is_read_as_it_wants_it(value, kind, result):
    assert read(value, kind) == (result, [])


REFUSED = [
    ("5", int, "", "'5' is not a whole number; write 5"),
    (True, int, "", "True is not a whole number"),
    ("10MB", Count, "", "'10MB' is not a whole number from 0; write 10485760"),
    ("1e7", Count, "", "'1e7' is not a whole number from 0; write 10000000"),
    (-1, Count, "", "-1 is not a whole number from 0"),
    (65536, Port, "", "65536 is not a whole number from 1 to 65535"),
    (float("nan"), float, "", "nan is not a finite number"),
    ("loud", Annotated[float, Range(0, 1, unit="parts")], "", "'loud' is not a number of parts from 0 to 1"),
    (0, Annotated[float, Range(above=0)], "", "0 is not a number above 0"),
    (5, str, "", "5 is not text; put it in quotes"),
    (False, str, "", "False is not text; YAML reads the bare words yes, no, on and off as true or false"),
    ("no", bool, "", "'no' is not true or false; write false, without quotes"),
    (None, str, "", "null is not text"),
    ("lwo", Literal["high", "low"], "", "'lwo' is not one of high, low; did you mean low?"),
    (True, Literal["high", "low"], "", "True is not one of high, low; YAML reads"),
    ("WARNNG", Level, "", "'WARNNG' is no level; possible are .*; did you mean WARNING?"),
    (1.5, Level, "", "1.5 is not a level"),
    ([], Names, "", r"\[\] is not a name or a list of names"),
    ([5], Names, "0", "5 is not text; put it in quotes"),
    ("utf-9", Encoding, "", "'utf-9' is no encoding; did you mean utf-8?"),
    ("hex", Encoding, "", "'hex' is no encoding of text"),
    ("replce", OnUnencodable, "", "did you mean replace?"),
    ("h", list[str], "", r"'h' is not a list of text; write \[h\]"),
    ([1], tuple[int, str], "", r"\[1\] is not a list"),
    ("x", Mapping[str, int], "", "'x' is not a mapping"),
    ({"a": "x"}, Mapping[str, int], "a", "'x' is not a whole number"),
    ("h", Probe, "", "'h' is not a mapping"),
    ("h", Probe | Mapping[str, Any] | None, "", "'h' is not a mapping or null"),
    ({}, Probe, "host", "is missing, which has no default"),
    ({"host": "h", "prot": 5}, Probe, "prot", "is not known; possible are host, port; did you mean port?"),
    ({"host": "h", "port": "x"}, Probe | Mapping[str, Any], "port", "'x' is not a whole number from 1"),
    ({"host": "nowhere"}, Probe, "host", "nowhere is no place"),
    ({"host": "worse"}, Probe, "", "{'host': 'worse'} cannot be"),
    ({"probes": [{"host": "h"}, {"host": 5}]}, Plan, "probes.1.host", "5 is not text"),
    ("a(", re.Pattern[str], "", "is not a regular expression"),
    (5, re.Pattern[str], "", "5 is not a text with a regular expression"),
    ("stdout", Writable | None, "", "'stdout' is not a stream, such as ext://sys.stdout or null"),
    (3, Annotated[int, Via(even)], "", "3 is odd"),
]


@pytest.mark.parametrize(("value", "kind", "key", "words"), REFUSED)
def test_a_value_that_an_annotation_does_not_allow_is_named_with_its_place_and_cure(value, kind, key, words):
    faults = read(value, kind)[1]
    assert [".".join(map(str, fault.path)) for fault in faults] == [key]
    assert re.match(words, faults[0].told()) or words in faults[0].told(), faults[0].told()


def test_a_constructor_gets_what_its_annotations_make_of_the_options_and_of_the_defaults():
    assert Siren(1, plan={"probes": [{"host": "h"}]}).given == (1, 0.5, "low", logging.ERROR, Plan((Probe("h"),)))


def test_all_mistakes_are_raised_at_once_each_with_its_key():
    with pytest.raises(ConfigurationError) as caught:
        Siren("a", volume=7, tone="hihg", plan={"probes": [{"port": 0}]})
    found = [(error.key, error.problem.partition(" ")[0]) for error in (caught.value, *caught.value.others)]
    assert found == [
        ("port", "'a'"),
        ("volume", "7"),
        ("tone", "'hihg'"),
        ("plan.probes.0.host", "is"),
        ("plan.probes.0.port", "0"),
    ]
    assert str(caught.value).count("\n") == 4


def test_what_python_itself_refuses_is_a_type_error_as_without():
    with pytest.raises(TypeError, match="missing a required argument: 'port'"):
        Siren()
    with pytest.raises(TypeError, match="unexpected keyword argument 'prot'"):
        Siren(1, prot=5)


def test_a_secret_is_not_repeated():
    with pytest.raises(ConfigurationError, match=r"^secret: \*\*\* is not text"):
        Siren(1, secret=4711)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int | None, "a whole number or null"),
        (str | PathLike[str] | None, "text or null"),
        (Sequence[Probe], "a list of a mapping"),
        (Sequence[Any], "a list"),
        (Any, "a value"),
        (Literal["a"], "a"),
    ],
)
def test_an_annotation_has_words_for_people(kind, words):
    assert in_words(kind) == words
