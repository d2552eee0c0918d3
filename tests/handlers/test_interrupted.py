"""What is no ``Exception`` passes through: a handler never keeps from the application what was meant for it."""

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from visigate_logging import Classifier, JsonFileHandler, SharedRotatingFileHandler, TextFormatter

PASSING = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]


def raiser(error: BaseException) -> Any:
    """An exception, and a value, that raise another when they are looked at."""

    class HostileError(Exception):
        def __str__(self) -> str:
            raise error

        __repr__ = __str__

    return HostileError()


@pytest.fixture(params=["json", "text"])
def handler(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "json":
        made: SharedRotatingFileHandler = JsonFileHandler(tmp_path / "details.jsonl")
    else:
        made = SharedRotatingFileHandler(tmp_path / "error.log")
        made.setFormatter(TextFormatter())
    made.addFilter(Classifier([{"exceptions": ["OSError"], "causes": True, "category": "network"}]))
    yield made
    made.close()


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("place", ["exception", "argument", "extra", "message"])
def test_what_is_no_exception_reaches_the_application_and_is_counted(handler, kind, place) -> None:
    hostile = raiser(kind())
    logger = logging.Logger("gate")
    logger.addHandler(handler)
    given: dict[str, Any] = {"exception": {"exc_info": hostile}, "extra": {"extra": {"why": hostile}}}.get(place, {})
    message, args = (hostile, ()) if place == "message" else ("lost: %s", (hostile if place == "argument" else 1,))
    with pytest.raises(kind):
        logger.error(message, *args, **given)
    assert handler.counts() == {
        "accepted": 1,
        "delivered": 0,
        "folded": 0,
        "dropped": {"interrupted": 1},
        "pending": 0,
    }
    logger.error("the next is written")
    assert handler.counts()["delivered"] == 1


def run(way: str, count: int, path: Path) -> dict[str, Any]:
    """Interrupt logging calls that often, in a process of its own: what did not arrive there harms nobody else."""
    command = [sys.executable, "-m", "tests.handlers.interrupting", way, str(count), str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=1000, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(way: str, count: int, path: Path) -> None:
    ours, stdlib = run(way, count, path / "ours"), run(f"{way} stdlib", count, path / "stdlib")
    assert ours["raised"] == stdlib["raised"] == count
    allowed = max(2, count // 200)  # what arrives in a destructor or callback of the interpreter never gets out
    assert count - ours["caught"] <= count - stdlib["caught"] + allowed
    assert ours["torn"] == 0
    assert ours["goes on"]  # no lock is held
    counts = ours["counts"]
    assert counts["pending"] == 0
    assert abs(counts["delivered"] - ours["lines"]) <= count  # at most the interrupted ones


@pytest.mark.parametrize("way", ["signal", "thread"])
def test_interruptions_at_random_moments_reach_the_application(way: str, tmp_path: Path) -> None:
    check(way, 300, tmp_path)


@pytest.mark.stress
@pytest.mark.parametrize("way", ["signal", "thread"])
def test_ten_thousand_interruptions_reach_the_application(way: str, tmp_path: Path) -> None:
    check(way, 10_000, tmp_path)


def test_the_first_record_imports_nothing(tmp_path: Path) -> None:
    """An import that is interrupted leaves Python's import lock held; at the interpreter's end none works."""
    script = f"""
import logging, sys
from visigate_logging import JsonFileHandler
logger = logging.Logger("gate")
logger.addHandler(JsonFileHandler({str(tmp_path / "details.jsonl")!r}))
before = set(sys.modules)
try:
    open("/nonexistent")
except OSError as e:
    logger.error(f"cannot open: {{e}}")
print(sorted(set(sys.modules) - before - {{"sqlite3", "sqlite3.dbapi2", "_sqlite3"}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
