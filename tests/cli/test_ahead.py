"""``visigate-errors doctor`` has what only looks of a procedure look where its error is likely back; nothing acts."""

import socket
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.records import detail, write
from visigate_logging import ErrorStore
from visigate_logging.cli import main

CONFIG = """\
version: 1
handlers:
  details: {{class: visigate_logging.JsonFileHandler, filename: details.jsonl}}
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: state
    procedures:
      camera:
        exceptions: [ConnectionRefusedError]
        key: [camera]
        before: {{probability: {probability}}}
        steps:
          - command: {{argv: [touch, acted]}}
          - probe_tcp: {{host: localhost, port: {port}}}
root: {{handlers: [details, recovery]}}
"""


@pytest.fixture
def server():
    with socket.create_server(("localhost", 0)) as listening:
        yield listening


@pytest.fixture
def look(tmp_path, monkeypatch, server, capsys):
    """Return what the doctor sees ahead, with errors on each of the last so many days."""
    monkeypatch.chdir(tmp_path)
    times = [datetime.now(UTC) - timedelta(days=n, hours=1) for n in range(12)]

    port = server.getsockname()[1]

    def looked(probability=0.7, days=12):
        if not (tmp_path / "details.jsonl").exists():
            write(tmp_path / "details.jsonl", *(detail(n, when) for n, when in enumerate(times[:days])))
        (tmp_path / "logging.yaml").write_text(CONFIG.format(probability=probability, port=port))
        main(["doctor", "--offline", "--json"])
        found = orjson.loads(capsys.readouterr().out)
        assert not (tmp_path / "acted").exists()
        return [(f["well"], f["text"]) for f in found if f["about"] == "ahead"]

    return looked


def test_what_is_likely_back_is_looked_at_before_it_comes(look, server, tmp_path):
    [(well, text)] = look()
    assert well
    assert "likely back within 7 days (90%); probe_tcp: localhost port" in text
    server.close()
    [(well, text)] = look()
    assert not well
    assert "does not answer" in text
    lines = [orjson.loads(line) for line in (tmp_path / "state/recovery.jsonl").read_bytes().splitlines()]
    assert [line["key"] for line in lines if line.get("ahead")] == ["north", "north"]
    assert not (tmp_path / "state/state.sqlite3").exists(), "no budget has been used"


def test_what_is_less_likely_is_left_alone(look):
    assert look(probability=0.9, days=3) == []


def test_what_was_decided_about_is_left_alone(look, tmp_path):
    assert look()
    with ErrorStore(tmp_path / "details.jsonl") as store:
        store.decide("mute", detail().fingerprint, who="eva")
    assert look() == []
