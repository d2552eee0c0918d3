"""What somebody meets who has just begun: wrong words, no log, no right to read it; each says what to do next."""

import argparse
import os
import sys
from pathlib import Path

import pytest

from tests.host.users import GATE, NEIGHBOUR, as_user, give, needs_root, open_directory
from tests.records import NOON, detail, write
from visigate_logging.cli import COMMANDS, main
from visigate_logging.cli.parser import parser_of

OPTIONS = [
    pytest.param(command, action, id=f"{command.name} {action.option_strings[0]}")
    for command in COMMANDS
    for action in parser_of(command)._actions
    if action.option_strings and action.type not in (None, Path)
]


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Two errors, one of them with facets of the application's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("VISIGATE_LOG", "VISIGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    records = [detail(1, NOON), detail(2, NOON, error_type="KeyError", facets={"camera": "north", "limit": "9"})]
    return write(tmp_path / "details.jsonl", *records)


@pytest.mark.parametrize(("command", "action"), OPTIONS)
def test_a_value_that_cannot_be_is_named_with_what_can(command, action, capsys):
    with pytest.raises(argparse.ArgumentTypeError, match="no such thing"):
        action.type("no such thing")


def said(capsys, *words):
    with pytest.raises(SystemExit):
        main([*words])
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("show", "ffff"), "see visigate-errors recent"),
        (("groups", "zzzz"), "groups --state all"),
        (("resolve", "nope"), "groups --state all"),
    ],
)
def test_what_is_not_known_is_answered_with_where_to_look(log, capsys, words, cure):
    assert main([*words, "--log", str(log)]) == 1
    assert cure in capsys.readouterr().err


def test_where_there_is_no_log_it_is_said_where_it_was_looked_for_and_how_to_begin(log, capsys, monkeypatch):
    log.unlink()
    for words in ([], ["recent"], ["show"], ["stats"]):
        main(words)
        err = capsys.readouterr().err
        assert f"logs/errors/details.jsonl: no such file (in {log.parent})" in err
        assert "visigate-errors init" in err


def test_options_may_stand_before_the_subcommand(log, capsys):
    assert main(["--log", str(log), "recent", "--json"]) == 0
    assert main(["--json", f"--log={log}", "stats", "--days", "9"]) == 0
    capsys.readouterr()
    assert "unknown: --lmit; there are: " in said(capsys, "--log", str(log), "--lmit")


def test_errors_of_the_last_seconds_can_be_asked_for(log, capsys):
    assert main(["recent", "--since", "30s", "--log", str(log)]) == 1
    assert main(["recent", "--until", "30s", "--log", str(log)]) == 0


def test_a_facet_of_ours_is_one_by_either_option_and_one_named_as_an_option_is_refused(log, capsys):
    for words in (["--facet", "type=KeyError"], ["--type", "KeyError"], ["--facet", "camera=north"]):
        assert main(["recent", "--log", str(log), *words]) == 0
        out = capsys.readouterr().out
        assert ("KeyError" in out, "ConnectionRefused" in out) == (True, False)
    for name in ("text", "limit", "cursor", "group", "since"):
        assert f"{name!r} cannot be the name of a facet" in said(capsys, "recent", "--facet", f"{name}=x")


@needs_root
def test_who_may_not_read_a_log_is_told_whose_it_is_and_how_to_be_let_in(capfd):
    with open_directory() as above:
        log = write(give(above / "gate") / "details.jsonl", detail(1, NOON))
        for owner, cure in ((0, "sudo chown -h"), (NEIGHBOUR, "ask as that user: sudo -u")):
            log.chmod(0o600)
            os.chown(log, owner, owner)
            assert as_user(GATE, lambda: main(["recent", "--log", str(log)]) and sys.stderr.flush())
            assert cure in capfd.readouterr().err
