"""docs/integration.md: each program runs as it stands there, with the real library, and its errors are recorded."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.servers import Server
from tests.waiting import wait_until
from visigate_logging.cli import parsed

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/integration.md").read_text("utf-8")
PROGRAMS = {
    name: code for code, name in re.findall(r"```(?:python|ini)\n([#;] ([\w.]+)\n.*?)```", TEXT, re.M | re.S) if name
}
BIN = Path(sys.executable).parent


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the shipped configuration and all programs of the document."""
    shutil.copy(ROOT / "logging.yaml", tmp_path)
    for name, code in PROGRAMS.items():
        (tmp_path / name).write_text(code)
    return tmp_path


@pytest.fixture
def mails(place: Path) -> Iterator[list[Any]]:
    """What a mail server gets from the shipped configuration, when errors are mailed at once."""
    configuration = place / "logging.yaml"
    with Server() as server:
        text = configuration.read_text()
        for key, value in {"mailhost": f"127.0.0.1:{server.port}", "toaddrs": "admin@example.org"}.items():
            text = re.sub(rf"^    {key}: .*", f"    {key}: {value}", text, count=1, flags=re.M)
        configuration.write_text(text.replace("    # severity: CRITICAL ", "    severity: ERROR ", 1))
        yield server.inbox.mails


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=place, capture_output=True, text=True, timeout=100, check=False
    )


def recorded(place: Path) -> list[dict[str, Any]]:
    path = place / "logs/errors/details.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def types(place: Path) -> list[str]:
    return [record["error_type"] for record in recorded(place)]


