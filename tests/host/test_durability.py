"""What is to outlive a power cut is on the medium before it is relied on: the system calls, in their order."""

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from visigate_logging import JsonFileHandler
from visigate_logging.delivery.spool import Spool
from visigate_logging.host import State
from visigate_logging.host.directories import make_directory
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Marks, host_lock
from visigate_logging.recovery.steps.base import Context

CONTEXT = Context(
    procedure="database",
    key="gate",
    event_id="0" * 32,
    error_type="DatabaseError",
    error_message="malformed",
    severity="ERROR",
    logger="gate",
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system calls that matter to a power cut, each with the name of the file or directory."""
    made: list[str] = []

    def record(name: str) -> None:
        real = getattr(os, name)

        def recorded(*args: object, **kwargs: object) -> object:
            if threading.current_thread() is threading.main_thread():  # others look after what was before
                made.append(f"{name} {_what(args[0])}")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, recorded)

    for name in ("fsync", "fdatasync", "rename", "replace", "unlink", "write", "mkdir"):
        record(name)
    return made


def _what(target: object) -> str:
    path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)  # type: ignore[call-overload]
    is_directory = isinstance(target, int) and stat.S_ISDIR(os.fstat(target).st_mode)
    name = "new file" if Path(path).name.endswith(".new") else Path(path).name
    return f"{name}/" if is_directory else name


def test_a_line_of_the_audit_trail_and_the_name_of_its_file(tmp_path: Path, calls: list[str]) -> None:
    audit = Audit(tmp_path / "state")
    audit.write("begun", CONTEXT)
    assert calls == [
        "mkdir state",
        f"fsync {tmp_path.name}/",
        "write recovery.jsonl",
        "fdatasync recovery.jsonl",
        "fsync state/",
    ]
    calls.clear()
    audit.write("done", CONTEXT)
    assert calls == ["write recovery.jsonl", "fdatasync recovery.jsonl"]


def test_the_mark_of_a_recovery_that_has_begun_and_of_one_that_is_finished(tmp_path: Path, calls: list[str]) -> None:
    lock = host_lock(tmp_path, "database:gate")
    assert lock.acquire()
    assert calls == ["mkdir recovery", f"fsync {tmp_path.name}/"]
    calls.clear()
    marks = Marks(tmp_path)
    marks.set(CONTEXT)
    assert calls == ["fdatasync new file", "rename new file", "fsync recovery/"]
    calls.clear()
    marks.clear(CONTEXT)
    assert [call.partition(" ")[0] for call in calls] == ["unlink", "fsync"]
    assert calls[-1] == "fsync recovery/"
    lock.release()


def test_a_mail_in_the_outbox(tmp_path: Path, calls: list[str]) -> None:
    make_directory(tmp_path / "outbox")
    calls.clear()
    outbox = Spool(tmp_path / "outbox")
    outbox.stage("1", ["admin@example.org"], b"Subject: no picture\n\n")
    assert calls == ["fdatasync new file", "rename new file", "fsync outbox/"]
    calls.clear()
    outbox.publish("1")
    assert calls == ["rename 1.staged", "fsync outbox/"]


def test_a_critical_record_and_the_name_of_its_file(tmp_path: Path, calls: list[str], monkeypatch) -> None:
    handler = JsonFileHandler(tmp_path / "details.jsonl")
    monkeypatch.setattr(handler._upkeep._task, "wake", lambda: None)  # which would sync as well, at the same time
    calls.clear()
    handler.handle(logging.LogRecord("gate", logging.CRITICAL, __file__, 1, "the barrier is stuck", (), None))
    at_return = calls.copy()
    handler.close()
    assert at_return[:3] == ["write details.jsonl", "fdatasync details.jsonl", f"fsync {tmp_path.name}/"]


COMMIT = """
import os
from visigate_logging.recovery.budgets import Budgets
from visigate_logging.recovery.policy import Budget
from pathlib import Path
budgets = Budgets(Path("state"))
budgets.save("database", Budget(attempts=(1.0,)))
os.write(1, b"begin")
budgets.save("database", Budget(attempts=(1.0, 2.0)))
os.write(1, b"saved")
os.kill(os.getpid(), 9)
"""


def test_a_budget_of_recoveries(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("SQLite's system calls can be seen by strace alone, which is not here")
    watching = [strace, "-y", "-o", "calls", "-e", "trace=write,pwrite64,fsync,fdatasync"]
    done = subprocess.run(
        [*watching, sys.executable, "-c", COMMIT], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    if not (tmp_path / "calls").exists() or b"ptrace" in done.stderr:
        pytest.skip("no process may be traced here")
    text = (tmp_path / "calls").read_text()
    between = [line for line in text[text.index('"begin"') : text.index('"saved"')].splitlines() if "-wal" in line]
    assert between[0].startswith("pwrite64(")
    assert between[-1].startswith(("fdatasync(", "fsync("))
    state = State(tmp_path / "state")
    with state.transaction() as connection:
        (kept,) = connection.execute("SELECT budget FROM recovery").fetchone()
    state.close()
    assert json.loads(kept)["attempts"] == [1.0, 2.0]
