"""``visigate-errors serve``: a real server, its password, and what it tells of the host."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.records import detail, write
from tests.serving import PROGRAM, served
from visigate_logging.cli import main
from visigate_logging.health.state_dir import health_of, recoveries_of
from visigate_logging.host import CountSheet, State
from visigate_logging.host.clock import Instant, boot_id, monotonic
from visigate_logging.web.passwords import hashed_password


@pytest.fixture
def log(tmp_path):
    return write(tmp_path / "details.jsonl", detail(1, datetime.now(UTC) - timedelta(hours=1)))


def opened(address):
    """The page, by a browser that keeps what it is given."""
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(address, timeout=20)


def test_without_a_password_who_has_the_printed_address_sees_the_errors_and_no_other_user_of_this_computer(log):
    with served("--log", log) as address:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opened(address.partition("?")[0])
        with opened(address) as response:
            assert "ConnectionRefusedError" in response.read().decode()
            assert "waitress" not in str(response.headers).lower()
    assert address.startswith("http://127.0.0.1:")


def test_with_a_password_nobody_sees_them_without_it(log, tmp_path):
    for how in ("file", "environment"):
        path = tmp_path / "password"
        path.write_text(hashed_password("open sesame"))
        path.chmod(0o600)
        given = ("--password-file", path) if how == "file" else ()
        variables = {} if how == "file" else {"VISIGATE_PASSWORD_HASH": path.read_text()}
        with (
            served("--log", log, *given, **variables) as address,
            urllib.request.urlopen(address, timeout=20) as response,
        ):
            assert "/login" in response.url
            assert "ConnectionRefusedError" not in response.read().decode()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gate.example"])
def test_without_a_password_no_address_that_others_can_reach_is_listened_on(log, host, capsys):
    assert main(["serve", "--log", str(log), "--host", host]) == 78
    assert "--set-password" in capsys.readouterr().err


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602])
def test_a_password_file_that_others_can_read_or_change_is_refused(log, tmp_path, mode, capsys):
    path = tmp_path / "password"
    path.write_text(hashed_password("open sesame"))
    path.chmod(mode)
    assert main(["serve", "--log", str(log), "--password-file", str(path)]) == 78
    assert f"chmod 600 {path}" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port_is_wrong_usage(log, port, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--log", str(log), "--port", port])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "open sesame", "a$b$c", "scrypt:3:8:1$salt$" + "0" * 128])
def test_a_password_file_without_a_hash_is_refused(log, tmp_path, content, capsys):
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
        path.chmod(0o600)
    assert main(["serve", "--log", str(log), "--password-file", str(path)]) == 78
    assert str(path) in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(log):
    with served("--log", log) as address:
        port = re.search(r":(\d+)/", address)[1]
        # In a process of its own: waitress leaves the socket to the garbage collector.
        other = subprocess.run(
            [*PROGRAM, "--log", log, "--port", port], check=False, capture_output=True, text=True, timeout=60
        )
    assert other.returncode == 78
    assert f"127.0.0.1:{port}" in other.stderr


def test_a_password_that_is_set_is_kept_as_a_hash_that_only_its_owner_can_read(tmp_path):
    path = tmp_path / "password"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "--set-password", "--password-file", str(path)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as setter:
        for prompt in (b"Password: ", b"Again: "):
            shown = b""
            while not shown.endswith(prompt):
                shown += os.read(ours, 1)
            os.write(ours, b"open sesame\n")
        assert setter.wait(timeout=30) == 0
    os.close(ours)
    os.close(theirs)
    assert path.read_text().startswith("scrypt:")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_server_names_the_extra(log, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "waitress", None)
    monkeypatch.setitem(sys.modules, "waitress.server", None)
    assert main(["serve", "--log", str(log)]) == 1
    assert "visigate-logging[web]" in capsys.readouterr().err


def test_health_tells_what_was_dropped_and_which_mail_was_not_delivered(tmp_path, monkeypatch):
    health = health_of(tmp_path)
    assert health() == []
    assert list(tmp_path.iterdir()) == []
    sheet = CountSheet("mail")
    sheet.accept(5)
    sheet.drop("queue full", 2)
    with_state = State(tmp_path)
    sheet.publish(with_state)
    with_state.close()
    outbox = tmp_path / "outbox" / "mail"
    (outbox / "refused").mkdir(parents=True)
    for path, age in ((outbox / "a.eml", 3600), (outbox / "b.eml", 1), (outbox / "refused" / "c.eml", 1)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    told = [text for _, text in health()]
    assert re.fullmatch(
        r"the handler mail has dropped 2 records \(at \d{4}-\d\d-\d\d [\d:]{8}\): queue full", told[0]
    )
    assert told[1] == "1 mail not delivered yet, the oldest for 60 minutes"
    assert told[2].startswith("1 mail refused")
    tomorrow = Instant(boot_id(), monotonic() + 86_400)
    monkeypatch.setattr(sys.modules["visigate_logging.host.clock"], "clock", lambda: tomorrow)
    assert [text for _, text in health()] == told[1:]


def test_recoveries_are_those_of_the_event_and_the_trail_is_read_anew_when_it_grows(tmp_path):
    trail, recoveries = tmp_path / "recovery.jsonl", recoveries_of(tmp_path)
    assert recoveries("a") == []
    entry = {"event": "decision", "event_id": "a"}
    (tmp_path / "recovery.jsonl.1").write_text(json.dumps(entry) + "\n")
    trail.write_text('{"torn\n[]\n' + json.dumps(entry | {"event_id": "b"}) + "\n")
    assert recoveries("a") == [entry]
    trail.write_text(json.dumps(entry | {"event": "outcome"}) + "\n")
    os.utime(trail, (1, 1))
    assert [e["event"] for e in recoveries("a")] == ["decision", "outcome"]
    assert recoveries(None) == recoveries("a")