def ask(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextlib.contextmanager
def serving(place: Path, command: Callable[[int], list[str]]) -> Iterator[str]:
    """A server on a free port, which answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (place / "server.txt").open("w") as output:
        server = subprocess.Popen(command(port), cwd=place, stdout=output, stderr=output, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: ask(f"{url}/nothing") == 404 or server.poll() is not None)
        assert server.poll() is None, (place / "server.txt").read_text()
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:  # uWSGI, when a worker is still importing: also without this package
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)


def check_flask(place: Path, url: str) -> None:
    assert (ask(f"{url}/picture"), ask(f"{url}/crash")) == (503, 500)
    wait_until(lambda: len(recorded(place)) >= 2)
    picture, crash = recorded(place)[:2]
    assert (picture["error_type"], picture["function"]) == ("FileNotFoundError", "picture")
    assert "Traceback (most recent call last)" in picture["traceback"]
    assert (crash["error_type"], crash["function"]) == ("KeyError", "crash")


def test_flask_with_its_own_server_and_the_pages(place: Path) -> None:
    with serving(
        place, lambda port: [sys.executable, "-m", "flask", "--app", "pages", "run", "-p", str(port)]
    ) as url:
        check_flask(place, url)
        assert ask(f"{url}/errors") == 401
        assert ask(f"{url}/errors", **{"X-Gate-Key": "open sesame"}) == 200


def test_flask_takes_two_lines_at_the_start_and_six_for_the_pages() -> None:
    first, second = list(filter(None, PROGRAMS["app.py"].splitlines()))[1:3]
    assert (first, second) == ("import visigate_logging", 'visigate_logging.configure("logging.yaml")')
    own = [line for line in PROGRAMS["pages.py"].splitlines() if re.search(r"visigate|store|blueprint|^\)", line)]
    assert 3 <= len(own) <= 6


def test_loguru(place: Path) -> None:
    done = run(place, "with_loguru.py")
    assert done.returncode == 0, done.stderr
    handled, logged = recorded(place)
    assert (handled["error_type"], handled["message"]) == ("KeyError", "Error getting vehicle: 'AB 123'")
    assert (logged["error_type"], logged["message"]) == ("FileNotFoundError", "no picture")
    assert handled["traceback"].startswith("Traceback (most recent call last)")
    assert logged["logger"] == "__main__"


def test_structlog(place: Path) -> None:
    done = run(place, "with_structlog.py")
    assert done.returncode == 0, done.stderr
    handled, logged = recorded(place)
    assert (handled["error_type"], handled["message"]) == ("KeyError", "Error getting vehicle: 'AB 123'")
    assert handled["additional_info"] == {"lane": 2}
    assert (logged["error_type"], logged["message"]) == ("FileNotFoundError", "no picture")
    assert logged["additional_info"] == {"camera": "north"}


@pytest.mark.parametrize("preload", [False, pytest.param(True, marks=pytest.mark.stress)], ids=["", "preload"])
def test_gunicorn(place: Path, preload: bool, mails: list[Any]) -> None:
    more = ["--preload"] if preload else []
    with serving(
        place, lambda port: [str(BIN / "gunicorn"), *more, "-w", "2", "-b", f"127.0.0.1:{port}", "app:app"]
    ) as url:
        check_flask(place, url)
        wait_until(lambda: mails)


def test_what_gunicorn_itself_meets_is_recorded(place: Path) -> None:
    (place / "bare.py").write_text(
        "import visigate_logging\nvisigate_logging.configure('logging.yaml')\n"
        "def app(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/nothing':\n"
        "        start_response('404 Not Found', [])\n        return [b'']\n"
        "    raise ZeroDivisionError('in the application')\n"
    )
    with serving(place, lambda port: [str(BIN / "gunicorn"), "-b", f"127.0.0.1:{port}", "bare:app"]) as url:
        assert ask(f"{url}/") == 500
        wait_until(lambda: types(place) == ["ZeroDivisionError"])


@pytest.mark.stress
def test_uwsgi(place: Path, mails: list[Any]) -> None:
    server = BIN / "uwsgi"
    if not server.exists():
        pytest.skip("there is no uwsgi for this version of Python")
    with serving(place, lambda port: [str(server), "--ini", "uwsgi.ini", "--http", f"127.0.0.1:{port}"]) as url:
        check_flask(place, url)
        wait_until(lambda: mails)


@pytest.mark.stress
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.2, 1.0])
def test_uwsgi_that_is_told_to_end_while_it_starts_ends(place: Path, mails: list[Any], delay: float) -> None:
    server, output = BIN / "uwsgi", place / "server.txt"
    if not server.exists():
        pytest.skip("there is no uwsgi for this version of Python")
    with output.open("w") as out:
        command = [server, "--ini", "uwsgi.ini", "--http-socket", "127.0.0.1:0"]
        process = subprocess.Popen(command, cwd=place, stdout=out, stderr=out)
    wait_until(lambda: "spawned uWSGI worker" in output.read_text())
    time.sleep(delay)  # wherever it is then
    for _ in range(3):  # the first may be passed over
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(10) == 0
            return
    process.kill()
    pytest.fail(output.read_text())


MASTERS_RECORD = """
import logging
import app

app.app.logger.error("in the master")
logging.getLogger("gate").critical("in the master")
app.app.add_url_rule("/log", view_func=lambda: logging.getLogger("gate").error("in a worker") or "logged")
application = app.app
"""


@pytest.mark.stress
@pytest.mark.parametrize("options", [[], ["--enable-threads"], ["--py-call-uwsgi-fork-hooks"]], ids=" ".join)
def test_uwsgi_forks_a_master_that_has_logged_and_ends_promptly(
    place: Path, options: list[str], mails: list[Any]
) -> None:
    server = BIN / "uwsgi"
    if not server.exists():
        pytest.skip("there is no uwsgi for this version of Python")
    (place / "logs_early.py").write_text(MASTERS_RECORD)
    more = ["--master", "--processes", "3", "--wsgi-file", "logs_early.py", *options]
    with serving(place, lambda port: [str(server), *more, "--http", f"127.0.0.1:{port}"]) as url:
        output = place / "server.txt"
        wait_until(lambda: output.read_text().count("spawned uWSGI worker") == 3)
        assert [ask(f"{url}/log") for _ in range(30)] == [200] * 30
        if "--enable-threads" in options:  # else uWSGI gives the interpreter to no thread between two requests
            wait_until(lambda: mails)
        began = time.monotonic()
    assert time.monotonic() - began < 12, "a worker did not begin, and uWSGI waits 60 s for it"
    assert sum(record["message"] == "in a worker" for record in recorded(place)) == 30


@pytest.mark.stress
def test_celery(place: Path, mails: list[Any]) -> None:
    (place / "queue").mkdir()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "1", "--without-gossip", "--without-mingle"],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sent = run(place, "-c", "import tasks; tasks.read_plate.delay('XY 9')")
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: types(place) == ["KeyError"], 60)
        wait_until(lambda: mails)
    finally:
        worker.terminate()
        worker.wait(30)
    (record,) = recorded(place)
    assert (record["function"], record["module"]) == ("read_plate", "tasks")
    assert record["message"].startswith("Task tasks.read_plate[")


def test_asyncio(place: Path) -> None:
    done = run(place, "with_asyncio.py")
    assert done.returncode == 0, done.stderr
    handled, forgotten = recorded(place)
    assert (handled["error_type"], handled["task"]) == ("ConnectionRefusedError", "watch-north")
    assert (forgotten["error_type"], forgotten["logger"]) == ("ValueError", "asyncio")


def test_each_command_line_is_valid() -> None:
    lines = re.findall(r"^visigate-errors ([^\n#]*)", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.S)), re.M)
    assert len(lines) >= 6
    for line in lines:
        assert parsed(shlex.split(line))


def test_every_program_of_the_document_is_run() -> None:
    source = Path(__file__).read_text("utf-8")
    named = {"app.py": "app:app", "pages.py": '"pages"', "gunicorn.conf.py": "gunicorn", "tasks.py": '"tasks"'}
    assert len(PROGRAMS) == 8
    for name in PROGRAMS:
        assert named.get(name, name) in source
