"""recover and backup: what is configured, how it stands, and mending by hand."""

import json
import logging

import pytest
import yaml

from tests.recovery.databases import BACKED_UP, DAMAGE, content, make
from visigate_logging.cli import main
from visigate_logging.handlers.recovery import RecoveryHandler


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A gate's folder with a database, its backup and a logging.yaml."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "gate.db", "wal")
    (tmp_path / "backups").mkdir()
    make(tmp_path / "backups" / "gate.db", "wal", BACKED_UP)
    procedures = {
        "database": {
            "exceptions": ["DatabaseError"],
            "steps": [{"restore_sqlite": {"database": "gate.db", "backups": ["backups/gate.db"]}}],
        },
        "camera": {"exceptions": ["CameraError"], "steps": [{"command": {"argv": ["false"]}}], "max_attempts": 1},
    }
    recovery = {"class": "visigate_logging.RecoveryHandler", "procedures": procedures, "state_dir": "state"}
    (tmp_path / "logging.yaml").write_text(
        yaml.safe_dump({"version": 1, "handlers": {"recovery": recovery}}, sort_keys=False)
    )
    return tmp_path


def give_up(gate):
    procedures = yaml.safe_load((gate / "logging.yaml").read_text())["handlers"]["recovery"]["procedures"]
    handler = RecoveryHandler(procedures, "state")
    error = type("CameraError", (Exception,), {})("no picture")
    handler.handle(logging.makeLogRecord({"name": "gate", "levelno": 40, "exc_info": (type(error), error, None)}))
    assert handler.wait(20)
    handler.close()


def as_json(capsys):
    return json.loads(capsys.readouterr().out)


def test_list_says_what_is_configured_and_makes_nothing(gate, capsys):
    assert main(["recover", "list", "--json"]) == 0
    found = as_json(capsys)
    assert [(p["name"], p["steps"], p["last"]) for p in found] == [
        ("database", ["restore_sqlite"], None),
        ("camera", ["command"], None),
    ]
    assert not (gate / "state").exists()


def test_list_and_history_show_who_has_given_up_and_reset_lets_it_run_again(gate, capsys):
    give_up(gate)
    assert main(["recover", "--json"]) == 0
    camera = as_json(capsys)[1]
    assert camera["budgets"] == [{"key": "camera", "attempts": 1, "failures": 1, "state": "given up"}]
    assert camera["last"]["status"] == "failed"
    assert main(["recover"]) == 0
    assert "camera: 1/1 given up" in capsys.readouterr().out
    assert main(["recover", "history", "camera", "--json"]) == 0
    assert [line["event"] for line in as_json(capsys)] == ["decision", "step begins", "step ends", "outcome"]
    assert main(["recover", "history"]) == 0
    assert "step ends" in capsys.readouterr().out
    assert main(["recover", "reset", "camera"]) == 0
    capsys.readouterr()
    main(["recover", "list", "--json"])
    assert as_json(capsys)[1]["budgets"] == []


def test_run_restores_by_hand_without_an_error_and_whatever_the_budget(gate, capsys):
    DAMAGE["pages in the middle"](gate / "gate.db")
    assert main(["recover", "run", "database", "--dry-run"]) == 0
    assert "it would run restore_sqlite" in capsys.readouterr().out
    assert main(["recover", "run", "database", "--json"]) == 0
    assert as_json(capsys)["status"] == "done"
    assert content(gate / "gate.db") == content(gate / "backups" / "gate.db")
    assert main(["recover", "run", "database"]) == 0
    assert "sound; nothing was done" in capsys.readouterr().out


def test_a_run_that_fails_has_exit_code_1(gate, capsys):
    assert main(["recover", "run", "camera"]) == 1
    assert "exit code 1" in capsys.readouterr().out


def test_an_unknown_procedure_is_refused_and_the_known_ones_are_named(gate, capsys):
    assert main(["recover", "run", "databse"]) == 1
    assert "database, camera" in capsys.readouterr().err


def test_a_wrong_configuration_has_exit_code_78_and_names_the_key(gate, capsys):
    config = yaml.safe_load((gate / "logging.yaml").read_text())
    config["handlers"]["recovery"]["procedures"]["camera"]["steps"] = [{"comand": {}}]
    (gate / "logging.yaml").write_text(yaml.safe_dump(config))
    assert main(["recover", "list"]) == 78
    assert "handlers.recovery.procedures.camera.steps.0.comand" in capsys.readouterr().err
    assert main(["recover", "list", "--config", "nowhere.yaml"]) == 78


def test_backup_makes_a_checked_copy_and_keeps_generations(gate, capsys):
    assert main(["backup", "gate.db"]) == 0
    assert "checked" in capsys.readouterr().out
    assert len(content(gate / "backups" / "gate.db")) == 600
    assert len(content(gate / "backups" / "gate.db.1")) == BACKED_UP
    DAMAGE["half"](gate / "gate.db")
    assert main(["backup", "gate.db", "--json"]) == 1
    assert as_json(capsys)["status"] == "failed"
    assert len(content(gate / "backups" / "gate.db")) == 600


def test_a_database_that_is_not_there_is_named_and_nothing_is_made(gate, capsys, monkeypatch):
    (gate / "empty").mkdir()
    monkeypatch.chdir(gate / "empty")
    assert main(["backup", "gaet.db"]) == 1
    assert f"there is no file {gate / 'empty' / 'gaet.db'}" in capsys.readouterr().out
    assert list((gate / "empty").iterdir()) == []
