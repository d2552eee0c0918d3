"""``visigate-errors recent`` and ``show``."""

from datetime import timedelta

import orjson
import pytest

from tests.records import NOON, detail, write
from visigate_logging.cli import main
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.store.store import ErrorStore


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


@pytest.mark.parametrize("part", [slice(None, 12), slice(-6, None), slice(-5, None), slice(0, 32)])
def test_so_much_of_an_id_as_no_other_has_is_enough(log, capsys, part):
    assert main(["show", detail(2, NOON + timedelta(hours=1)).event_id[part], "--log", str(log), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["additional_info"]["attempt"] == 2


def test_a_part_that_several_ids_have_names_them(log, capsys):
    assert main(["show", detail(1).event_id[:4], "--log", str(log)]) == 1
    assert detail(1).event_id in capsys.readouterr().err


def test_a_group_is_named_by_what_its_key_begins_with(tmp_path, capsys):
    keys = ("v3:d79f0123", "v3:d79a0123", "gate:1")
    log = write(tmp_path / "details.jsonl", *(detail(n, fingerprint=key) for n, key in enumerate(keys)))
    for part, key in (("d79f", "v3:d79f0123"), ("v3:d79a", "v3:d79a0123"), ("gate", "gate:1")):
        assert main(["recent", "--group", part, "--log", str(log), "--json"]) == 0
        assert [r["fingerprint"] for r in orjson.loads(capsys.readouterr().out)] == [key]
    assert main(["groups", "d79f", "--days", "36500", "--log", str(log), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["total"] == 1
    assert main(["groups", "d79", "--log", str(log)]) == 1
    assert "v3:d79a0123" in capsys.readouterr().err


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
    write(log, orjson.dumps(record.to_dict() | {"event_id": detail(2).event_id, "facets": {hostile: "x"}}) + b"\n")
    assert main(["recent", "--log", str(log), "--facet", "camera=x"]) != 0
    err = capsys.readouterr().err
    assert "]0;title" in err
    assert not set(err) & set("\x1b\x07\r\u202e")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--severity", "error"], 3),
        (["--severity", "Err"], 3),
        (["--type", "connectionrefusederror"], 3),
        (["--severity", "warn"], 0),
    ],
)
def test_a_filter_takes_any_case_and_the_other_names_of_levels(log, capsys, words, found):
    assert main(["recent", "--log", str(log), "--json", *words]) == (0 if found else 1)
    assert len(orjson.loads(capsys.readouterr().out)) == found


def test_a_value_that_no_error_has_is_answered_with_those_that_are_near_or_there(log, capsys):
    main(["recent", "--log", str(log), "--type", "ConectionRefused"])
    assert "did you mean ConnectionRefusedError?" in capsys.readouterr().err
    main(["recent", "--log", str(log), "--type", "refused"])
    assert "did you mean ConnectionRefusedError?" in capsys.readouterr().err
    main(["recent", "--log", str(log), "--severity", "DEBUG"])
    assert "there are: ERROR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["grops"], "did you mean groups?"),
        (["recent", "--severty", "x"], "--severity"),
        (["recent", "--limit", "x"], "--limit"),
    ],
)
def test_wrong_usage_is_said_in_one_line_with_what_may_be_meant(capsys, words, hint):
    with pytest.raises(SystemExit) as stop:
        main(words)
    err = capsys.readouterr().err
    assert (stop.value.code, err.count("\n"), hint in err) == (2, 1, True)


def test_following_begins_with_the_last_errors_and_goes_on_with_those_that_are_meant(log):
    with ErrorStore(log) as store:
        followed = store.follow(0.01, backlog=2, severity="ERROR", text="north")
        assert [next(followed).additional_info["attempt"] for _ in range(2)] == [2, 3]
        write(log, detail(4, severity="WARNING"), detail(5, additional_info={"attempt": 5}), detail(6))
        assert next(followed).additional_info["attempt"] == 6
        followed.close()


AROUND = {
    "breadcrumbs": ({"age": 2.0, "level": "INFO", "logger": "gate", "message": "opened\x1b[2J", "own": True},),
    "machine": {"unusual": ["memory 97 %"], "age": 1.0, "load": [0.5], "cpus": 4, "temperature": 51.5, "uptime": 60},
    "exceptions": (
        ExceptionData(
            "E", "m", "x", frames=(Frame("a.py", 1, "f", "a", "f()", in_app=True, values={"url": "rtsp"}),)
        ),
    ),
}


def test_what_stood_around_an_error_is_told_in_the_order_of_the_story(tmp_path, capsys):
    log = write(tmp_path / "details.jsonl", detail(1, **AROUND))
    assert main(["show", "--log", str(log)]) == 0
    out = capsys.readouterr().out
    told = [
        "unusual  memory 97 %",
        "just before",
        "INFO gate: opened",
        "url = rtsp",
        "machine",
        "temperature  51.5 °C",
    ]
    assert sorted(told, key=out.index) == told
    assert "\x1b" not in out


def test_a_machine_without_anything_unusual_is_told_in_short(tmp_path, capsys):
    usual = AROUND | {"machine": AROUND["machine"] | {"unusual": []}}
    log = write(tmp_path / "details.jsonl", detail(1, **usual))
    assert main(["show", "--log", str(log)]) == 0
    out = capsys.readouterr().out
    assert "machine, nothing unusual" in out
    assert "temperature" not in out


def test_what_else_went_wrong_within_a_minute_is_told_last(tmp_path, capsys):
    other = detail(2, NOON + timedelta(seconds=20), error_type="OtherError", fingerprint="v3:other")
    log = write(tmp_path / "details.jsonl", detail(1, NOON), other)
    assert main(["show", detail(1, NOON).event_id, "--log", str(log)]) == 0
    assert "OtherError" in capsys.readouterr().out.partition("at the same time")[2]
