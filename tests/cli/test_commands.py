"""The subcommands that count, move and keep."""

import csv
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tests.forked import run_each
from tests.records import detail, write
from visigate_logging.cli import COMMANDS, main
from visigate_logging.cli.command import Command
from visigate_logging.cli.parser import parser_of

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC)
if NOW.minute < 6:  # the six errors below are within one hour, which bursts are counted by
    NOW = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(seconds=1)


@pytest.fixture
def log(tmp_path):
    """Six errors of the last hours, in two groups, and old ones in a rotated file."""
    log = tmp_path / "details.jsonl"
    old = [detail(n, NOW - timedelta(days=100, hours=n)) for n in range(90, 93)]
    write(log.with_name("details.jsonl.1"), *old)
    recent = [detail(n, NOW - timedelta(minutes=6 - n), fingerprint=f"v1:{n % 2}") for n in range(6)]
    return write(log, *recent)


@pytest.fixture
def run(log, capsys):
    """Run a subcommand on the log; its exit code and what it printed."""

    def run(*args):
        try:
            code = main([*map(str, args), "--log", str(log)])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def attempts(text):
    return [record["additional_info"]["attempt"] for record in orjson.loads(text)]


def test_recent_narrows_down_by_words_times_and_text(run):
    assert attempts(run("recent", "--group", "v1:1", "--json")[1]) == [5, 3, 1]
    assert run("recent", "--process", "other", "--json")[:2] == (1, "[]\n")
    assert attempts(run("recent", "--since", "1d", "--limit", "99", "--json")[1]) == [5, 4, 3, 2, 1, 0]
    assert attempts(run("recent", "--until", "2w", "--json")[1]) == [90, 91, 92]
    assert attempts(run("recent", "--text", "CAMERA does", "--limit", "1", "--json")[1]) == [5]
    assert run("recent", "--type", "Nothing", "--json")[:2] == (1, "[]\n")


def test_recent_tells_the_cursor_of_the_next_page(run):
    cursor = run("recent", "--limit", "2", "--json")[2].split()[-1]
    assert attempts(run("recent", "--limit", "2", "--cursor", cursor, "--json")[1]) == [3, 2]


@pytest.mark.parametrize(
    "args",
    [
        ("recent", "--since", "soon"),
        ("recent", "--since", "99999999w"),
        ("recent", "--limit", "0"),
        ("recent", "--limit", "-1"),
        ("recent", "--limit", "x"),
        ("stats", "--days", "99999999"),
        ("prune", "--older-than", "99999999"),
    ],
)
def test_arguments_that_cannot_be_are_wrong_usage(run, args):
    code, _, err = run(*args)
    assert (code, args[2] in err) == (2, True)


def test_stats_have_the_keys_that_programs_rely_on(run):
    code, out, _ = run("stats", "--json")
    found = orjson.loads(out)
    assert code == 0
    assert found["total_errors"] == 6
    assert found["error_types"] == {"ConnectionRefusedError": 6}
    assert found["modules"] == {"gate.camera": 6}
    assert len(found["daily_counts"]) == 7
    assert sum(found["daily_counts"].values()) == 6


def test_stats_for_people_have_bars(run):
    _, out, _ = run("stats", "--days", "3")
    assert "6 errors in 3 days" in out
    assert "█" in out


def test_groups_are_listed_and_one_is_shown(run):
    listed = orjson.loads(run("groups", "--json")[1])
    assert {g["key"]: g["count"] for g in listed} == {"v1:0": 3, "v1:1": 3}
    assert "v1:0" in run("groups")[1]
    one = orjson.loads(run("groups", "v1:1", "--json")[1])
    assert (one["total"], len(one["events"])) == (3, 3)
    assert "additional_info.attempt" in run("groups", "v1:1")[1]
    assert run("groups", "v1:2")[0] == 1


def test_trends_are_told(run):
    assert orjson.loads(run("trends", "--json")[1])["total"]["count"] == 6
    assert "burst" in run("trends", "--all")[1]


def test_export_gives_lines_that_are_a_log_again(run, log, tmp_path):
    _, out, _ = run("export", "--since", "1d")
    assert [orjson.loads(line)["additional_info"]["attempt"] for line in out.splitlines()] == [5, 4, 3, 2, 1, 0]
    target = tmp_path / "out.jsonl"
    assert run("export", "--output", target)[0] == 0
    assert len(target.read_text().splitlines()) == 9


