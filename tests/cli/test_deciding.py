"""The subcommands that decide about groups."""

import getpass
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.records import detail, write
from visigate_logging.cli import main

NOW = datetime.now(UTC)


@pytest.fixture
def log(tmp_path):
    log = tmp_path / "details.jsonl"
    return write(log, *(detail(n, NOW - timedelta(minutes=6 - n), fingerprint=f"v1:{n % 2}") for n in range(6)))


@pytest.fixture
def run(log, capsys):
    def run(*args):
        try:
            code = main([*args, "--log", str(log)])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def open_keys(run, *args):
    return [group["key"] for group in orjson.loads(run("groups", "--json", *args)[1])]


def test_what_is_resolved_or_muted_leaves_the_list_and_is_counted_beside_it(run):
    code, out, _ = run("resolve", "v1:0", "--note", "new cable", "--by", "anna")
    assert code == 0
    assert out.startswith("v1:0: resolved by anna on ")
    assert run("mute", "v1:1", "--until", "2d", "--more", "100", "--worse")[0] == 0
    assert open_keys(run) == []
    code, out, err = run("groups")
    assert (code, out, err) == (1, "", "no open groups\nbesides: 1 resolved, 1 muted; see --state\n")
    assert open_keys(run, "--state", "muted") == ["v1:1"]
    assert sorted(open_keys(run, "--state", "all")) == ["v1:0", "v1:1"]
    shown = [line.split("\t")[2] for line in run("groups", "--state", "all")[1].splitlines()[1:]]
    assert sorted(shown) == ["muted", "resolved"]
    assert "groups: 0 open, 1 resolved, 1 muted" in run("stats")[1]
    assert orjson.loads(run("stats", "--json")[1])["states"] == {"open": 0, "resolved": 1, "muted": 1}


def test_a_group_that_came_back_says_so_and_by_whom_it_was_resolved(run, log):
    run("resolve", "v1:0", "--by", "anna", "--note", "new cable")
    write(log, detail(7, NOW, fingerprint="v1:0"))
    assert "\tback" in run("groups")[1]
    out = run("groups", "v1:0")[1]
    assert "came back: 1 error since it was resolved by anna" in out
    assert "what was decided" in out


def test_merging_and_its_end(run):
    assert run("merge", "v1:0", "--into", "v1:1")[0] == 0
    assert open_keys(run) == ["v1:1"]
    found = orjson.loads(run("groups", "v1:1", "--json")[1])
    assert (found["group"]["count"], [d["action"] for d in found["history"]]) == (6, ["merge"])
    assert run("merge", "v1:0", "--undo")[0] == 0
    assert sorted(open_keys(run)) == ["v1:0", "v1:1"]


def test_what_fails_is_said_and_does_not_keep_the_others_from_being_done(run):
    code, out, err = run("resolve", "v1:9", "v1:1", "--json")
    assert (code, err) == (1, "v1:9: no group has the key 'v1:9'; see visigate-errors recent, groups --state all\n")
    (done,) = orjson.loads(out)
    assert (done["key"], done["who"], done["state"]) == ("v1:1", getpass.getuser(), "resolved")
    assert run("mute", "v1:1", "--until", "soon")[0] == 2


def test_decisions_are_exported_and_imported_each_once(run, tmp_path, log):
    run("resolve", "v1:0", "--by", "anna", "--note", "new cable")
    kept = tmp_path / "kept.jsonl"
    assert run("export", "--format", "decisions", "--output", str(kept))[0] == 0
    log.with_name("groups.jsonl").unlink()
    assert sorted(open_keys(run)) == ["v1:0", "v1:1"]
    assert run("import", str(kept))[1] == "1 imported, 0 known already, 0 failed\n"
    assert run("import", str(kept))[1] == "0 imported, 1 known already, 0 failed\n"
    assert open_keys(run) == ["v1:1"]
