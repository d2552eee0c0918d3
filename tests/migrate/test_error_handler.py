"""The interfaces that VisiGate's code calls today: the same calls, the same keys back."""

import json
import logging
import logging.config
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml

from visigate_logging import ErrorHandler, get_error_logs, setup_error_handler
from visigate_logging.cli import main
from visigate_logging.migrate.convert import convert

KEYS = {"timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info"}


@pytest.fixture
def config(tmp_path):
    return {
        "error_handling": {
            "log_path": str(tmp_path / "logs" / "errors"),
            "max_log_size": 10485760,
            "backup_count": 5,
            "email_notifications": False,
            "email_config": {"smtp_server": "smtp.example.org", "smtp_port": 587, "use_tls": True},
        },
        "database": {"db_path": str(tmp_path / "gate.db")},
    }


def broken():
    try:
        Path("/no/such/file").stat()
    except OSError as error:
        return error


def test_log_error_returns_the_detail_with_the_keys_that_visigate_uses(config):
    found = ErrorHandler(config).log_error(broken(), "camera_module", "grab_frame", {"camera": "north", "name": "c1"})
    assert found.keys() >= KEYS
    assert found["error_type"] == "FileNotFoundError"
    assert found["error_message"] == "[Errno 2] No such file or directory: '/no/such/file'"
    assert (found["module"], found["function"]) == ("camera_module", "grab_frame")
    assert found["traceback"].startswith("Traceback (most recent call last):\n")
    assert found["additional_info"]["camera"] == "north"
    assert found["additional_info"]["name_"] == "c1"
    assert datetime.fromisoformat(found["timestamp"]).tzinfo


def test_additional_info_may_be_left_out(config):
    assert ErrorHandler(config).log_error(ValueError("x"), "m", "f")["additional_info"] == {}


def test_what_log_error_returns_is_what_stands_on_disk(config):
    handler = ErrorHandler(config)
    found = handler.log_error(broken(), "camera_module", "grab_frame", {"password": "hunter2"})
    assert handler.get_recent_errors(1) == [found]
    assert "hunter2" not in str(found)
    assert found["category"] == "system"


def test_the_readable_log_stands_where_it_stood(config, tmp_path):
    ErrorHandler(config).log_error(broken(), "camera_module", "grab_frame")
    text = (tmp_path / "logs" / "errors" / "error.log").read_text()
    assert "camera_module" in text
    assert "FileNotFoundError" in text


def test_get_recent_errors_is_newest_first_and_at_most_limit(config):
    handler = ErrorHandler(config)
    for number in range(5):
        handler.log_error(ValueError(str(number)), "m", "f")
    assert [e["error_message"] for e in handler.get_recent_errors(3)] == ["4", "3", "2"]
    assert len(handler.get_recent_errors()) == 5


def test_get_error_statistics_counts_types_modules_and_days(config):
    handler = ErrorHandler(config)
    for _ in range(2):
        handler.log_error(ValueError("x"), "camera_module", "f")
    handler.log_error(KeyError("x"), "web_module", "f")
    found = handler.get_error_statistics(7)
    assert found["total_errors"] == 3
    assert found["error_types"] == {"ValueError": 2, "KeyError": 1}
    assert found["modules"] == {"camera_module": 2, "web_module": 1}
    assert len(found["daily_counts"]) == 7
    assert found["daily_counts"][date.today().isoformat()] == 3


def test_handlers_of_the_application_go_on(config, tmp_path):
    own = logging.FileHandler(tmp_path / "own.log", mode="w")
    logging.getLogger().addHandler(own)
    logging.getLogger("app").error("before")
    ErrorHandler(config)
    logging.getLogger("app").error("after")
    lines = (tmp_path / "own.log").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")


def test_what_is_logged_in_any_other_way_is_kept_too(config):
    handler = ErrorHandler(config)
    logging.getLogger("elsewhere").error("plain")
    assert handler.get_recent_errors(1)[0]["error_message"] == "plain"


def test_two_handlers_with_one_configuration_record_each_error_once(config):
    first, second = ErrorHandler(config), ErrorHandler(config)
    second.log_error(ValueError("x"), "m", "f")
    assert len(first.get_recent_errors()) == 1


def test_where_a_configuration_writes_to_the_same_file_nothing_is_recorded_twice(config, tmp_path):
    path = tmp_path / "logging.yaml"
    path.write_text(convert(config).text)
    logging.config.dictConfig(yaml.safe_load(path.read_text()))
    before = logging.getLogger().handlers[:]
    handler = ErrorHandler(config)
    handler.log_error(ValueError("x"), "m", "f")
    assert len(handler.get_recent_errors()) == 1
    assert logging.getLogger().handlers == before


def test_a_hostile_exception_is_recorded_all_the_same(config):
    class HostileError(Exception):
        def __str__(self):
            raise RuntimeError("no")

    handler = ErrorHandler(config)
    assert handler.log_error(HostileError(), "m", "f", {"x": object()})["error_type"] == "HostileError"
    assert len(handler.get_recent_errors()) == 1


def test_without_a_procedure_nothing_is_recovered(config):
    assert ErrorHandler(config).attempt_recovery("DatabaseError", {"db_path": "x"}) is False


def test_attempt_recovery_restores_a_damaged_database_and_says_so(config, tmp_path):
    pytest.importorskip("visigate_logging.recovery.runner", reason="recovery is not there yet")
    database, backup = tmp_path / "gate.db", tmp_path / "backup.db"
    with closing(sqlite3.connect(database)) as db:
        db.executescript("CREATE TABLE plates (plate TEXT); INSERT INTO plates VALUES ('AB 123');")
    shutil.copy(database, backup)
    database.write_bytes(b"x" * 4096 + database.read_bytes()[4096:])
    config["database"]["backup_path"] = str(backup)
    handler = ErrorHandler(config)
    assert handler.attempt_recovery("CameraError", {}) is False
    assert handler.attempt_recovery("DatabaseError", {"db_path": str(database)}) is True
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT plate FROM plates").fetchall() == [("AB 123",)]