def test_what_is_exported_is_as_private_as_the_log_whatever_the_file_was_before(run, log, tmp_path):
    log.chmod(0o600)
    for name, before in (("new", None), ("old", 0o666)):
        target = tmp_path / name
        if before is not None:
            target.touch()
            target.chmod(before)
        assert run("export", "--output", target)[0] == 0
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_path_that_cannot_be_used_is_told_in_one_line(run, tmp_path):
    code, _, err = run("export", "--output", tmp_path)
    assert (code, err) == (1, f"visigate-errors: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("args", [("stats",), ("recent", "--json"), ("groups",), ("show",)])
def test_a_log_that_is_not_there_is_told(args, tmp_path, capsys):
    absent = tmp_path / "detials.jsonl"
    main([*args, "--log", str(absent)])
    assert f"{absent}: no such file" in capsys.readouterr().err


def test_a_log_of_which_only_rotated_files_are_left_is_there(tmp_path, capsys):
    write(tmp_path / "details.jsonl.1", detail(1, NOW))
    assert main(["recent", "--log", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


def test_export_as_csv_is_read_back_and_holds_no_formula(run, log):
    write(log, detail(7, NOW, error_message='=cmd("x"),\n"quoted"'))
    _, out, _ = run("export", "--format", "csv", "--since", "1d")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 7
    assert rows[0]["error_message"] == '\'=cmd("x"),\n"quoted"'
    assert rows[1]["event_id"] == detail(5, NOW - timedelta(minutes=1)).event_id


def old_file(directory, name="error_20260504_120000_ValueError.json", **fields):
    data = {
        "timestamp": "2026-05-04T12:00:00.123456",
        "error_type": "ValueError",
        "error_message": "100% wrong: password=hunter2",
        "module": "camera_module",
        "function": "grab",
        "traceback": 'Traceback (most recent call last):\n  File "/gate/cam.py", line 7, in grab\nValueError: no\n',
        "additional_info": {"camera": "north", "name": "c1", "password": "hunter2"},
    }
    path = directory / name
    path.write_bytes(orjson.dumps(data | fields))
    return path


def test_import_takes_old_files_each_once_however_often(run, log, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    old_file(old)
    old_file(old, "error_20260504_120000_KeyError.json", error_type="KeyError", additional_info=None, traceback=None)
    code, out, _ = run("import", old, "--json")
    assert (code, orjson.loads(out)) == (0, {"imported": 2, "known": 0, "failed": {}})
    code, out, _ = run("import", old, "--json")
    assert (code, orjson.loads(out)) == (0, {"imported": 0, "known": 2, "failed": {}})
    own = {"timestamp": "2026-05-04T12:00:00", "type": "CameraError", "message": "dark", "traceback": "Error: dark"}
    (old / "error_20260504_120000.json").write_bytes(orjson.dumps(own | {"system_info": {"platform": "linux"}}))
    code, out, _ = run("import", old, "--json")
    assert (code, orjson.loads(out)) == (0, {"imported": 1, "known": 2, "failed": {}})
    (found,) = orjson.loads(run("recent", "--type", "CameraError", "--json")[1])
    assert (found["error_message"], found["additional_info"]) == ("dark", {"system_info": {"platform": "linux"}})
    records = orjson.loads(run("recent", "--limit", "99", "--json")[1])
    assert len(records) == 12
    (found,) = [r for r in records if r["error_type"] == "ValueError"]
    expected = datetime(2026, 5, 4, 12, 0, 0, 123456).astimezone(UTC)
    assert datetime.fromisoformat(found["timestamp"]) == expected
    assert (found["module"], found["function"]) == ("camera_module", "grab")
    assert found["additional_info"]["camera"] == "north"
    assert found["exceptions"][0]["frames"][0]["line"] == 7
    assert "hunter2" not in str(found)
    assert run("show", found["event_id"])[0] == 0


def test_an_old_link_finds_the_imported_error(run, log, tmp_path):
    from visigate_logging.exceptions import UnknownEventError
    from visigate_logging.store.store import ErrorStore

    path = old_file(tmp_path)
    run("import", path)
    with ErrorStore(log) as store:
        assert store.imported(path.name).error_type == "ValueError"
        with pytest.raises(UnknownEventError):
            store.imported("error_20260504_120001_ValueError.json")


def test_import_names_what_is_no_such_file_and_takes_the_others(run, tmp_path):
    good = old_file(tmp_path)
    bad = tmp_path / "error_bad.json"
    bad.write_text("{")
    code, out, _ = run("import", good, bad, tmp_path / "missing.json", "--json")
    found = orjson.loads(out)
    assert code == 1
    assert (found["imported"], sorted(found["failed"])) == (1, sorted([str(bad), str(tmp_path / "missing.json")]))


def test_prune_asks_for_an_age_and_keeps_the_counts(run, log):
    assert run("prune")[0] == 2
    assert "details.jsonl.1" in run("prune", "--older-than", "30", "--dry-run")[1]
    assert log.with_name("details.jsonl.1").exists()
    assert orjson.loads(run("prune", "--older-than", "30", "--json")[1]) == [str(log.with_name("details.jsonl.1"))]
    assert not log.with_name("details.jsonl.1").exists()
    assert orjson.loads(run("stats", "--days", "150", "--json")[1])["total_errors"] == 9
    code, _, err = run("prune", "--older-than", "30")
    assert (code, "older than 30 days" in err) == (1, True)


def test_index_shows_checks_and_rebuilds(run, log):
    assert orjson.loads(run("index", "--json")[1])["records"] == 9
    assert run("index", "check")[0] == 0
    import sqlite3

    from visigate_logging.store.index import index_path

    with sqlite3.connect(index_path(log)) as db:
        db.execute("DELETE FROM record WHERE offset = 0")
    db.close()
    code, out, _ = run("index", "check", "--json")
    assert (code, bool(orjson.loads(out)["problems"])) == (1, True)
    assert run("index", "rebuild")[0] == 0
    assert run("index", "check")[0] == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_subcommand_and_is_valid(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command.name in script for command in COMMANDS)
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_completion_is_put_where_the_shell_looks_for_it_by_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    for shell in ("bash", "zsh", "fish"):
        monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
        assert main(["completion", "--install"]) == 0
        path = tmp_path / capsys.readouterr().out.split(" is written")[0]
        main(["completion", shell])
        assert path.read_text() == capsys.readouterr().out


def test_bash_completes_subcommands_and_their_options(capsys):
    main(["completion", "bash"])
    script = capsys.readouterr().out
    for typed, expected in ((("visigate-errors", "tre"), "trends"), (("visigate-errors", "stats", "--da"), "--days")):
        words = " ".join(typed)
        test = (
            f'{script}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _visigate_errors; echo "${{COMPREPLY[@]}}"'
        )
        done = subprocess.run(["bash", "-c", test], text=True, capture_output=True, check=True)
        assert done.stdout.split() == [expected]


@pytest.mark.parametrize(
    "command",
    [
        "recent",
        "show",
        "follow",
        "stats",
        "groups",
        "trends",
        "import",
        "export",
        "prune",
        "index",
        "convert-config",
    ],
)
def test_every_subcommand_that_prints_data_takes_json(command):
    assert "--json" in parser_of(Command(command)).format_help()


READS = "yaml shutil subprocess logging.config health retention config.load detail.masking detail.extraction"
NOT_IMPORTED = {
    "--help": f"{READS} argparse orjson sqlite3 dataclasses inspect logging store present cli.arguments cli.commands",
    "recent": f"{READS} insight triage.states store.store store.groups cli.commands.groups health present.facts",
    "show": f"{READS} insight triage.states store.store store.groups cli.commands.groups health",
    "groups": f"{READS} present.facts cli.commands.show",
    "summary": "yaml logging.config config.load forward.target forward.targets detail.masking cli.commands.show",
}
OTHERS = "delivery recovery handlers formatters config lifecycle migrate rehearsal fleet web"


@pytest.mark.parametrize("command", NOT_IMPORTED)
def test_a_command_imports_nothing_that_it_has_no_use_for(log, command):
    """It would take several times as long as the answer, on a Raspberry Pi a second."""
    (log.parent / "logging.yaml").write_text((ROOT / "logging.yaml").read_text("utf-8"))
    (log.parent / "logs/errors").mkdir(parents=True)
    log.rename(log.parent / "logs/errors/details.jsonl")
    said = "import sys; from visigate_logging.cli import main; main(); sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", said, command], cwd=log.parent, capture_output=True, text=True, check=True
    )
    assert "ConnectionRefusedError" in done.stdout or command == "--help"
    loaded = {name.removeprefix("visigate_logging.") for name in done.stderr.split()}
    assert loaded & {*NOT_IMPORTED[command].split(), *(OTHERS.split() if command != "summary" else ())} == set()


def test_follow_prints_each_record_on_one_line_until_interrupted(log):
    process = subprocess.Popen(
        [sys.executable, "-m", "visigate_logging", "follow", "--json", "--log", str(log)],
        stdout=subprocess.PIPE,
        text=True,
        # Where the tests run in the background it is ignored, and so it would be in the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no thread is running here
    )
    try:
        number = 50
        os.set_blocking(process.stdout.fileno(), False)
        line = ""
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        while not line and datetime.now(UTC) < deadline:
            number += 1
            write(log, detail(number, NOW))
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                line = process.stdout.readline()
        assert orjson.loads(line)["additional_info"]["attempt"] > 50
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        process.stdout.close()


def test_output_into_a_pipe_that_closes_early_is_no_error(log):
    write(log, *(detail(n, NOW) for n in range(100, 400)))
    command = f"{sys.executable} -m visigate_logging export --log {log}; echo $? >&2"
    done = subprocess.run(["bash", "-c", f"({command}) | head -1"], capture_output=True, text=True, check=True)
    assert done.stderr == "0\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_any_encoding_of_the_terminal_takes_what_is_printed(log, encoding):
    """Also where LANG is C; JSON is UTF-8 everywhere."""
    write(log, detail(77, datetime.now(UTC), error_message="Kein Bild: Kamera „Süd“ 📷 →"))
    words = [[command, "--log", log] for command in ("recent", "stats", "groups", "trends", "show", "index")]
    as_text = run_each(words, log.parent, PYTHONIOENCODING=encoding)
    assert [(said.code, said.err) for said in as_text] == [(0, b"")] * len(words)
    assert all(said.out.decode(encoding) for said in as_text)
    as_json = run_each([[*line, "--json"] for line in words], log.parent, PYTHONIOENCODING=encoding)
    assert all(orjson.loads(said.out) for said in as_json)
