"""init writes the shipped configuration with what is particular to a gate, and never over one that is there."""

import json
import re
import stat
import sys
from pathlib import Path

import pytest
import yaml

from visigate_logging.cli import main
from visigate_logging.cli.commands.init import SHIPPED

MAIL = [
    "--mail-server",
    "mail.example.org:587",
    "--mail-from",
    "Gate <gate@example.org>",
    "--mail-to",
    "a@b.org, c@d.org",
]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_options_it_is_the_shipped_file(place):
    assert main(["init", "--yes"]) == 0
    assert (place / "logging.yaml").read_text() == SHIPPED.read_text()
    assert not stat.S_IMODE((place / "logging.yaml").stat().st_mode) & 0o007


def test_the_schema_that_the_file_names_is_beside_it_and_one_that_is_there_stays(place):
    (name,) = re.findall(r"\$schema=(\S+)", SHIPPED.read_text())
    assert main(["init", "--yes"]) == 0
    assert json.loads((place / name).read_text()) == json.loads((Path(__file__).parents[2] / name).read_text())
    (place / "logging.yaml").unlink()
    (place / name).write_text("mine")
    assert main(["init", "--yes"]) == 0
    assert (place / name).read_text() == "mine"


def test_a_file_that_is_there_stays(place, capsys):
    (place / "logging.yaml").write_text("mine")
    assert main(["init", "--yes"]) == 78
    assert (place / "logging.yaml").read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


def test_paths_and_mail_are_put_in_and_the_comments_stay(place, capsys):
    paths = ["--logs", str(place / "my logs"), "--database", "gate.db", "--backup", str(place / "gate.bak")]
    assert main(["init", "--output", "x.yaml", *paths, *MAIL]) == 0
    text = (place / "x.yaml").read_text()
    values = yaml.safe_load(text)
    handlers = values["handlers"]
    assert handlers["details"]["filename"] == f"{place}/my logs/details.jsonl"
    assert handlers["error_log"]["filename"] == f"{place}/my logs/error.log"
    (step,) = handlers["recovery"]["procedures"]["database"]["steps"]
    assert step["restore_sqlite"]["database"] == "gate.db"
    assert step["restore_sqlite"]["backups"] == [f"{place}/gate.bak"]
    assert handlers["mail"] == {
        "class": "visigate_logging.ThrottledSMTPHandler",
        "formatter": "detail",
        "filters": ["classify"],
        "mailhost": "mail.example.org:587",
        "fromaddr": "Gate <gate@example.org>",
        "toaddrs": ["a@b.org", "c@d.org"],
    }
    assert values["root"]["handlers"][-1] == "mail"
    assert len(re.findall("#", text)) >= len(re.findall("#", SHIPPED.read_text())) - 12
    assert "data/visigate.db" not in text
    capsys.readouterr()
    assert main(["check", "x.yaml"]) == 0, capsys.readouterr().out


def test_a_mail_server_needs_addresses(place, capsys):
    assert main(["init", "--yes", "--mail-server", "mail.example.org"]) == 78
    assert "--mail-to" in capsys.readouterr().err
    assert not (place / "logging.yaml").exists()


def test_on_a_terminal_what_is_not_given_is_asked(place, monkeypatch):
    asked = []
    answers = iter(["/var/log/gate", "", "", "mail.example.org", "gate@example.org", "a@b.org"])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or next(answers))
    assert main(["init"]) == 0
    assert len(asked) == 6
    values = yaml.safe_load((place / "logging.yaml").read_text())
    assert values["handlers"]["details"]["filename"] == "/var/log/gate/details.jsonl"
    assert values["handlers"]["mail"]["mailhost"] == "mail.example.org"


def test_the_shipped_file_is_part_of_the_package():
    assert SHIPPED.read_text() == (Path(__file__).parents[2] / "logging.yaml").read_text()
