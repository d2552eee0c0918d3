"""A real Sentry-compatible server gets every error once, whatever is killed meanwhile."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import requests

from tests.forward.bugsink import PASSWORD, USER, Bugsink, environment

ERRORS, GROUPS = 2000, 20

GATE = """
import json, logging, sys, time
sys.path.insert(0, ".")
from visigate_logging import FlightRecorder, ForwardHandler, JsonFileHandler

logger = logging.getLogger("gate.camera")
logger.setLevel("INFO")
logger.addHandler(FlightRecorder())
details = JsonFileHandler("details.jsonl", maxBytes=2_000_000, backupCount=20)
details.setLevel("ERROR")
logger.addHandler(details)
forward = ForwardHandler({"sentry": {"dsn": sys.argv[1], "timeout": 20}}, "details.jsonl", state_dir="state",
                         max_per_minute=100_000)
forward.name = "sentry"
logger.addHandler(forward)
from gate import camera

for n in range(int(sys.argv[2])):
    try:
        getattr(camera, f"grab_{n % 20}")()
    except RuntimeError:
        logger.exception("no picture from camera %s", n)
    logger.info("camera %s was opened", n)
print("logged", flush=True)
time.sleep(3600)
"""

CAMERA = """
def grab_{n}():
    try:
        raise OSError(5, "cable {n}")
    except OSError as error:
        raise RuntimeError("no picture") from error
"""

SDK = """
import sys, logging, sentry_sdk
sentry_sdk.init(sys.argv[1])
logger = logging.getLogger("gate.camera")
for n in range(int(sys.argv[2])):
    try:
        raise RuntimeError("no picture")
    except RuntimeError:
        logger.exception("no picture from camera %s", n)
sentry_sdk.flush(10)
"""


@pytest.fixture
def bugsink(tmp_path):
    directory = tmp_path / "bugsink"
    directory.mkdir()
    server = Bugsink(environment(), directory)
    yield server
    server.kill()


class Gate:
    """A process that logs a burst, and forwards."""

    def __init__(self, directory, dsn, errors):
        command = [sys.executable, "-c", GATE, dsn, str(errors)]
        self.process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def wait_for(condition, what, seconds=1800):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def page_of(bugsink, issue, page=""):
    """What a person sees of the issue's first event."""
    with requests.Session() as session:
        login = session.get(f"{bugsink.url}/accounts/login/", timeout=60)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', login.text)[1]
        form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token}
        session.post(f"{bugsink.url}/accounts/login/", form, timeout=60, headers={"Referer": bugsink.url})
        page = session.get(f"{bugsink.url}/issues/issue/{issue}/event/first/{page}", timeout=60).text
        return html.unescape(re.sub(r"<[^>]+>", "", page))


@pytest.mark.stress
def test_all_errors_of_a_burst_arrive_once_whatever_is_killed(bugsink, tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate/camera.py").write_text("".join(CAMERA.format(n=n) for n in range(GROUPS)))
    gate = Gate(tmp_path, bugsink.dsn(), ERRORS)  # with the server down
    assert gate.process.stdout.readline() == b"logged\n"
    wait_for((tmp_path / "state/state.sqlite3").exists, "the forwarder has begun")
    time.sleep(2.5)
    gate.kill()
    logged = [json.loads(line) for path in tmp_path.glob("details.jsonl*") for line in path.read_bytes().splitlines()]
    assert len(logged) == ERRORS
    bugsink.start()
    gate = Gate(tmp_path, bugsink.dsn(), 0)
    wait_for(lambda: len(bugsink.ids()) > ERRORS // 4, "a quarter has arrived")
    bugsink.kill()
    time.sleep(3)
    bugsink.start()
    wait_for(lambda: len(bugsink.ids()) > ERRORS // 2, "half has arrived")
    gate.kill()
    gate = Gate(tmp_path, bugsink.dsn(), 0)
    begun = time.monotonic()
    before = len(bugsink.ids())
    wait_for(lambda: len(bugsink.ids()) >= ERRORS, "all have arrived")
    print(f"\n{(ERRORS - before) / (time.monotonic() - begun):.0f} events/s digested by Bugsink on a shared machine")
    gate.kill()
    assert sorted(bugsink.ids()) == sorted(record["event_id"] for record in logged)
    ours = {record["fingerprint"] for record in logged}
    assert len(bugsink.issues()) == len(ours) == GROUPS
    assert {n for _, n in bugsink.issues()} == {ERRORS // GROUPS}
    page = page_of(bugsink, bugsink.issues()[0][0])
    for readable in ("RuntimeError", "OSError", "no picture", "grab_", "gate/camera.py", "from error"):
        assert readable in page, readable
    crumbs = [page_of(bugsink, issue, "breadcrumbs/") for issue, _ in bugsink.issues()]
    assert any(re.search(r"camera \d+ was opened", page) for page in crumbs)

    subprocess.run(
        [environment() / "bin/python", "-c", SDK, bugsink.dsn(2), str(ERRORS)], check=True, stderr=subprocess.DEVNULL
    )
    arrived = len(bugsink.ids(2))
    bugsink.kill()
    print(f"sentry-sdk, the server up all the time: {arrived} of {ERRORS} arrived")
    subprocess.run(
        [environment() / "bin/python", "-c", SDK, bugsink.dsn(2), str(ERRORS)], check=True, stderr=subprocess.DEVNULL
    )
    bugsink.start()
    time.sleep(5)
    print(f"sentry-sdk, the server down while they were logged: {len(bugsink.ids(2)) - arrived} of {ERRORS} arrived")
    assert arrived < ERRORS or len(bugsink.ids(2)) - arrived < ERRORS
