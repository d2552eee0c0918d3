"""What is written to the terminal."""

import io
import sys

import pytest

from visigate_logging.cli import output
from visigate_logging.cli.table import Brief, Column, briefly, table


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


COLUMNS = (Column("A"), Column("B", stretches=True), Column("C", dropped=1), Column("D", dropped=2), Column("E"))
ROW = ("a" * 10, "b" * 500, "c" * 10, "d" * 10, Brief("e" * 32, "e" * 6))


def laid_out(monkeypatch, columns, **options):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    return table(COLUMNS, [ROW], **options).splitlines()


@pytest.mark.parametrize(
    ("columns", "shown"), [(120, "A B C D E"), (80, "A B C D E"), (70, "A B C E"), (60, "A B E"), (40, "A B E")]
)
def test_a_table_fits_the_terminal_by_leaving_out_what_matters_least(monkeypatch, columns, shown):
    lines = laid_out(monkeypatch, columns)
    assert lines[0].split() == shown.split()
    assert output.width(lines[1]) == columns
    assert "…" in lines[1]
    assert lines[1].endswith("eeeeee")


def test_a_wide_table_has_everything_whole(monkeypatch):
    header, line = laid_out(monkeypatch, 80, wide=True)
    assert (header.split(), line.split()) == (list("ABCDE"), [*ROW[:4], ROW[4].whole])


def test_a_pipe_gets_values_between_tabs_whole_and_without_padding(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    row = ("a\tb\n", *ROW[1:])
    assert table(COLUMNS, [row]) == "\t".join("ABCDE") + "\n" + "\t".join(["a b", *ROW[1:4], ROW[4].whole])


def test_wide_characters_take_two_columns_and_what_the_encoding_lacks_takes_what_stands_for_it(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    columns = (Column("A"), Column("B"))
    assert table(columns, [("門", "b"), ("aaaa", "b")]).splitlines()[1:] == ["門    b", "aaaa  b"]
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert table(columns, [("門", "b"), ("aaaa", "b")]).splitlines()[1:] == ["\\u9580  b", "aaaa    b"]


def test_short_ids_are_as_long_as_it_takes_to_tell_them_apart():
    ids = ["0" * 20 + "123456789abc", "0" * 20 + "023456789abc"]
    assert [brief.short for brief in briefly(ids, ends=True).values()] == ["123456789abc", "023456789abc"]
    assert [b.short for b in briefly(["v3:d79f01234", "v3:d79f1"], ends=False).values()] == ["d79f01", "d79f1"]
