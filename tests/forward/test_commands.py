"""``visigate-errors forward``, and what check, status, doctor, rehearse and the pages say of forwarding."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.forward.servers import Answer, free_port
from tests.records import detail, write
from tests.waiting import wait_until
from visigate_logging.cli import main
from visigate_logging.health.state_dir import health_of
from visigate_logging.host.supervision import notify

CONFIG = """
version: 1
handlers:
  details: {{class: visigate_logging.JsonFileHandler, filename: {log}}}
  out:
    class: visigate_logging.ForwardHandler
    log: details.jsonl
    state_dir: state
    backfill: all
    target: {{http: {{url: "http://127.0.0.1:{port}/in"}}}}
root: {{handlers: [details, out]}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(port, log="details.jsonl"):
        (tmp_path / "logging.yaml").write_text(CONFIG.format(port=port, log=log))
        return tmp_path

    return make


def test_once_sends_what_there_is_and_ends(config, sink, capsys):
    directory = config(sink.port)
    write(directory / "details.jsonl", *map(detail, range(5)))
    assert main(["forward", "--once"]) == 0
    assert capsys.readouterr().out == "out: 5 delivered, 0 wait\n"
    assert len(sink.requests[0].lines) == 5
    assert main(["forward", "--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"]["waiting"] == 0


def test_once_says_why_something_waits(config, capsys):
    directory = config(free_port())
    write(directory / "details.jsonl", detail(1))
    assert main(["forward", "--once"]) == 1
    assert "1 wait: 127.0.0.1" in capsys.readouterr().out


def test_what_was_refused_is_listed_with_the_reason(config, sink, capsys):
    directory = config(sink.port)
    write(directory / "details.jsonl", detail(1))
    sink.answer = lambda request: Answer(413, body=b"far too large")
    assert main(["forward", "--once"]) == 0
    capsys.readouterr()
    assert main(["forward", "refused"]) == 0
    told = capsys.readouterr().out
    assert "ConnectionRefusedError" in told
    assert "far too large" in told
    assert main(["forward", "refused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["record"]["event_id"] == detail(1).event_id


def test_without_a_handler_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logging.yaml").write_text("version: 1\n")
    assert main(["forward"]) == 78
    assert "docs/monitoring.md" in capsys.readouterr().err


def test_as_a_service_it_forwards_tells_systemd_and_ends_by_sigterm(config, sink, tmp_path):
    directory = config(sink.port)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        command = [sys.executable, "-m", "visigate_logging", "forward"]
        environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as service:
            try:
                assert systemd.recv(1000) == b"READY=1"
                write(directory / "details.jsonl", detail(1))
                wait_until(lambda: sink.requests)
                while (told := systemd.recv(1000)) != b"WATCHDOG=1\nSTATUS=out: 0 wait":
                    assert told.startswith(b"WATCHDOG=1\n")
                service.send_signal(signal.SIGTERM)
                assert service.wait(20) == 0
                while (told := systemd.recv(1000)) != b"STOPPING=1":
                    assert told.startswith(b"WATCHDOG=1\n")
            finally:
                service.kill()


def test_nobody_is_told_where_nobody_listens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/no/such/socket")
    assert not notify("READY=1")


def test_check_warns_of_a_target_that_cannot_be_reached_and_of_a_log_that_nobody_writes(config, sink, capsys):
    config(sink.port)
    assert main(["check", "--strict"]) == 0
    port = free_port()
    config(port, log="other.jsonl")
    capsys.readouterr()
    assert main(["check"]) == 0
    told = capsys.readouterr().out
    assert f"127.0.0.1:{port} cannot be reached" in told
    assert "handlers.out.log: no handler of this file writes details.jsonl" in told
    assert main(["check", "--strict"]) == 78


def test_status_doctor_and_the_pages_tell_what_waits_and_why(config, capsys):
    port = free_port()
    directory = config(port)
    write(directory / "details.jsonl", detail(1), detail(2, severity="CRITICAL"))
    main(["forward", "--once"])
    capsys.readouterr()
    main(["status"])
    told = capsys.readouterr().out
    assert "out: 1 critical, 1 rest to be forwarded, the oldest of 2026-05-04" in told
    assert "nothing delivered yet" in told
    assert "Connection refused" in told
    main(["status", "--json"])
    assert json.loads(capsys.readouterr().out)["forwarding"]["out"]["waiting"] == {"critical": 1, "rest": 1}
    assert main(["doctor", "--quiet"]) == 1
    told = capsys.readouterr().out
    assert "FAIL  forwarding: out: 2 errors to be forwarded since" in told
    assert f"FAIL  target: out: 127.0.0.1:{port} cannot be reached" in told
    assert "ok  " not in told
    assert any("2 errors not forwarded yet by out" in text for _, text in health_of(directory / "state")())


def test_doctor_is_quiet_about_what_is_well(config, sink, capsys):
    directory = config(sink.port)
    write(directory / "details.jsonl", detail(1))
    main(["forward", "--once"])
    capsys.readouterr()
    main(["doctor", "--quiet"])
    assert "out" not in capsys.readouterr().out


def test_rehearse_tells_how_many_errors_would_be_forwarded(config, sink, capsys):
    directory = config(sink.port)
    write(directory / "details.jsonl", *map(detail, range(3)))
    assert main(["rehearse", "--since", "2026-05-01", "--log", "details.jsonl"]) == 0
    assert "out: 3 errors forwarded" in capsys.readouterr().out
    assert not sink.requests
