"""docs/operators.md: each change passes the check, and each command is one."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.records import detail, write
from visigate_logging.cli import main, parsed
from visigate_logging.config.load import read

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/operators.md").read_text("utf-8")
CHANGES = re.findall(r"^### \d+\. (.*?)\n.*?```yaml\n(.*?)```", TEXT, re.M | re.S)


def changed(values, change):
    """A mapping with the keys of another put in, at any depth."""
    if not (isinstance(values, dict) and isinstance(change, dict)):
        return change
    return values | {name: changed(values.get(name), inner) for name, inner in change.items()}


@pytest.mark.parametrize("last", range(len(CHANGES)), ids=[title for title, _ in CHANGES])
def test_each_change_passes_the_strict_check_and_does_what_it_says(tmp_path, monkeypatch, capsys, last):
    monkeypatch.chdir(tmp_path)
    values = before = yaml.safe_load((ROOT / "logging.yaml").read_text("utf-8"))
    for _, change in CHANGES[: last + 1]:
        before, values = values, changed(values, yaml.safe_load(change))
    assert values != before
    for name, content in (("new.yaml", values), ("logging.yaml", before)):
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
        (tmp_path / name).chmod(0o640)
    assert main(["check", "--strict", "new.yaml"]) == 0, capsys.readouterr().out
    (tmp_path / "logs/errors").mkdir(parents=True)
    write(tmp_path / "logs/errors/details.jsonl", detail(1))
    arguments = ["rehearse", "--config", "new.yaml", "--against", "logging.yaml", "--since", "2026-05-01"]
    assert main(arguments) == 0
    assert "1 error since" in capsys.readouterr().out


def test_a_key_that_is_to_be_masked_is_so_in_every_file_and_mail():
    change = yaml.safe_load(dict(CHANGES)["Mask further secrets"])
    shipped = yaml.safe_load((ROOT / "logging.yaml").read_text("utf-8"))
    (name,) = change["formatters"]
    assert name in shipped["formatters"]
    assert shipped["handlers"]["details"]["formatter"] == name


def test_there_are_ten_changes():
    assert len(CHANGES) == 10


def test_each_command_line_is_valid():
    lines = re.findall(r"visigate-errors ([^\n|>;)`#]*)", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.S)))
    assert len(lines) >= 8
    for line in lines:
        assert parsed(shlex.split(line))
    assert {line.split()[0] for line in lines} == {"check", "rehearse", "apply", "status", "doctor"}


def test_what_is_said_of_values_from_elsewhere_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("PORT", "25")
    path = tmp_path / "x.yaml"
    path.write_text('port: ${PORT}\ntext: "${PORT}"\nplain: $${PORT}\nother: ${NONE_SET:-x}\n')
    assert read(path).values == {"port": 25, "text": "25", "plain": "${PORT}", "other": "x"}
