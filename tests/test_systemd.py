"""The units of systemd are right, by systemd's own judgement, and their commands are commands."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from visigate_logging.cli import parsed

UNITS = sorted((Path(__file__).parent.parent / "examples" / "systemd").iterdir())
BIN = "/opt/visigate/.venv/bin"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_nothing_wrong(tmp_path):
    command = tmp_path / "visigate-errors"
    command.touch(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(BIN, str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name)
def test_what_a_unit_runs_is_a_command_with_options_that_it_has(unit):
    lines = re.findall(rf"^Exec\w+={BIN}/visigate-errors (.*)$", unit.read_text(), flags=re.MULTILINE)
    assert lines
    for line in lines:
        assert parsed(shlex.split(line))


@pytest.mark.parametrize("timer", [unit for unit in UNITS if unit.suffix == ".timer"], ids=lambda unit: unit.name)
def test_a_timer_has_its_service(timer):
    assert timer.with_suffix(".service") in UNITS
