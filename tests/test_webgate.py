"""examples/webgate logs as VisiGate does; its faults, provoked for real, are told apart, told of, and mended."""

import contextlib
import http.cookiejar
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.delivery.servers import Inbox, Server
from tests.waiting import wait_until
from visigate_logging.cli import main

EXAMPLE = Path(__file__).parent.parent / "examples/webgate"


class Peer:
    """A camera, a recogniser or a webhook: answers over HTTP as it is told."""

    def __init__(self) -> None:
        peer = self
        self.status, self.body, self.wait = 200, b"{}", threading.Event()
        self.wait.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.wait.wait(10)
                with contextlib.suppress(OSError):
                    self.send_response(peer.status)
                    self.send_header("Content-Length", str(len(peer.body)))
                    self.end_headers()
                    self.wfile.write(peer.body)

            do_POST = do_GET  # noqa: N815 -- the name that http.server calls

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.wait.set()
        self.server.shutdown()
        self.server.server_close()


class Gate:
    """The example in a process of its own, its peers, and what it has recorded."""

    def __init__(self, place: Path, config: dict[str, Any], peers: dict[str, Peer], inbox: Inbox) -> None:
        self.place, self.config, self.peers, self.inbox = place, config, peers, inbox
        self.url = "http://{host}:{port}".format(**config["server"])
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._open = urllib.request.build_opener(jar).open
        self.seen = 0

    def ask(self, path: str, method: str = "GET", data: bytes | None = None) -> int:
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        try:
            with self._open(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return 0

    def records(self) -> list[dict[str, Any]]:
        path = self.place / "logs/errors/details.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [record for record in map(json.loads, lines) if not record["logger"].startswith("visigate_logging")]

    def news(self) -> list[dict[str, Any]]:
        """What has been recorded since the last call; a request that was answered has been recorded."""
        found = self.records()[self.seen :]
        self.seen += len(found)
        return found


def post(path: str) -> Callable[[Gate], None]:
    return lambda gate: gate.ask(path, "POST") and None


def get(path: str) -> Callable[[Gate], None]:
    return lambda gate: gate.ask(path) and None


def peer(
    name: str, path: str, status: int = 200, body: bytes = b"{}", *, hangs: bool = False
) -> Callable[[Gate], None]:
    def provoke(gate: Gate) -> None:
        one = gate.peers[name]
        one.status, one.body = status, body
        if hangs:
            one.wait.clear()
        gate.ask(path, "POST")
        one.wait.set()

    return provoke


def recognised(body: bytes, picture: bytes = b"." * 200) -> Callable[[Gate], None]:
    def provoke(gate: Gate) -> None:
        gate.peers["camera"].status, gate.peers["camera"].body = 200, picture
        gate.peers["recognition"].status, gate.peers["recognition"].body = 200, body
        gate.ask("/arrival", "POST")

    return provoke


def locked(gate: Gate) -> None:
    with contextlib.closing(sqlite3.connect(gate.place / "data/visigate.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        gate.ask("/vehicles/AB%20123")
        other.execute("ROLLBACK")


def mail(answer: str) -> Callable[[Gate], None]:
    def provoke(gate: Gate) -> None:
        gate.inbox.answers["owner@example.org"] = answer
        gate.ask("/notify", "POST")

    return provoke


FAULTS: dict[str, tuple[Callable[[Gate], None], str, str]] = {
    "database locked": (locked, "OperationalError", "database"),
    "table missing": (get("/statistics"), "OperationalError", "database"),
    "plate twice": (post("/vehicles/AB%20123"), "IntegrityError", "database"),
    "database read-only": (get("/api/door"), "OperationalError", "database"),
    "camera answers 500": (peer("camera", "/arrival", 500), "HTTPError", "network"),
    "camera wants a login": (peer("camera", "/arrival", 401), "HTTPError", "network"),
    "camera hangs": (peer("camera", "/arrival", hangs=True), "ReadTimeout", "network"),
    "picture cut short": (recognised(b'[{"text": "AB 123", "confidence": 1}]', b"JFIF"), "error", "recognition"),
    "recogniser answers nonsense": (recognised(b"<html>"), "JSONDecodeError", "data"),
    "recogniser finds nothing": (recognised(b"[]"), "ValueError", "recognition"),
    "recogniser changed its answer": (recognised(b'[{"plate": "AB"}]'), "KeyError", "recognition"),
    "confidence is no number": (get("/confidence/high"), "ValueError", "recognition"),
    "credentials cut": (post("/camera/login"), "Error", "application"),
    "no directory for pictures": (post("/camera/save"), "FileNotFoundError", "system"),
    "card full": (post("/camera/archive"), "OSError", "system"),
    "program failed": (post("/camera/restart"), "CalledProcessError", "system"),
    "no serial port": (post("/barrier/open?plate=AB%20123"), "SerialException", "hardware"),
    "pins not set up": (post("/barrier/light"), "RuntimeError", "hardware"),
    "barrier not configured": (post("/barrier/close"), "KeyError", "barrier"),
    "mail refused": (mail("550 no such user"), "SMTPRecipientsRefused", "mail"),
    "webhook answers 500": (peer("webhook", "/webhook?plate=AB%20123", 500), "HTTPError", "network"),
    "webhook answers 404": (peer("webhook", "/webhook?plate=CD%20456", 404), "HTTPError", "network"),
    "webhook answers nonsense": (
        peer("webhook", "/webhook?plate=AB%20123", 200, b"ok"),
        "JSONDecodeError",
        "network",
    ),
    "no such host": (get("/resolve/gate.invalid"), "gaierror", "network"),
    "template missing": (get("/report"), "TemplateNotFound", "web"),
    "template wrong": (get("/status"), "UndefinedError", "web"),
    "division by zero": (get("/average"), "ZeroDivisionError", ""),
    "traceback as text": (get("/settings"), "KeyError", "web"),
    "traceback as text behind words": (get("/permissions"), "TypeError", "web"),
    "view crashes": (get("/crash"), "KeyError", "web"),
    "thread dies": (post("/background"), "IndexError", "application"),
    "page missing": (get("/wp-login.php"), "NotFound", "web"),
}
"""What happens: how it is provoked, and what its record must say."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """The gate with its configuration converted from VisiGate's own, all faults provoked twice."""
    place = tmp_path_factory.mktemp("webgate")
    shutil.copytree(EXAMPLE, place, dirs_exist_ok=True)
    peers = {name: Peer() for name in ("camera", "recognition", "webhook")}
    inbox = Inbox()
    with Server(inbox) as server, contextlib.ExitStack() as stack:
        for one in peers.values():
            stack.callback(one.close)
        config = configured(place, peers, server.port)
        process = start(place)
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)
        running = Gate(place, config, peers, inbox)
        wait_until(lambda: running.ask("/login", "POST", b"user=admin") == 200 or process.poll() is not None)
        assert process.poll() is None, (place / "output.txt").read_text()
        running.ask("/vehicles/AB%20123", "POST")
        assert main(["backup", str(place / "data/visigate.db"), "--to", str(place / "data/backups/visigate.db")]) == 0
        running.news()
        yield running


def configured(place: Path, peers: dict[str, Peer], mail_port: int) -> dict[str, Any]:
    """config.json with the addresses of the peers, and the logging.yaml that convert-config makes of it."""
    config: dict[str, Any] = json.loads((place / "config.json").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        config["server"]["port"] = free.getsockname()[1]
    config["camera"].update(url=peers["camera"].url, timeout=0.5)
    config["recognition"]["url"] = peers["recognition"].url
    config["integration"]["webhook"] = peers["webhook"].url
    config["notifications"]["email"].update(smtp_port=mail_port, to_addresses=["owner@example.org"])
    (place / "config.json").write_text(json.dumps(config))
    assert main(["convert-config", str(place / "config.json"), "--output", str(place / "logging.yaml")]) == 0
    values = yaml.safe_load((place / "logging.yaml").read_text())
    values["handlers"]["mail"].update(toaddrs=["admin@example.org"], group_wait=0, max_per_hour=1000)
    (place / "logging.yaml").write_text(yaml.safe_dump(values))
    return config


def start(place: Path) -> subprocess.Popen[bytes]:
    with (place / "output.txt").open("wb") as output:
        return subprocess.Popen([sys.executable, "run.py"], cwd=place, stdout=output, stderr=output)


@pytest.fixture(scope="module")
def provoked(gate: Gate) -> dict[str, list[list[dict[str, Any]]]]:
    """Each fault with the records of its two times; two rounds, so that other faults lie between."""
    found = defaultdict(list)
    for _ in range(2):
        for name, (provoke, _type, _category) in FAULTS.items():
            provoke(gate)
            found[name].append(gate.news())
    return found


def first(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without those that tell of the same exception once more."""
    return [record for record in records if not record["repeats"]]


Provoked = dict[str, list[list[dict[str, Any]]]]


def test_there_are_at_least_twenty_kinds() -> None:
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_type_traceback_and_category(provoked: Provoked, name: str) -> None:
    _, kind, category = FAULTS[name]
    for records in provoked[name]:
        assert {record["error_type"] for record in records} == {kind}
        record = records[0]
        assert "Traceback (most recent call last)" in record["traceback"]
        assert record["exceptions"][0]["frames"]
        assert record["category"] == (category or record["category"])


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_is_reported_more_than_once_is_counted_once(provoked: Provoked, name: str) -> None:
    for records in provoked[name]:
        assert len(first(records)) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_the_two_times_of_a_fault_are_one_group(provoked: Provoked, name: str) -> None:
    assert len({record["fingerprint"] for records in provoked[name] for record in first(records)}) == 1


def test_different_faults_are_different_groups(provoked: Provoked) -> None:
    groups = {name: first(records[0])[0]["fingerprint"] for name, records in provoked.items()}
    shared = [key for key, count in Counter(groups.values()).items() if count > 1]
    assert [name for name, key in groups.items() if key in shared] == []


def test_what_has_no_exception_is_recorded_by_its_template(gate: Gate) -> None:
    gate.news()
    gate.ask("/barrier/check", "POST")
    (record,) = gate.news()
    assert (record["error_type"], record["category"], record["severity"]) == ("ERROR", "barrier", "CRITICAL")
    assert "Barrier does not answer on " in record["message_template"]
    assert "/dev/ttyUSB0" not in record["message_template"]


def test_an_error_is_once_on_the_console_and_once_in_the_log(gate: Gate, provoked: Provoked) -> None:
    (record,) = provoked["credentials cut"][0]
    for file in ("output.txt", "logs/visigate.log"):
        text = (gate.place / file).read_text()
        assert text.count(f" {record['logger']}: {record['message']}\n") == 2, file
        assert "ERROR in web" not in text, "Flask's own stream"


def test_the_mails_subjects_tell_what_it_is(gate: Gate, provoked: Provoked) -> None:
    told = {first(records[0])[0]["error_type"] for records in provoked.values()}

    def all_told() -> bool:
        text = "\n".join(str(message.get_body(("plain",)).get_content()) for _, message in mails())
        return all(kind in text for kind in told)

    def mails() -> list[Any]:
        return [(to, m) for to, m in list(gate.inbox.mails) if "admin@example.org" in to]

    wait_until(all_told)
    for _, message in mails():
        found = re.match(r"VisiGate Error \[visigate\] (?:CRITICAL )?(\w+)\b.* \S src\.", message["Subject"])
        assert found is not None, message["Subject"]
        assert found[1] in told


def audit(trail: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trail.read_text().splitlines()] if trail.exists() else []


def test_recovery_is_called_for_by_the_damaged_database_and_by_nothing_else(gate: Gate, provoked: Provoked) -> None:
    trail = gate.place / "logs/errors/state/recovery.jsonl"
    missing = {record["event_id"] for records in provoked["table missing"] for record in records}
    database = gate.place / "data/visigate.db"
    content = bytearray(database.read_bytes())
    content[:100] = b"x" * 100
    database.write_bytes(content)
    gate.news()
    for _ in range(2):
        gate.ask("/vehicles/AB%20123")
    damaged = gate.news()
    assert {(r["error_type"], r["category"], r["severity"]) for r in damaged} == {
        ("DatabaseError", "database", "CRITICAL")
    }
    assert len({r["fingerprint"] for r in damaged}) == 1
    wait_until(lambda: any(e.get("status") == "done" for e in audit(trail) if e["event"] == "outcome"))
    outcomes = [entry for entry in audit(trail) if entry["event"] == "outcome"]
    # A missing table is what an emptied database looks like too: the database is asked, and nothing is done.
    others = {entry["event_id"] for entry in outcomes if entry["status"] != "done"}
    mended = {entry["event_id"] for entry in outcomes} - others
    assert others <= missing
    assert mended <= {record["event_id"] for record in damaged}
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT plate FROM vehicles").fetchall() == [("AB 123",)]
