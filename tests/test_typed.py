"""A user's own project passes mypy and pyright, both strictly, against the types of this package."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = """
import logging
from datetime import timedelta

import visigate_logging
from visigate_logging import Classifier, DetailFormatter, ErrorDetail, ErrorStore, JsonFileHandler, install_hooks


def begin() -> logging.Logger:
    visigate_logging.configure("logging.yaml")
    install_hooks()
    return logging.getLogger("gate")


def worst(store: ErrorStore) -> list[str]:
    return [f"{group.title} {group.count}" for group in store.groups(10, order="severity", state="open")]


class Named(DetailFormatter):
    def format(self, record: logging.LogRecord) -> str:
        detail: ErrorDetail = ErrorDetail.from_record(record)
        return f"{detail.error_type} {super().format(record)}"


handler = JsonFileHandler("details.jsonl", maxBytes=1000, backupCount=2)
handler.addFilter(Classifier(rules=[]))
handler.setFormatter(Named())
with ErrorStore("details.jsonl") as store:
    print(worst(store), store.get("2f9c1a").timestamp, timedelta(days=1))
"""
WRONG = PROJECT + '\nstore.groups("ten")\n'


def checked(directory: Path, text: str) -> str:
    (directory / "project.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "project.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.mark.skipif(not shutil.which("pyright"), reason="pip install pyright: it is not needed to run the tests")
def test_pyright_says_the_same(tmp_path: Path) -> None:
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)], "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    for text, said in ((PROJECT, "0 errors"), (WRONG, 'cannot be assigned to parameter "limit"')):
        (tmp_path / "project.py").write_text(text)
        program = ["pyright", "--pythonpath", sys.executable, "project.py"]
        assert said in subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_a_right_project_passes_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    assert checked(tmp_path, PROJECT).startswith("Success")
    assert '"groups" of "GroupQueries" has incompatible type "str"' in checked(tmp_path, WRONG)
