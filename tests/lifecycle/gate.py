"""Processes of a gate that really end, and what is told of them."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

__all__ = ["Gate"]

CONFIG = """
version: 1
disable_existing_loggers: false
visigate: {{service: gate, release: "1.4.2", hooks: true{more}}}
handlers:
  details: {{class: visigate_logging.JsonFileHandler, level: ERROR, filename: logs/details.jsonl}}
root: {{level: INFO, handlers: [details]}}
"""
BEGIN = """
import os, signal, sys, time, threading, ctypes, faulthandler, logging
import visigate_logging
visigate_logging.configure("logging.yaml")
from visigate_logging.lifecycle import life as _life
def until_looked():
    while _life.life()._looked < 0: time.sleep(0.005)
"""
LOOK = BEGIN + "until_looked()"


class Gate:
    """A directory with a configuration, in which programs run.

    Args:
        directory: an empty one.
        more: more of the ``visigate`` section.
    """

    def __init__(self, directory: Path, more: str = "") -> None:
        self.directory = directory
        (directory / "logging.yaml").write_text(CONFIG.format(more=more))

    def start(self, program: str, name: str = "camera.py", **options: Any) -> "subprocess.Popen[str]":
        """Start a program, which is configured first."""
        path = self.directory / name
        path.write_text(BEGIN + textwrap.dedent(program.rstrip(" ")))
        return subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", str(path)],  # of forks beside threads, from 3.12 on
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, program: str, name: str = "camera.py", **options: Any) -> int:
        """Run a program to its end; returns how it ended."""
        process = self.start(program, name, **options)
        self.pid = process.pid
        self.said, self.complained = process.communicate(timeout=600)
        return process.returncode

    def look(self) -> None:
        """Let a next process of the host start, look, and end."""
        process = self.start("until_looked()", "next.py")
        said = process.communicate(timeout=600)
        assert process.returncode == 0, said

    @property
    def records(self) -> list[dict[str, Any]]:
        """The detail records."""
        path = self.directory / "logs/details.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def events(self) -> list[dict[str, Any]]:
        """The entries of the timeline."""
        path = self.directory / "logs/state/timeline.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def ends(self) -> list[tuple[str, str]]:
        """What is told of ends of processes: kinds and texts."""
        kinds = {"crash", "killed", "hang", "stop", "exit", "vanished"}
        return [(e["event"], e["text"]) for e in self.events if e["event"] in kinds]

    def waits_for(self, count: int) -> None:
        """Return when there are so many records."""
        wait_until(lambda: len(self.records) >= count)
