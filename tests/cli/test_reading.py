"""``visigate-errors recent`` and ``show``."""

from datetime import timedelta

import orjson
import pytest

from tests.records import NOON, detail, write
from visigate_logging.cli import main


@pytest.fixture
def log(tmp_path):
    """Three errors in two files, and a torn line."""
    log = tmp_path / "details.jsonl"
    write(log.with_name("details.jsonl.1"), detail(1), b"torn\n")
    write(log, detail(2, NOON + timedelta(hours=1)), detail(3, NOON + timedelta(hours=2)))
    return log


def test_recent_lists_the_newest_first_across_rotated_files(log, capsys):
    assert main(["recent", "--log", str(log)]) == 0
    out, err = capsys.readouterr()
    times = [line.split()[1] for line in out.splitlines()[1:]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3
    assert "ConnectionRefusedError: [Errno 111] Connection refused" in out
    assert "gate.camera in grab" in out
    assert "1 unreadable" in err
    assert "details.jsonl.1 at byte" in err


def test_recent_for_programs_is_an_array_of_detail_records(log, capsys):
    assert main(["recent", "--log", str(log), "--json", "--limit", "2"]) == 0
    records = orjson.loads(capsys.readouterr().out)
    assert [r["additional_info"]["attempt"] for r in records] == [3, 2]
    assert records[0] == detail(3, NOON + timedelta(hours=2)).to_dict()


def test_a_directory_stands_for_the_details_file_in_it(log, capsys):
    assert main(["recent", "--log", str(log.parent)]) == 0


def test_no_errors_is_an_exit_code_a_script_can_use(tmp_path, capsys):
    log = write(tmp_path / "details.jsonl")
    assert main(["recent", "--log", str(log), "--json"]) == 1
    assert orjson.loads(capsys.readouterr().out) == []


def test_a_directory_that_is_not_there_is_said_in_one_line(tmp_path, capsys):
    assert main(["recent", "--log", str(tmp_path / "nowhere" / "details.jsonl")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_show_tells_one_error_to_its_cause(log, capsys):
    assert main(["show", detail(1).event_id, "--log", str(log)]) == 0
    out = capsys.readouterr().out
    for expected in ("camera does not answer", "/gate/camera.py:42 in grab", "north", "gate-1", "4711"):
        assert expected in out


def test_show_for_programs_is_one_detail_record(log, capsys):
    assert main(["show", detail(1).event_id, "--log", str(log), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out) == detail(1).to_dict()


def test_show_without_an_id_shows_the_newest(log, capsys):
    assert main(["show", "--log", str(log), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["additional_info"]["attempt"] == 3


def test_an_unknown_id_is_an_error_that_names_it(log, capsys):
    assert main(["show", "f" * 32, "--log", str(log)]) == 1
    assert "f" * 32 in capsys.readouterr().err


def test_a_record_cannot_steer_the_terminal(tmp_path, capsys):
    hostile = "a\x1b]0;title\x07\x1b[2J\r\n\u202eb"
    record = detail(1, error_message=hostile, error_type=hostile, message=hostile, host=hostile)
    log = write(tmp_path / "details.jsonl", record)
    for command in ("recent", "show"):
        assert main([command, "--log", str(log)]) == 0
        out = capsys.readouterr().out
        assert not set(out) & set("\x1b\x07\r\u202e")


def test_without_a_subcommand_the_usage_is_shown(capsys):
    assert main([]) == 2
    assert "recent" in capsys.readouterr().err
