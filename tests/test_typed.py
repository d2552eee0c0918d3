"""A user's own project passes mypy strictly against the types of this package."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_right_project_passes_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    assert checked(tmp_path, PROJECT).startswith("Success")
    assert '"groups" of "GroupQueries" has incompatible type "str"' in checked(tmp_path, WRONG)
