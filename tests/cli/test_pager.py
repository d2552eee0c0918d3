"""What is longer than the terminal comes in a pager, and nothing else does."""

import sys
from contextlib import redirect_stdout

import pytest

from visigate_logging.cli.pager import paged


class Terminal:
    """Where a command writes to, as ``sys.stdout`` is."""

    encoding = "utf-8"

    def __init__(self):
        self.written = ""

    def write(self, text):
        self.written += text

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """A terminal of ten lines, and a pager that leaves in a file what it is given."""
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "pager").write_text(f"#!/bin/sh\ncat > {tmp_path}/shown\n")
    (tmp_path / "pager").chmod(0o700)
    monkeypatch.setenv("PAGER", str(tmp_path / "pager"))
    return Terminal()


@pytest.mark.parametrize(("lines", "wanted", "comes"), [(9, True, False), (30, True, True), (30, False, False)])
def test_only_what_is_longer_than_the_terminal_is_paged(terminal, tmp_path, lines, wanted, comes):
    with redirect_stdout(terminal), paged(wanted):
        sys.stdout.write("line\n" * lines)
    assert ((tmp_path / "shown").exists(), terminal.written.count("line")) == (comes, 0 if comes else lines)
    if comes:
        assert (tmp_path / "shown").read_text().count("line") == lines


@pytest.mark.parametrize("pager", ["cat", "", "/nowhere/pager"])
def test_without_a_pager_it_is_written_as_always(terminal, monkeypatch, pager):
    monkeypatch.setenv("PAGER", pager)
    with redirect_stdout(terminal), paged(True):
        sys.stdout.write("line\n" * 30)
    assert terminal.written.count("line") == 30


def test_what_was_written_before_an_error_is_shown(terminal):
    def write_and_stop():
        with redirect_stdout(terminal), paged(True):
            sys.stdout.write("line\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert terminal.written == "line\n"
