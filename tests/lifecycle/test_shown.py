"""The timeline is shown between errors, on the command line."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.records import NOON, detail, write
from tests.waiting import wait_until
from visigate_logging.cli import main
from visigate_logging.delivery.summary import Week, summary_text
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.health.metrics import metrics_of
from visigate_logging.health.state_dir import health_of, timeline_of
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.changes import changed_before
from visigate_logging.present.facts import facts_of
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.blueprint import create_blueprint
from visigate_logging.web.sheet import facts


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


@pytest.fixture
def between(timeline: Timeline) -> list[str]:
    """Two errors of one group with two events between them, and one before, in the working directory."""
    write(timeline.path.parent.parent / "details.jsonl", detail(1, NOON), detail(2, NOON + timedelta(hours=3)))
    for hours, event in ((-1, "boot"), (1, "release"), (2, "crash")):
        at = (NOON + timedelta(hours=hours)).isoformat()
        timeline.append(event, f"{event} <b>", time=at, is_error=event == "crash")
    return [detail(n).error_message for n in (2, 1)]


def in_order(text: str, *parts: str) -> bool:
    return "".join(parts) == "".join(re.findall("|".join(map(re.escape, sorted(set(parts)))), text))


def test_on_terminals_events_stand_between_errors(
    between: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come as an error itself is shown where that is not: in a group."""
    newer, older = between
    assert main(["recent", "--log", "logs/errors"]) == 0
    assert "release <b>" not in capsys.readouterr().out  # a pipe has errors alone
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["recent", "--log", "logs/errors", "--wide"]) == 0
    said = capsys.readouterr().out
    assert in_order(said, newer, "release <b>", older)
    assert "crash <b>" not in said
    assert main(["groups", detail(1).fingerprint, "--days", "999", "--log", "logs/errors"]) == 0
    assert in_order(capsys.readouterr().out.partition("latest errors")[2], newer, "crash <b>", "release <b>", older)


def test_on_pages_events_stand_between_errors(between: list[str], timeline: Timeline) -> None:
    store = ErrorStore("logs/errors/details.jsonl")
    app = Flask("gate")
    app.register_blueprint(create_blueprint(store, unprotected=True, timeline=lambda _since: timeline.read()))
    client, (newer, older) = app.test_client(), between
    page = (
        client.get("/errors?view=errors&since=2000-01-01").get_data(as_text=True).partition('aria-label="which"')[2]
    )
    assert in_order(page, newer, "release &lt;b&gt;", older)
    page = client.get(f"/errors/groups/{detail(1).fingerprint}").get_data(as_text=True)
    errors = page.partition('aria-label="its errors"')[2]
    assert in_order(errors, newer, "crash &lt;b&gt;", "release &lt;b&gt;", older)
    store.close()


def test_what_was_changed_before_an_error_is_told_with_the_time_between() -> None:
    changes = [
        {"time": "2026-03-01T12:00:00.000Z", "event": "release", "text": "release 1.4.2 of gate"},
        {"time": "2026-03-01T12:03:00.000Z", "event": "clock", "text": "the clock was set forward by 2 h"},
        {"time": "2026-03-01T13:00:00.000Z", "event": "boot", "text": "later"},
        {"time": "no time", "text": "hostile"},
        7,
    ]
    told = ["60 s after the clock was set forward by 2 h", "4 min after release 1.4.2 of gate"]
    assert changed_before(changes, "2026-03-01T12:04:00.000000Z") == told
    assert changed_before("no list", "2026-03-01T12:04:00.000000Z") == []
    detail = ErrorDetail.from_dict({"timestamp": "2026-03-01T12:04:00.000000Z", "changes": changes})
    assert "; ".join(told) in [fact.value for fact in facts_of(detail)]
    assert "; ".join(told) in [fact.value for fact in facts(detail)]


def test_trends_summaries_metrics_and_pages_count_the_events(
    timeline: Timeline, capsys: pytest.CaptureFixture[str]
) -> None:
    state = timeline.path.parent
    for _ in range(12):
        timeline.append("power", "power was away <b>", is_error=True)
    Path("logs/errors/details.jsonl").write_text("")
    assert main(["trends", "--log", "logs/errors"]) == 0
    assert "meanwhile: 12 power, 1 release" in capsys.readouterr().out
    _, text = summary_text(Week("2026-03-02T07:00", {}, events={"power": 12}), {}, Path.cwd())
    assert "Events: 12 power\n" in text
    store = ErrorStore("logs/errors/details.jsonl")
    metrics = {family.name: family.samples for family in metrics_of(store, state)()}
    assert ({"event": "power"}, 12) in metrics["visigate_events_of_last_month"]
    assert any("look at the wiring" in said for _, said in health_of(state)())
    app = Flask("gate")
    app.register_blueprint(create_blueprint(store, unprotected=True, timeline=timeline_of(state)))
    page = app.test_client().get("/errors").get_data(as_text=True)
    assert "13 events of the host in 7 days" in page
    assert "power was away &lt;b&gt;" in page
