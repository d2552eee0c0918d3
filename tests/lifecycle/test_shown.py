"""The timeline is shown between errors, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until
from visigate_logging.cli import main
from visigate_logging.host.timeline import Timeline


@pytest.fixture
def timeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timeline:
    """One with an event, below the working directory."""
    monkeypatch.chdir(tmp_path)
    found = Timeline(tmp_path / "logs/errors/state")
    found.append("release", "release 1.4.2 of gate", of="gate")
    return found


def test_timeline_shows_events_for_people_and_programs(
    timeline: Timeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["timeline", "--log", "logs/errors"]) == 0
    assert "release 1.4.2 of gate" in capsys.readouterr().out
    assert main(["timeline", "--state-dir", "logs/errors/state", "--json"]) == 0
    assert [event["event"] for event in json.loads(capsys.readouterr().out)] == ["release"]
    assert main(["timeline", "--log", "logs/errors", "--since", "2999-01-01"]) == 1


def test_many_power_cuts_are_a_fault_of_the_wiring(timeline: Timeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--log", "logs/errors"]) == 1
    for _ in range(12):
        timeline.append("power", "power was away", is_error=True)
    assert main(["power", "--log", "logs/errors"]) == 0
    said = capsys.readouterr()
    assert said.out.count("power was away") == 12
    assert "look at the wiring" in said.err


def test_the_unit_marks_start_and_shutdown(timeline: Timeline) -> None:
    for state in ("up", "down"):
        assert main(["power", state, "--log", "logs/errors"]) == 0
        assert json.loads((timeline.path.parent / "shutdown.json").read_bytes())["state"] == state


def test_follow_shows_events_between_errors(timeline: Timeline) -> None:
    command = [sys.executable, "-m", "visigate_logging", "follow", "--log", "logs/errors/details.jsonl"]
    Path("logs/errors/details.jsonl").write_text("")
    with (
        Path("said").open("w") as said,
        subprocess.Popen(command, stdout=said, env={"PYTHONUNBUFFERED": "1"}) as follows,
    ):

        def is_shown() -> bool:
            timeline.append("recovery", "the camera was reset")
            timeline.append("crash", "camera.py crashed", is_error=True)
            return "the camera was reset" in Path("said").read_text()

        wait_until(is_shown)
        follows.terminate()
    assert "crashed" not in Path("said").read_text()
