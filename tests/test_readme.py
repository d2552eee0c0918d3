"""README.md is followed word by word, against the shipped logging.yaml."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from visigate_logging.cli import parsed

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
GATE = '''
class CameraError(Exception):
    """No picture."""

def grab(url):
    raise CameraError(f"cannot open {url}")
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the example of the README has been run."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "logging.yaml", place)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    (place / "own.py").write_text(GATE + code)
    subprocess.run([sys.executable, "own.py"], cwd=place, check=True, capture_output=True, timeout=60)
    return place


def run(place: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "visigate_logging", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False).stdout


def test_its_own_error_is_the_newest_and_the_only_one_without_a_secret(place: Path) -> None:
    (record,) = json.loads(run(place, "recent", "--json"))
    assert (record["error_type"], record["category"]) == ("CameraError", "camera")
    assert record["message"] == "no picture from camera entrance"
    assert record["additional_info"] == {"camera": "entrance"}
    assert "secret" not in json.dumps(record).replace("secret@", "")


def test_as_shipped_nothing_is_recovered_and_the_doctor_is_quiet_about_what_is_not_configured(place: Path) -> None:
    assert json.loads(run(place, "recover", "history", "--json")) == []
    findings = json.loads(run(place, "doctor", "--json"))
    assert {finding["about"] for finding in findings if not finding["well"]} <= {"processes"}  # none runs any more


def test_each_command_of_the_table_is_one() -> None:
    (table,) = re.findall(r"\| at a gate \| command \|\n(.*?)\n\n", TEXT, re.S)
    commands = [c for cell in re.findall(r"`([a-z][^`]*)`", table) for c in [cell.removeprefix("visigate-errors ")]]
    known = {"create_blueprint", "logging.yaml", "visigate_logging.ErrorHandler"}
    more = {"convert-config": " x.json", "import": " x", "apply --confirm": " 60 x"}
    tried = [shlex.split(c + more.get(c, "")) for c in commands if c not in known]
    assert len(tried) >= 15
    for line in tried:
        assert parsed(line)
