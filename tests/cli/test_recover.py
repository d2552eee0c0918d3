"""recover and backup: what is configured, how it stands, and mending by hand."""

import json
import logging
import os
import re
import sqlite3
import sys
import time
from contextlib import closing

import pytest
import yaml

from tests.recovery.databases import BACKED_UP, DAMAGE, PAGE, content, fingerprints, holder, make, noise
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


def test_a_dry_run_says_which_backup_what_is_damaged_who_holds_it_and_how_long_it_takes(gate, capsys):
    with holder(gate / "gate.db", "idle") as held:
        DAMAGE["pages in the middle"](gate / "gate.db")
        before = fingerprints(gate / "backups") | {"db": (gate / "gate.db").read_bytes()}
        assert main(["recover", "run", "database", "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert fingerprints(gate / "backups") | {"db": (gate / "gate.db").read_bytes()} == before
    assert re.search(r"was damaged \(\d+ problems?, first: ", out)
    assert re.search(r"restored from .*backups/gate.db, made .* \(0\.0 hours ago\), with 675 rows in 2 tables", out)
    assert re.search(r"in about \d+ s", out)
    assert f"(pid {held.process.pid})" in out


def restored(gate):
    """A restore whose damaged file could still be read, but for a table's last page."""
    with closing(sqlite3.connect(gate / "gate.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=delete")
        connection.execute("UPDATE vehicles SET plate = 'CHANGED' WHERE id = 7")
        connection.execute("DELETE FROM vehicles WHERE id IN (8, 9)")
        connection.execute("DELETE FROM vehicles WHERE id > 453")
    with (gate / "gate.db").open("r+b") as file:
        file.seek(-PAGE, 2)
        file.write(noise(PAGE))
    assert main(["recover", "run", "database"]) == 0


def test_rows_shows_what_differs_and_brings_back_what_a_person_chooses(gate, capsys):
    restored(gate)
    capsys.readouterr()
    assert main(["recover", "rows", "database"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^TABLE\tADDED\tCHANGED\tDELETED$", out, re.MULTILINE)
    assert re.search(r"^vehicles\t3\t1\t2$", out, re.MULTILINE)
    assert main(["recover", "rows", "database", "--table", "vehicles"]) == 0
    out = capsys.readouterr().out
    assert 'plate: "P00006" in the backup, "CHANGED" in the damaged file' in out
    assert "deleted rowid=8" in out
    assert main(["recover", "rows", "database", "--json", "--table", "vehicles", "--only", "deleted"]) == 0
    number = as_json(capsys)[0]["number"]
    assert main(["recover", "rows", "database", "--apply", "vehicles", "--rows", str(number)]) == 0
    assert main(["recover", "rows", "database", "--apply", "vehicles", "--only", "added"]) == 0
    assert main(["recover", "rows", "database", "--apply", "vehicles", "--only", "changed"]) == 0
    plates = content(gate / "gate.db")
    assert {"CHANGED", "P00450", "P00451", "P00452", "P00008"} <= plates
    assert not {"P00006", "P00007"} & plates


def test_rows_brings_all_back_or_none(gate, capsys):
    restored(gate)
    with closing(sqlite3.connect(gate / "gate.db", isolation_level=None)) as connection:
        connection.execute("UPDATE vehicles SET note = 'since' WHERE id = 9")
    before = content(gate / "gate.db")
    assert main(["recover", "rows", "database", "--apply", "vehicles"]) == 1
    assert "rowid=9 of vehicles has been changed since the restore" in capsys.readouterr().err
    assert content(gate / "gate.db") == before
    assert main(["recover", "rows", "camera"]) == 1


def test_list_and_history_fit_80_columns_with_the_outcome_readable(gate, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    DAMAGE["pages in the middle"](gate / "gate.db")
    main(["recover", "run", "database"])
    for action in ("list", "history"):
        capsys.readouterr()
        assert main(["recover", action]) == 0
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= 80
        assert "CHANGES SINCE THEN ARE GONE" in " ".join(out.split())


def test_a_backup_that_would_push_out_good_ones_is_refused_and_logged(gate, capsys):
    assert main(["backup", "gate.db"]) == 0
    with closing(sqlite3.connect(gate / "gate.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM permits")
    handlers = {"log": {"class": "logging.FileHandler", "filename": "told.log"}}
    (gate / "told.yaml").write_text(
        yaml.safe_dump({"version": 1, "handlers": handlers, "root": {"handlers": ["log"], "level": "INFO"}})
    )
    assert main(["backup", "gate.db", "--config", "told.yaml"]) == 1
    assert "all 300 rows of permits are gone" in capsys.readouterr().out
    assert "all 300 rows of permits are gone" in (gate / "told.log").read_text()
    assert main(["backup", "gate.db", "--ignore", "permits"]) == 0
    with pytest.raises(SystemExit, match="2"):
        main(["backup", "gate.db", "--max-loss", "2"])
    assert "'2' is not a number from 0 to 1" in capsys.readouterr().err


def test_doctor_judges_the_age_of_a_backup(gate, capsys):
    config = yaml.safe_load((gate / "logging.yaml").read_text())
    config["handlers"]["recovery"]["procedures"]["database"]["steps"][0]["restore_sqlite"]["backup_interval"] = 3600
    (gate / "logging.yaml").write_text(yaml.safe_dump(config))
    main(["doctor", "--json"])
    found = [one for one in as_json(capsys) if "backup_interval" in one["text"]]
    assert [one["well"] for one in found] == [True]
    os.utime(gate / "backups" / "gate.db", (time.time() - 7200, time.time() - 7200))
    main(["doctor", "--json"])
    found = [one for one in as_json(capsys) if "backup_interval" in one["text"]]
    assert [one["well"] for one in found] == [False]
