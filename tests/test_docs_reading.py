"""The documents of the reading side say what is there, and their examples run."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from tests.records import detail, write
from visigate_logging.cli import COMMANDS, parsed
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.store import ErrorStore

DOCS = Path(__file__).parent.parent / "docs"
FINDING, STORE, RECORD = ((DOCS / f"{name}.md").read_text("utf-8") for name in ("finding-errors", "store", "record"))


def shell_lines():
    blocks = re.findall(r"```sh\n(.*?)```", FINDING, re.S)
    found = re.findall(r"visigate-errors [^\n|>;)]*", "\n".join(blocks))
    return [shlex.split(line, comments=True)[1:] or ["summary"] for line in found]


@pytest.mark.parametrize("words", shell_lines(), ids=" ".join)
def test_each_command_line_in_the_documents_is_valid(words):
    assert parsed(words)


def test_each_subcommand_of_the_reading_side_is_documented():
    reading = {"recent", "show", "follow", "stats", "groups", "trends", "import", "export", "prune", "index"}
    reading |= {"resolve", "mute", "reopen", "note", "merge"}
    assert reading <= {command.name for command in COMMANDS}
    assert reading <= {words[0] for words in shell_lines()}


def test_the_example_of_the_store_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "logs/errors").mkdir(parents=True)
    write(tmp_path / "logs/errors/details.jsonl", detail(1, severity="CRITICAL"))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", STORE, re.S)
    exec(compile(code, "store.md", "exec"), {})
    assert "ConnectionRefusedError" in capsys.readouterr().out


def test_each_question_of_the_store_is_documented():
    public = {name for name in vars(ErrorStore) if not name.startswith("_")} - {"follower", "close"}
    assert {name for name in public if f"`{name}(" not in STORE and f"`{name}`" not in STORE} == set()


def test_each_field_of_the_record_is_documented_and_no_other():
    table = re.findall(r"^\| `(\w+)` \|", RECORD.partition("## `exceptions`")[0], re.M)
    assert table == [field.name for field in fields(ErrorDetail)]
    inner = {f.name for kind in (ExceptionData, Frame) for f in fields(kind) if not f.name.startswith("_")}
    assert {name for name in inner if f"`{name}`" not in RECORD} == set()
