"""A real Sentry-compatible server, Bugsink, in a virtual environment and processes of its own."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from tests.forward.servers import free_port

__all__ = ["PASSWORD", "USER", "Bugsink", "environment"]

USER, PASSWORD = "gate@example.org", "a-secret-for-tests"
SETTINGS = """
LIMITS = ("5_MINUTES", "HOUR", "MONTH")
BUGSINK |= {f"MAX_EVENTS_PER_{scope}{limit}": 10**9 for limit in LIMITS for scope in ("", "PROJECT_PER_")}
ALLOWED_HOSTS = ["127.0.0.1"]
"""
SET_UP = f"""
import django; django.setup()
from django.contrib.auth import get_user_model
from projects.models import Project
get_user_model().objects.create_superuser(username="{USER}", email="{USER}", password="{PASSWORD}")
for name in ("gate", "sdk"):
    Project.objects.create(name=name)
"""


def environment() -> Path:
    """The virtual environment that has Bugsink; made once for all runs, skips where it cannot be made."""
    place = Path(os.environ.get("VISIGATE_BUGSINK") or Path(tempfile.gettempdir()) / "visigate-bugsink")
    if not (place / "bin/bugsink-manage").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        command = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "bugsink >= 2"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"bugsink cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return place


class Bugsink:
    """The server, with two projects: 1 for the gate, 2 for what it is compared with.

    Args:
        venv: of `environment`.
        directory: where its databases are made.
    """

    def __init__(self, venv: Path, directory: Path) -> None:
        self._bin, self._directory = venv / "bin", directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("bugsink-create-conf", "--template=local", f"--port={self.port}", "-obugsink_conf.py")
        with (directory / "bugsink_conf.py").open("a") as settings:
            settings.write(SETTINGS)
        self._run("bugsink-manage", "migrate", "--verbosity=0")
        self._run("bugsink-manage", "migrate", "--database=snappea", "--verbosity=0")
        self._run("python", "-c", SET_UP)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"DJANGO_SETTINGS_MODULE": "bugsink_conf", "PYTHONPATH": str(self._directory)}

    def _run(self, name: str, *arguments: str) -> None:
        command = [self._bin / name, *arguments]
        subprocess.run(command, cwd=self._directory, env=self._environment(), check=True, capture_output=True)

    def dsn(self, project: int = 1) -> str:
        """The address of a project."""
        (key,) = self._ask("SELECT sentry_key FROM projects_project WHERE id = ?", project)[0]
        return f"http://{key}@127.0.0.1:{self.port}/{project}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self._bin / "gunicorn", "bugsink.wsgi", f"--bind=127.0.0.1:{self.port}", "--threads=4"]
        with (self._directory / "gunicorn.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._directory, env=self._environment(), stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health/ready", timeout=5).close()
            except urllib.error.HTTPError as error:
                error.close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self._directory / "gunicorn.log").read_text()[-2000:]
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """End it and its workers at once, in whatever they do."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ids(self, project: int = 1) -> list[str]:
        """The ids of the events that it has, as often as it has them."""
        rows = self._ask("SELECT event_id FROM events_event WHERE project_id = ?", project)
        return [str(event_id).replace("-", "") for (event_id,) in rows]

    def issues(self, project: int = 1) -> list[tuple[str, int]]:
        """Its issues: id, and how many events each has."""
        sql = "SELECT id, stored_event_count FROM issues_issue WHERE project_id = ?"
        return [(str(uuid.UUID(str(issue))), n) for issue, n in self._ask(sql, project)]

    def _ask(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(f"file:{self._directory}/db.sqlite3?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()
