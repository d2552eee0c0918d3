"""What stood around an error is told in words, whatever a line holds."""

from typing import Any

import pytest

from tests.records import detail
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.present.context import machine, moments, unusual, values
from visigate_logging.present.facts import Place, facts_of

CRUMB = {
    "timestamp": "2026-01-02T03:04:05Z",
    "age": 2.25,
    "level": "INFO",
    "logger": "gate",
    "message": "opened",
    "own": True,
}
STATE = {
    "unusual": ["under-voltage 3 s before", "memory 97 %"],
    "age": 1.5,
    "uptime": 60.0,
    "load": [0.5, 0.4, 0.3],
    "cpus": 4,
    "memory": {"total": 4_000_000_000, "available": 120_000_000},
    "swap": {"total": 0, "free": 0},
    "disks": [{"path": "/log", "total": 32_000_000_000, "free": 1, "inodes_free": 3, "read_only": True}],
    "temperature": 51.5,
    "throttled": ["under-voltage"],
    "wifi": {"wlan0": -61},
    "clock_synchronised": False,
    "process": {"memory": 50_000_000, "threads": 3, "descriptors": 20, "descriptors_limit": 1024},
}


def test_the_moments_before_are_told_oldest_first_with_their_age() -> None:
    found = moments(detail(breadcrumbs=(CRUMB, CRUMB | {"own": False, "additional_info": {"camera": "x"}})))
    assert found == [
        "2.2 s before  INFO gate: opened",
        '2.2 s before  INFO gate: opened {"camera":"x"} (another thread or task)',
    ]


def test_values_are_told_by_name() -> None:
    frame = Frame("a.py", 1, "f", "a", "f()", in_app=True, values={"url": "x", "size": [4, 3], "none": None})
    assert values(frame) == ["url = x", "size = [4,3]", "none = null"]


def test_the_state_of_the_machine_is_told_in_units_of_people() -> None:
    found = detail(machine=STATE)
    assert unusual(found) == ["under-voltage 3 s before", "memory 97 %"]
    assert machine(found) == [
        ("sampled", "1.5 s before"),
        ("up for", "60 s"),
        ("load", "0.5, 0.4, 0.3 on 4 processors"),
        ("memory", "120 MB available of 4 GB"),
        ("disk", "1 B free of 32 GB, read-only: /log"),
        ("temperature", "51.5 °C"),
        ("throttled", "under-voltage"),
        ("Wi-Fi", "wlan0 -61 dBm"),
        ("clock", "not synchronised"),
        ("process", "50 MB, 3 threads, 20 of 1024 descriptors"),
    ]
    assert machine(detail()) == []


@pytest.mark.parametrize("odd", [None, 3, "x", [1], {"a": 1}, [{"a": [1]}], {"unusual": 3, "disks": 3, "load": 4}])
def test_whatever_a_line_holds_is_told(odd: Any) -> None:
    record = detail(breadcrumbs=odd if isinstance(odd, list) else (), machine=odd if isinstance(odd, dict) else {})
    moments(record), machine(record), unusual(record)
    for name in STATE:
        machine(detail(machine={name: odd}))
    for name in CRUMB:
        moments(detail(breadcrumbs=({name: odd},)))


def test_mails_tell_it_in_the_order_of_the_story() -> None:
    frame = Frame("/app/a.py", 1, "f", "a", "f()", in_app=True, values={"url": "x"})
    record = detail(breadcrumbs=(CRUMB,), machine=STATE, exceptions=(ExceptionData("E", "m", "x", frames=(frame,)),))
    told = {fact.label: fact for fact in facts_of(record)}
    labels = [*told]
    assert told["Unusual"].value == "under-voltage 3 s before, memory 97 %"
    assert told["Unusual"].place is Place.FIRST
    assert "opened" in told["Before it"].value
    assert "url = x" in told["In the application"].value
    assert told["Machine"].value.startswith("sampled: 1.5 s before\n")
    story = ["Unusual", "Before it", "In the application", "Machine", "Traceback"]
    assert [label for label in labels if label in story] == story
    assert "Machine" in {f.label for f in facts_of(detail(machine=STATE | {"unusual": []})) if f.place is Place.REST}
