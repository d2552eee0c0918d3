"""What was changed is an event, once for the host, and each record says what was changed in the last day."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.gate import CONFIG, Gate
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle import changes
from visigate_logging.lifecycle.changes import Changes

FACTS = {"name": "camera.py", "service": "gate", "release": "1.4.1", "path": "/etc/logging.yaml", "hash": "aaaa"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed."""
    found = {"requests": "2.31.0", "numpy": "1.26.0"}
    monkeypatch.setattr(changes, "packages", lambda: dict(found))
    return found


def texts(directory: Path) -> list[str]:
    return [event["text"] for event in Timeline(directory).read()]


def test_a_new_release_configuration_and_package_are_each_told_once(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    for _ in range(2):
        Changes(tmp_path, Timeline(tmp_path)).look(FACTS)
    first = ["release 1.4.1 of gate", "configuration logging.yaml aaaa"]
    assert texts(tmp_path) == first
    installed["requests"] = "2.32.0"
    for _ in range(2):
        Changes(tmp_path, Timeline(tmp_path)).look({**FACTS, "release": "1.4.2", "hash": "bbbb"})
    assert texts(tmp_path)[2:] == [
        "release 1.4.2 of gate, before it 1.4.1",
        "configuration logging.yaml bbbb, before it aaaa",
        "packages changed: requests 2.31.0 → 2.32.0",
    ]


def test_a_change_while_the_process_runs_is_told(tmp_path: Path, installed: dict[str, str]) -> None:
    looks = Changes(tmp_path, Timeline(tmp_path))
    looks.look(FACTS)
    looks.look({**FACTS, "hash": "bbbb"})
    assert texts(tmp_path)[-1] == "configuration logging.yaml bbbb, before it aaaa"


def test_a_jump_of_the_clock_is_told_once_for_the_host(
    tmp_path: Path, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [Changes(tmp_path, Timeline(tmp_path)) for _ in range(2)]
    for one in two:
        one.look(FACTS)
    real = changes.time.time
    monkeypatch.setattr(changes.time, "time", lambda: real() + 7200 * 2)
    for one in two * 2:
        one.look(FACTS)
    assert [text for text in texts(tmp_path) if "clock" in text] == ["the clock was set forward by 4 h"]


def test_a_record_says_what_was_changed_before_it(gate: Gate) -> None:
    gate.run("until_looked()")
    (gate.directory / "logging.yaml").write_text(CONFIG.format(more="").replace("1.4.2", "1.4.3"))
    gate.run("until_looked(); logging.error('first of its kind')")
    [record] = gate.records
    told: list[dict[str, Any]] = record["changes"]
    assert told[-2]["text"] == "release 1.4.3 of gate, before it 1.4.2"
    assert {"time", "event", "text"} == set(told[0])
    assert len(told) <= 3


def test_a_recovery_is_an_event_too(tmp_path: Path) -> None:
    line = {"timestamp": "2026-01-01T00:00:00.000Z", "event": "outcome", "procedure": "database", "status": "done"}
    (tmp_path / "recovery.jsonl").write_text(json.dumps(line | {"message": "restored"}) + "\n")
    [event] = Timeline(tmp_path).read()
    assert (event["event"], event["text"]) == ("recovery", "recovery database: done, restored")


def test_packages_are_read_from_the_names_of_folders() -> None:
    assert changes.packages()["orjson"]
