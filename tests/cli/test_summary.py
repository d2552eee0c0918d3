"""``visigate-errors`` alone says whether all is well."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from flask import Flask

from tests.records import detail, write
from visigate_logging.cli import main
from visigate_logging.health.state_dir import health_of
from visigate_logging.host.clock import boot_id, monotonic
from visigate_logging.lifecycle.presence import Presence
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A directory without anything, above which there is nothing either."""
    monkeypatch.chdir(tmp_path)
    for name in ("VISIGATE_LOG", "VISIGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def log(tmp_path):
    """A log where it is by default, with an error of the last day and an older one."""
    (tmp_path / "logs/errors").mkdir(parents=True)
    old = detail(1, NOW - timedelta(days=3), fingerprint="v3:0000000000000001", severity="CRITICAL")
    new = detail(2, NOW - timedelta(hours=2), fingerprint="v3:0000000000000002", error_message="no answer")
    return write(tmp_path / "logs/errors/details.jsonl", old, new)


def test_all_is_well_where_nothing_critical_came_within_a_day_and_error_handling_is_well(log, capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "ok    error handling" in out
    assert "1 error in 24 hours: 1 ERROR; the last 2 h ago" in out
    assert "no answer" in out
    assert "0000000000000001" not in out


def test_what_is_critical_is_not_well_and_stands_first(log, capsys):
    write(log, detail(3, NOW - timedelta(hours=3), fingerprint="v3:3", severity="CRITICAL", error_message="jammed"))
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "1 CRITICAL, 1 ERROR" in out
    assert out.index("jammed") < out.index("no answer")


def test_a_log_that_is_gone_is_not_well(log, capsys):
    assert main([]) == 0
    log.unlink()
    assert main([]) == 1
    assert "No such file" in capsys.readouterr().out


def test_what_a_handler_has_dropped_is_not_well(log, capsys):
    waiting = log.parent / "state/outbox/mail/refused/1.eml"
    waiting.parent.mkdir(parents=True)
    waiting.touch()
    assert main(["--json"]) == 1
    found = orjson.loads(capsys.readouterr().out)
    assert (found["healthy"], found["health"][0]["severity"]) == (False, "warning")
    assert "refused" in found["health"][0]["text"]


def test_where_there_is_nothing_it_is_said_how_to_begin(capsys):
    assert main([]) == 1
    assert "visigate-errors init" in capsys.readouterr().err


def test_what_is_resolved_is_open_no_more(log, capsys):
    from visigate_logging.store.store import ErrorStore

    with ErrorStore(log) as store:
        store.decide("resolve", "v3:0000000000000002", who="somebody")
    main(["--json"])
    assert orjson.loads(capsys.readouterr().out)["worst"] == []


def test_that_nobody_has_written_since_the_boot_is_said_by_summary_page_and_healthz(log, capsys, monkeypatch):
    monkeypatch.setattr("visigate_logging.health.state_dir.STARTING", 0.0)
    state = log.parent / "state"
    assert main([]) == 0  # no process has ever told of itself here: nobody can know
    (state / "processes").mkdir(parents=True)
    capsys.readouterr()
    assert main([]) == 1
    assert "nobody has written to" in " ".join(capsys.readouterr().out.split())
    with ErrorStore(log) as store:
        app = Flask("gate")
        app.register_blueprint(create_blueprint(store, unprotected=True, health=health_of(state, store)))
        assert "nobody has written to" in app.test_client().get("/errors").text
        assert app.test_client().get("/errors/healthz").status_code == 503
        process = Presence(state)
        process.tell(status="runs")
        assert health_of(state, store)() == []  # one that has met no error yet
        process.leave()
        assert health_of(state, store)() != []
        write(log, detail(4, NOW, boot_id=boot_id(), monotonic=monotonic()))
        assert health_of(state, store)() == []
