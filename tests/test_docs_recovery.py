"""docs/recovery.md: each command is one, each step is named, and its own step works as it is printed."""

import re
import shlex
import sys
from pathlib import Path

import yaml

from visigate_logging.cli import parsed
from visigate_logging.recovery.procedures import parse_procedures
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context, Status

TEXT = (Path(__file__).parent.parent / "docs/recovery.md").read_text("utf-8")


def test_each_command_line_is_valid():
    lines = re.findall(r"^visigate-errors ([^\n#]*)", TEXT, re.MULTILINE)
    assert len(lines) >= 12
    for line in lines:
        assert parsed(shlex.split(line))


def test_each_step_and_each_outcome_is_explained():
    tables = "".join(re.findall(r"^\| .*$", TEXT, re.MULTILINE))
    assert [name for name in STEPS if f"`{name}`" not in tables] == []
    assert [str(status) for status in Status if f"| {status} |" not in tables] == []


def test_the_step_of_ones_own_works_as_it_is_printed(tmp_path, monkeypatch):
    (tmp_path / "gate_steps.py").write_text(re.findall(r"```python\n(.*?)```", TEXT, re.S)[0])
    monkeypatch.delitem(sys.modules, "gate_steps", raising=False)  # of another test
    monkeypatch.syspath_prepend(str(tmp_path))
    given = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.S)[0])
    (procedure,) = parse_procedures({"p": {"exceptions": ["X"], **given}})
    outcome = procedure.steps[0].step.run(Context(error_type="CameraError"))
    assert (outcome.status, outcome.message) == (Status.DONE, "blinked 5 times for CameraError")
