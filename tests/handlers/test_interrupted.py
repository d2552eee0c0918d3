"""What is no ``Exception`` passes through: a handler never keeps from the application what was meant for it."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from visigate_logging import (
    Classifier,
    ErrorDetail,
    JsonFileHandler,
    RecoveryHandler,
    SharedRotatingFileHandler,
    TextFormatter,
    ThrottledSMTPHandler,
)
from visigate_logging.delivery.journal import Journal
from visigate_logging.host import State
from visigate_logging.host.files import write_atomically
from visigate_logging.host.worker import Worker

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


class Once:
    """Calls what it stands for, but the first time raises what a signal handler may raise in that moment."""

    def __init__(self, real: Any) -> None:
        self._real, self.calls = real, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise KeyboardInterrupt
        return self._real(*args, **kwargs)


def test_a_worker_whose_waking_was_interrupted_is_woken_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    worker: Worker[None] = Worker("test-worker", lambda _: done.set())
    worker.start()
    real = worker._queue
    others = {name: getattr(real, name) for name in ("get", "get_nowait", "qsize", "empty")}
    monkeypatch.setattr(worker, "_queue", SimpleNamespace(put=Once(real.put), **others))
    with pytest.raises(KeyboardInterrupt):
        worker.wake()
    worker.wake()
    assert done.wait(10)
    monkeypatch.undo()
    assert worker.stop(10)


def test_the_upkeep_whose_waking_was_interrupted_is_woken_by_the_next(tmp_path, monkeypatch) -> None:
    made = JsonFileHandler(tmp_path / "details.jsonl")
    wake = Once(made._upkeep._task.wake)
    monkeypatch.setattr(made._upkeep._task, "wake", wake)
    record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "m", (), None)
    with pytest.raises(KeyboardInterrupt):
        made.handle(record)
    made.handle(record)
    assert wake.calls == 2
    made.close()


def test_mail_whose_waking_was_interrupted_is_woken_by_the_next(tmp_path, monkeypatch) -> None:
    made = ThrottledSMTPHandler("127.0.0.1", "a@b.c", "a@b.c", severity="ERROR", state_dir=tmp_path)
    notifier = made._notifier(made.routes[0])
    wake = Once(lambda: None)
    monkeypatch.setattr(notifier._worker, "wake", wake)
    record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "m", (), None)
    with pytest.raises(KeyboardInterrupt):
        made.handle(record)
    made.handle(record)
    assert wake.calls == 2
    monkeypatch.undo()
    made.close()


def test_an_error_after_a_line_of_the_journal_that_was_interrupted_is_written_whole(tmp_path, monkeypatch) -> None:
    journal = Journal(tmp_path / "journal", 1800.0)
    detail = ErrorDetail.from_record(logging.LogRecord("gate", logging.ERROR, __file__, 1, "m", (), None))
    append = journal._file.append
    for _ in range(2):  # of the first and the second error of a group all is written, of the third a few words
        monkeypatch.setattr(journal._file, "append", Once(append))
        with pytest.raises(KeyboardInterrupt):
            journal.append(detail)
    journal.append(detail)
    assert json.loads((tmp_path / "journal").read_bytes())["message"] == "m"
    journal.close()


def test_a_kind_of_error_whose_queueing_was_interrupted_is_queued_again(tmp_path, monkeypatch) -> None:
    steps = {"exceptions": ["BaseException"], "steps": [{"command": {"argv": ["true"]}}]}
    made = RecoveryHandler({"all": steps}, tmp_path / "state")
    monkeypatch.setattr(made._dispatcher._worker, "put", Once(made._dispatcher._worker.put))
    record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "m", (), (OSError, OSError("gone"), None))
    with pytest.raises(KeyboardInterrupt):
        made.handle(record)
    made.handle(record)
    assert made.wait(30)
    counts = made.counts()
    assert (counts["accepted"], counts["delivered"], counts["dropped"]) == (2, 1, {"interrupted": 1})
    made.close()


def test_a_transaction_that_is_interrupted_while_it_begins_does_not_stand_in_the_way_of_the_next(tmp_path) -> None:
    state = State(tmp_path)
    with state.transaction():
        pass
    begin = state._begin

    def interrupted(timeout: float) -> Any:
        begin(timeout)
        raise KeyboardInterrupt

    state._begin = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), state.transaction():
        pass
    state._begin = begin  # type: ignore[method-assign]
    with state.transaction():
        pass
    state.close()


def test_a_file_that_is_interrupted_right_after_it_has_got_its_name_says_so(tmp_path, monkeypatch) -> None:
    rename = os.rename

    def interrupted(*args: Any, **kwargs: Any) -> None:
        rename(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"content")
    assert os.listdir(tmp_path) == ["file"]