def test_attempt_recovery_leaves_a_sound_database_alone(config, tmp_path):
    pytest.importorskip("visigate_logging.recovery.runner", reason="recovery is not there yet")
    database, backup = tmp_path / "gate.db", tmp_path / "backup.db"
    with closing(sqlite3.connect(database)) as db:
        db.executescript("CREATE TABLE plates (plate TEXT); INSERT INTO plates VALUES ('AB 123');")
        shutil.copy(database, backup)
        db.executescript("INSERT INTO plates VALUES ('CD 456');")
    config["database"]["backup_path"] = str(backup)
    before = database.read_bytes()
    assert ErrorHandler(config).attempt_recovery("DatabaseError", {"error": "no such table"}) is False
    assert database.read_bytes() == before


def test_an_unknown_key_is_warned_of(config, caplog):
    config["error_handling"]["lgo_path"] = "x"
    ErrorHandler(config)
    assert "passed over: error_handling.lgo_path (did you mean log_path?)" in caplog.text


def test_what_nobody_caught_is_recorded_and_still_shown(config):
    script = textwrap.dedent(
        f"""
        import sys
        from visigate_logging import ErrorHandler
        sys.excepthook = ErrorHandler({config!r}).global_exception_handler

        def work():
            if len(sys.argv) > 1:
                raise KeyboardInterrupt
            raise ZeroDivisionError("at the end")

        work()
        """
    )
    for args in ([], ["interrupt"]):
        done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert ("KeyboardInterrupt" if args else "ZeroDivisionError: at the end") in done.stderr
    (found,) = ErrorHandler(config).get_recent_errors()
    assert (found["error_type"], found["module"], found["function"]) == ("ZeroDivisionError", "__main__", "work")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: ErrorHandler(log_dir=path),
        lambda path: ErrorHandler(log_dir=path, notification_manager=None),
        lambda path: ErrorHandler(str(path), None),
        ErrorHandler,
        lambda path: setup_error_handler(None, path),
        lambda path: setup_error_handler(log_dir=str(path)),
    ],
)
def test_given_a_directory_it_keeps_its_files_in_errors_below(make, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    handler = make(tmp_path / "logs")
    handler.log_error(broken(), "camera_module", "grab_frame")
    assert str(handler.log_dir) == str(tmp_path / "logs")
    assert (tmp_path / "logs/errors/details.jsonl").exists()
    (found,) = get_error_logs(tmp_path / "logs")
    assert found.keys() == {"timestamp", "type", "message", "traceback", "module", "function", "system_info"}
    assert (found["type"], found["module"], found["function"]) == (
        "FileNotFoundError",
        "camera_module",
        "grab_frame",
    )
    assert found["traceback"].startswith("Traceback (most recent call last):")
    assert found["system_info"]["platform"] == sys.platform


def test_setup_takes_the_place_of_the_excepthook(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    handler = setup_error_handler(log_dir=tmp_path)
    assert sys.excepthook == handler.handle_exception
    error = broken()
    sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [e["type"] for e in get_error_logs(tmp_path)] == ["FileNotFoundError"]
    assert capsys.readouterr().err.count("FileNotFoundError") == 1


def test_called_from_an_except_block_it_records_and_shows_nothing(tmp_path, capsys):
    handler = ErrorHandler(log_dir=tmp_path)
    try:
        {}["x"]
    except KeyError:
        handler.handle_exception(*sys.exc_info())
    assert get_error_logs(tmp_path)[0]["function"] == "test_called_from_an_except_block_it_records_and_shows_nothing"
    assert capsys.readouterr().err == ""


def test_a_text_is_an_error_too(tmp_path):
    assert ErrorHandler(log_dir=tmp_path).log_error("no picture", "camera", "grab")["error_message"] == (
        "Error in camera.grab: no picture"
    )


def test_get_error_logs_gives_the_newest_and_those_of_the_old_files_too(tmp_path):
    old = {
        "timestamp": "2025-04-12T08:15:00.123",
        "type": "CameraError",
        "message": "dark",
        "traceback": 'Traceback (most recent call last):\n  File "/gate/cam.py", line 7, in f\nCameraError: dark\n',
        "module": "cam",
        "function": "grab",
        "system_info": {"python_version": "3.9", "platform": "linux"},
    }
    (tmp_path / "errors").mkdir()
    (tmp_path / "errors/error_20250412_081500.json").write_text(json.dumps(old))
    (tmp_path / "errors/error_20250412_081600.json").write_text("{half")
    handler = ErrorHandler(log_dir=tmp_path)
    for number in range(3):
        handler.log_error(ValueError(str(number)), "m", "f")
    assert [e["message"] for e in get_error_logs(tmp_path)] == ["2", "1", "0", "dark"]
    assert [e["message"] for e in get_error_logs(tmp_path, limit=2)] == ["2", "1"]
    assert get_error_logs(tmp_path)[-1].items() >= {k: old[k] for k in old if k != "timestamp"}.items()
    assert main(["import", str(tmp_path / "errors"), "--log", str(tmp_path / "errors/details.jsonl")]) == 1
    assert len(get_error_logs(tmp_path)) == 4


def test_get_error_logs_of_nothing_is_nothing(tmp_path):
    assert get_error_logs(tmp_path / "none") == []
    (tmp_path / "errors").mkdir()
    assert get_error_logs(str(tmp_path)) == []
