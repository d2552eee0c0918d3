"""What is written to the terminal."""

import sys

import pytest

from visigate_logging.cli import output


@pytest.mark.parametrize(
    ("tty", "environment", "coloured"),
    [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False), (False, {}, False)],
)
def test_colours_are_for_terminals_that_want_them(monkeypatch, tty, environment, coloured):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty)
    assert (output.painted("x", "red") == "\x1b[31mx\x1b[0m") is coloured


@pytest.mark.parametrize(("value", "expected"), [(0, ""), (4, "█" * 4), (8, "█" * 8), (1, "█"), (0.5, "▌")])
def test_a_bar_is_as_long_as_its_share(value, expected):
    assert output.bar(value, 8, 8) == expected


def test_a_bar_of_nothing_at_all_is_empty():
    assert output.bar(0, 0) == ""


def test_a_table_gives_way_in_one_column_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = output.table(("A", "B"), [("x" * 20, "y" * 500), ("門" * 10, "z")], stretch=1).splitlines()
    assert max(output.width(line) for line in lines) == 60
    assert lines[1].endswith("y…")
    assert "門" * 10 in lines[2]
