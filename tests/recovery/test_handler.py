"""RecoveryHandler: outside the caller, at most as often as sense allows, its outcome known to everyone."""

import json
import logging
import logging.config
import logging.handlers
import multiprocessing
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import BACKED_UP, DAMAGE, content, holder, make
from tests.waiting import wait_until
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.handlers.recovery import RecoveryHandler
from visigate_logging.host import host_counts, host_failures
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Budgets, Marks
from visigate_logging.recovery.messages import is_worth_repeating
from visigate_logging.recovery.steps.base import Context
from visigate_logging.recovery.steps.reopen import Reopen
from visigate_logging.triage.decisions import Decision, DecisionLog

LOG = logging.getLogger("gate.database")


class DatabaseError(Exception):
    """The application's own."""


class CameraError(Exception):
    """The application's own."""


class Told(logging.Handler):
    """Keeps what is logged about recoveries."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def texts(self, level: int = 0) -> list[str]:
        return [r.getMessage() for r in self.records if r.levelno >= level]


@pytest.fixture
def told() -> Told:
    handler = Told()
    logging.getLogger("visigate_logging").addHandler(handler)
    return handler


calls: list[dict] = []
answers: list[object] = []
log_again = threading.Event()


def reopen_camera(context: dict) -> object:
    """What an application offers to the step reopen."""
    calls.append(context)
    if log_again.is_set():
        log_error(CameraError("still no picture"))
    return answers.pop(0) if answers else True


@pytest.fixture(autouse=True)
def fresh_calls() -> None:
    calls.clear()
    answers.clear()
    log_again.clear()


REOPEN = {"reopen": {"callable": f"{__name__}:reopen_camera"}}
QUICK = {"cooldown": 0, "backoff": {"initial": 0, "jitter": 0}}


def attach(tmp_path: Path, procedures: dict, **options) -> RecoveryHandler:
    handler = RecoveryHandler(procedures, state_dir=tmp_path / "state", **options)
    handler.set_name("recover")  # as dictConfig does
    LOG.addHandler(handler)
    return handler


def camera_procedure(**changes) -> dict:
    return {"camera": {"exceptions": ["CameraError"], "steps": [REOPEN]} | changes}


def log_error(error: BaseException, logger: logging.Logger = LOG, **extra) -> None:
    try:
        raise error
    except type(error):
        logger.exception("it went wrong", extra=extra)


def audit(tmp_path: Path) -> list[dict]:
    return list(Audit(tmp_path / "state").read())


def test_the_procedure_of_an_error_runs_with_its_context_and_the_outcome_is_told(tmp_path, told):
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError("cannot open rtsp://admin:secret@10.0.0.7/1"))
    assert handler.wait(10)
    (context,) = calls
    assert context["error_type"] == "CameraError"
    assert "secret" not in json.dumps(context)
    assert len(context["event_id"]) == 32
    (record,) = told.records
    assert record.name == "visigate_logging.recovery"
    assert record.levelno == logging.ERROR
    assert "camera" in record.getMessage()
    assert record.recovery["status"] == "done"
    assert record.recovery["event_id"] == context["event_id"]


def test_a_group_that_is_muted_or_resolved_is_mended_all_the_same(tmp_path):
    decisions = DecisionLog(tmp_path / "groups.jsonl")  # beside the log, above the state directory
    handler = attach(tmp_path, camera_procedure(**QUICK))
    for number, action in enumerate(("mute", "resolve")):
        record = logging.makeLogRecord({"exc_info": (CameraError, CameraError("dark"), None)})
        key = ErrorDetail.from_record(record).fingerprint
        decisions.append([Decision(f"id{number}", "2026-03-01T12:00:00Z", "anna", action, key)])
        log_error(CameraError("dark"))
        assert handler.wait(10)
        assert len(calls) == number + 1


def test_other_errors_and_records_without_one_run_nothing(tmp_path, told):
    handler = attach(tmp_path, camera_procedure())
    log_error(ValueError())
    LOG.error("CameraError, but only in words")
    assert handler.wait(1)
    assert (calls, told.records, handler.counts()["accepted"]) == ([], [], 0)


def test_every_decision_and_step_is_in_the_audit_trail_tied_to_the_event(tmp_path):
    handler = attach(tmp_path, camera_procedure(verify={"probe": REOPEN}))
    log_error(CameraError())
    assert handler.wait(10)
    lines = audit(tmp_path)
    assert [line["event"] for line in lines] == ["decision", "step begins", "step ends", "verify", "outcome"]
    assert {line["event_id"] for line in lines} == {calls[0]["event_id"]}
    assert lines[-1]["status"] == "done"


def test_a_thousand_errors_in_a_second_make_one_run_and_all_are_counted(tmp_path):
    handler = attach(tmp_path, camera_procedure())
    for _ in range(1000):
        log_error(CameraError())
    assert handler.wait(10)
    assert len(calls) == 1
    counts = handler.counts()
    assert counts["accepted"] == 1000
    assert counts["pending"] == 0
    assert counts["delivered"] + counts["folded"] == 1000
    assert counts["folded"] > 500, "what waits for the same run is not queued again"
    with closing(Budgets(tmp_path / "state").state) as state:
        assert host_counts(state)["recover"] == counts


def test_two_handlers_are_counted_under_their_own_names(tmp_path):
    for name in ("cameras", "databases"):
        handler = RecoveryHandler(camera_procedure(), state_dir=tmp_path / "state")
        handler.set_name(name)
        LOG.addHandler(handler)
    log_error(CameraError())
    for handler in LOG.handlers:
        assert handler.wait(10)
    with closing(Budgets(tmp_path / "state").state) as state:
        assert {name: sheet["accepted"] for name, sheet in host_counts(state).items()} == {
            "cameras": 1,
            "databases": 1,
        }


def test_each_camera_has_its_own_budget(tmp_path):
    handler = attach(tmp_path, camera_procedure(key=["camera"]))
    for camera in ("north", "south", "north"):
        log_error(CameraError(), camera=camera)
        assert handler.wait(10)
    assert [c["key"] for c in calls] == ["north", "south"]


def test_the_message_gives_the_key_and_the_placeholders_where_nothing_came_with_extra(tmp_path):
    message = r"camera (?P<camera>[\d.]+) on port (?P<port>\d+)"
    steps = [_touch(tmp_path / "{camera}-{port}"), REOPEN]
    handler = attach(tmp_path, camera_procedure(message=message, key=["camera"], steps=steps))
    for address in ("10.0.0.7", "10.0.0.8", "10.0.0.7"):
        try:
            raise CameraError("no picture")
        except CameraError as error:
            LOG.error(f"camera {address} on port 554: {error}", exc_info=True)
        assert handler.wait(10)
    assert (tmp_path / "10.0.0.7-554").exists()
    assert (tmp_path / "10.0.0.8-554").exists()
    assert {entry["key"] for entry in audit(tmp_path)} == {"10.0.0.7", "10.0.0.8"}


def test_a_message_can_call_for_a_procedure_without_any_exception(tmp_path):
    handler = attach(tmp_path, {"camera": {"message": "no picture", "steps": [REOPEN]}})
    LOG.error("all is well")
    LOG.error("no picture")
    assert handler.wait(10)
    assert len(calls) == 1
    assert handler.counts()["accepted"] == 1


def test_the_verification_decides_not_the_steps_own_word_and_the_next_step_follows(tmp_path, told):
    probe = {"probe_file_age": {"path": str(tmp_path / "frame"), "max_age": 60, "timeout": 0.1}}
    touch = {"command": {"argv": ["touch", str(tmp_path / "frame")]}}
    steps = [REOPEN, touch, {"command": {"argv": ["touch", str(tmp_path / "never")]}}]
    verify = {"probe": probe, "attempts": 2, "interval": 0}
    handler = attach(tmp_path, camera_procedure(steps=steps, verify=verify))
    log_error(CameraError())
    assert handler.wait(20)
    assert len(calls) == 1
    assert not (tmp_path / "never").exists()
    assert "reopen:" in told.texts()[0]
    assert "but probe_file_age says" in told.texts()[0]
    assert told.records[0].recovery["status"] == "done"


def test_the_end_is_told_at_the_level_of_the_error(tmp_path, told):
    handler = attach(tmp_path, camera_procedure(**QUICK))
    for severity in ("WARNING", "ERROR", "CRITICAL"):
        log_error(CameraError(), severity=severity)
        assert handler.wait(10)
    assert [r.levelname for r in told.records] == ["ERROR", "ERROR", "CRITICAL"]


def test_failures_are_told_and_giving_up_once(tmp_path, told):
    answers.extend(["no"] * 9)
    handler = attach(tmp_path, camera_procedure(**QUICK))
    for _ in range(6):
        log_error(CameraError())
        assert handler.wait(10)
    assert len(calls) == 3
    assert len(told.texts(logging.CRITICAL)) == 1
    assert "given up after 3 attempts" in told.texts(logging.CRITICAL)[0]
    assert "visigate-errors recover reset camera" in told.texts(logging.CRITICAL)[0]


def test_budgets_survive_a_restart(tmp_path):
    answers.extend(["no"] * 9)
    for _ in range(5):
        handler = attach(tmp_path, camera_procedure(**QUICK))
        log_error(CameraError())
        assert handler.wait(10)
        LOG.removeHandler(handler)
        handler.close()
    assert len(calls) == 3


def test_an_error_during_the_rest_after_a_failure_is_taken_up_when_the_rest_is_over(tmp_path):
    answers.append("no")
    handler = attach(tmp_path, camera_procedure(cooldown=0.3, backoff={"initial": 0.3, "jitter": 0}))
    log_error(CameraError())
    assert handler.wait(10)
    log_error(CameraError())
    deadline = time.monotonic() + 10
    while len(calls) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(calls) == 2


def test_a_recovery_that_logs_the_same_error_does_not_loop(tmp_path):
    log_again.set()
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError())
    assert handler.wait(10)
    assert handler.wait(10)
    assert len(calls) == 1


def test_what_the_package_itself_logs_starts_nothing(tmp_path):
    handler = RecoveryHandler(camera_procedure(), state_dir=tmp_path / "state")
    logging.getLogger("visigate_logging").addHandler(handler)
    log_error(CameraError(), logging.getLogger("visigate_logging.recovery"))
    assert handler.wait(1)
    assert calls == []


def test_nothing_is_started_inside_a_step(tmp_path, monkeypatch):
    monkeypatch.setenv("VISIGATE_RECOVERY_SESSION", str(os.getsid(0)))
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError())
    assert handler.wait(1)
    assert calls == []


def test_a_dry_run_shows_the_plan_and_touches_nothing(tmp_path, told):
    steps = [REOPEN, {"command": {"argv": ["touch", str(tmp_path / "never")]}}]
    handler = attach(tmp_path, camera_procedure(steps=steps), dry_run=True)
    log_error(CameraError())
    assert handler.wait(10)
    assert calls == []
    assert not (tmp_path / "never").exists()
    assert "it would run reopen, then command" in told.texts()[0]


def test_a_step_that_hangs_with_grandchildren_is_ended_with_them_and_the_next_one_runs(tmp_path):
    script = f"sleep 300 & echo $! > {tmp_path}/grandchild; wait"
    hang = {"command": {"argv": ["sh", "-c", script], "timeout": 1}}
    handler = attach(tmp_path, camera_procedure(steps=[hang, REOPEN]))
    log_error(CameraError())
    assert handler.wait(20)
    assert len(calls) == 1
    grandchild = int((tmp_path / "grandchild").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(grandchild):
        time.sleep(0.02)
    assert not _runs(grandchild)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").exists()


def test_emit_does_not_wait_for_a_step(tmp_path):
    slow = {"command": {"argv": ["sleep", "1"]}}
    handler = attach(tmp_path, camera_procedure(steps=[slow]))
    started = time.monotonic()
    log_error(CameraError())
    assert time.monotonic() - started < 0.5
    assert handler.wait(10)


def test_one_process_at_a_time_runs_a_key_and_the_lock_goes_with_its_holder(tmp_path):
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from visigate_logging.recovery.budgets import host_lock
        lock = host_lock(Path({str(tmp_path / "state")!r}), "camera")
        assert lock.acquire()
        print("held", flush=True)
        time.sleep(300)
    """)
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError())
    assert handler.wait(10)
    assert calls == []
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    log_error(CameraError())
    assert handler.wait(10)
    assert len(calls) == 1


def test_behind_a_queue_the_class_name_is_matched_and_the_limit_is_told(tmp_path, told):
    handler = RecoveryHandler(camera_procedure(), state_dir=tmp_path / "state")
    records = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, handler)
    LOG.addHandler(logging.handlers.QueueHandler(records))
    listener.start()
    log_error(CameraError("no picture"))
    listener.stop()
    assert handler.wait(10)
    handler.close()
    assert len(calls) == 1
    assert any("as text: classes" in text for text in told.texts())


def test_a_child_forked_after_the_configuration_recovers_too(tmp_path):
    steps = [_touch(tmp_path / "{key}")]
    handler = attach(tmp_path, camera_procedure(steps=steps, key=["camera"]))
    log_error(CameraError(), camera="before")
    assert handler.wait(10)
    child = multiprocessing.get_context("fork").Process(
        target=log_error, args=(CameraError(),), kwargs={"camera": "after"}
    )
    child.start()
    child.join(30)
    assert (tmp_path / "before").exists()
    assert (tmp_path / "after").exists()


def test_a_forked_child_answers_its_own_error_though_the_parents_still_waits(tmp_path):
    steps = [{"command": {"argv": ["sleep", "0.5"]}}]
    handler = attach(tmp_path, camera_procedure(steps=steps, key=["camera"]))
    log_error(CameraError(), camera="first")  # keeps the worker busy
    log_error(CameraError(), camera="second")  # waits

    def child() -> None:
        log_error(CameraError(), camera="second")
        os._exit(0 if handler.counts()["folded"] == 0 and handler.counts()["accepted"] == 1 else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert handler.wait(20)


def _touch(path: Path) -> dict:
    return {"command": {"argv": ["touch", str(path)]}}


def test_an_error_logged_just_before_the_interpreter_ends_is_answered(tmp_path):
    script = textwrap.dedent(f"""
        import atexit, logging
        from visigate_logging.handlers.recovery import RecoveryHandler
        steps = [{{"command": {{"argv": ["touch", {str(tmp_path / "done")!r}]}}}}]
        procedures = {{"p": {{"exceptions": ["ValueError"], "steps": steps}}}}
        handler = RecoveryHandler(procedures, {str(tmp_path / "state")!r})
        logging.getLogger().addHandler(handler)
        try:
            raise ValueError
        except ValueError:
            logging.exception("the last words")
    """)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
    assert (tmp_path / "done").exists()


def database_procedure(database: Path, backup: Path) -> dict:
    return {
        "database": {
            "exceptions": ["DatabaseError", "sqlite3.DatabaseError"],
            "code": ["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN"],
            "steps": [{"restore_sqlite": {"database": str(database), "backups": [str(backup)]}}],
            "verify": {"probe": {"probe_sqlite": {"database": str(database)}}, "interval": 0},
        }
    }


def ask(database: Path) -> None:
    """What an application does: its own exception, raised from SQLite's."""
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
    try:
        connection.execute("SELECT sum(length(note)) FROM vehicles").fetchone()
    except sqlite3.DatabaseError as error:
        try:
            raise DatabaseError("cannot read the vehicles") from error
        except DatabaseError:
            LOG.exception("no vehicles")
    finally:
        connection.close()


def test_a_damaged_database_is_restored_because_the_application_logged_its_error(tmp_path, told):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    handler = attach(tmp_path, database_procedure(database, backup))
    DAMAGE["pages in the middle"](database)
    ask(database)
    assert handler.wait(30)
    assert content(database) == content(backup)
    assert "permits revoked since then are valid again" in told.texts(logging.CRITICAL)[0]
    ask(database)
    assert handler.wait(10)
    assert len(told.records) == 1


def test_a_locked_database_starts_no_child(tmp_path, told):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    handler = attach(tmp_path, database_procedure(database, backup))
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = DatabaseError()
    error.__cause__ = cause
    log_error(error)
    assert handler.wait(10)
    assert (handler.counts()["accepted"], told.records, audit(tmp_path)) == (0, [], [])


def database_error(code: int | None, text: str = "database disk image is malformed") -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    if code is not None:
        error.sqlite_errorcode = code
    return error


def test_what_a_procedure_refuses_displaces_nothing_and_costs_no_attempt_and_no_cooldown(tmp_path, told):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    handler = attach(tmp_path, database_procedure(database, backup))
    log_error(database_error(sqlite3.SQLITE_BUSY))
    log_error(database_error(sqlite3.SQLITE_ERROR, "no such table: x"))
    log_error(database_error(None))
    assert handler.wait(30)  # the database is still sound: refused
    assert Budgets(tmp_path / "state").load("database")[0].attempts == ()
    DAMAGE["pages in the middle"](database)
    log_error(database_error(sqlite3.SQLITE_BUSY))
    log_error(database_error(sqlite3.SQLITE_ERROR, "no such table: x"))
    log_error(database_error(sqlite3.SQLITE_CORRUPT))
    assert handler.wait(30)
    assert content(database) == content(backup)
    warnings = [t for r, t in zip(told.records, told.texts(), strict=True) if r.levelno == logging.WARNING]
    assert len(warnings) == 2, "each reason is told once"
    assert any("is sound" in text for text in warnings)
    assert any("has tables" in text for text in warnings)


def test_an_error_that_is_logged_as_text_in_its_except_block_starts_its_recovery(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    handler = attach(tmp_path, database_procedure(database, backup))
    DAMAGE["pages in the middle"](database)
    try:
        raise database_error(sqlite3.SQLITE_CORRUPT)
    except sqlite3.Error as e:
        LOG.error(f"Failed to read the vehicles: {e}")
    assert handler.wait(30)
    assert content(database) == content(backup)


class WrappedError(DatabaseError):
    """A library's, without the cause."""


@pytest.mark.parametrize("how", ["without a code", "from none", "through a queue", "a traceback as text"])
def test_an_error_without_a_code_makes_the_database_be_asked(tmp_path, how):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    handler = attach(tmp_path, database_procedure(database, backup))
    DAMAGE["pages in the middle"](database)
    if how == "without a code":
        log_error(database_error(None))
    elif how == "from none":
        error = WrappedError("reading failed: database disk image is malformed")
        error.__cause__, error.__suppress_context__ = None, True
        log_error(error)
    elif how == "a traceback as text":
        try:
            raise sqlite3.DatabaseError("database disk image is malformed")
        except sqlite3.Error:
            text = traceback.format_exc()
        LOG.error(f"Traceback: {text}")
    else:
        records = queue.SimpleQueue()
        logging.getLogger("gate.queued").addHandler(logging.handlers.QueueHandler(records))
        log_error(sqlite3.OperationalError("database disk image is malformed"), logging.getLogger("gate.queued"))
        handler.handle(records.get())
    assert handler.wait(30)
    assert content(database) == content(backup)


def test_a_handler_that_is_still_used_after_a_second_dictconfig_begins_again(tmp_path):
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "recovery": {
                "class": "visigate_logging.RecoveryHandler",
                "procedures": camera_procedure(**QUICK),
                "state_dir": str(tmp_path / "state"),
            }
        },
        "loggers": {"gate.database": {"handlers": ["recovery"]}},
    }
    logging.config.dictConfig(config)
    (handler,) = LOG.handlers
    log_error(CameraError())
    assert handler.wait(10)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as Django's setup does
    log_error(CameraError())
    assert handler.wait(10)
    assert len(calls) == 2
    assert handler.counts()["dropped"] == {}
    assert any(reference() is handler for reference in logging._handlerList), "and is closed at exit again"


def test_what_waits_is_told_ever_more_rarely_but_never_no_more():
    told_at = [n for n in range(1, 200) if is_worth_repeating(n)]
    assert told_at == [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 144, 192]


def test_a_reset_also_forgets_what_waits(tmp_path):
    marks = Marks(tmp_path / "state")
    (tmp_path / "state" / "recovery").mkdir(parents=True)
    for name in ("database", "other"):
        marks.set(Context(procedure=name))
    assert marks.forget("database") == 1
    assert [context.procedure for context in marks.pending()] == ["other"]


def test_what_was_deferred_is_finished_at_the_next_start_without_another_error(tmp_path, told):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    procedures = database_procedure(database, backup)
    procedures["database"] |= QUICK
    with holder(database, "idle"):
        handler = attach(tmp_path, procedures)
        DAMAGE["page 1"](database)
        ask(database)
        wait_until(lambda: len(told.records) >= 2, 60)
        assert all("deferred" in text for text in told.texts()), "it is told again while it waits"
        LOG.removeHandler(handler)
        handler.close()
    attach(tmp_path, database_procedure(database, backup))
    assert content(database) == content(backup)
    assert not list((tmp_path / "state" / "recovery").glob("*.pending"))
    wait_until(lambda: "at the start" in told.texts()[-1])


def test_what_was_left_unfinished_waits_until_a_handler_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(Reopen, "resumes", True)
    context = Context(procedure="camera", error_type="CameraError")
    (tmp_path / "state" / "recovery").mkdir(parents=True)
    Marks(tmp_path / "state").set(context)
    before = threading.enumerate()
    handler = RecoveryHandler(camera_procedure(), state_dir=tmp_path / "state")
    assert set(threading.enumerate()) <= set(before)
    LOG.addHandler(handler)
    handler.set_name("recover")
    assert [call["procedure"] for call in calls] == ["camera"]
    handler.close()


def test_a_restore_whose_whole_process_was_killed_is_finished_at_the_next_start(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    DAMAGE["all random"](database)
    procedures = database_procedure(database, backup)
    script = textwrap.dedent(f"""
        import logging, os, sqlite3, signal
        from visigate_logging.handlers.recovery import RecoveryHandler
        from visigate_logging.recovery import execution
        # The moment after the child was started is when the power goes.
        execution.run_in_child = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        handler = RecoveryHandler({procedures!r}, {str(tmp_path / "state")!r})
        error = sqlite3.DatabaseError("file is not a database")
        error.sqlite_errorcode = 26
        logging.getLogger().addHandler(handler)
        logging.error("x", exc_info=error)
        handler.wait(30)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    handler = attach(tmp_path, procedures)
    deadline = time.monotonic() + 20
    while list((tmp_path / "state" / "recovery").glob("*.pending")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert handler.wait(20)
    assert content(database) == content(backup)


def test_a_wrong_configuration_is_refused_by_dictconfig_and_names_the_key(tmp_path):
    config = {
        "version": 1,
        "handlers": {
            "recovery": {
                "class": "visigate_logging.handlers.recovery.RecoveryHandler",
                "procedures": {"p": {"exceptions": ["X"], "steps": [{"nosuch": {}}]}},
            }
        },
    }
    with pytest.raises(ValueError) as caught:
        logging.config.dictConfig(config)
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert caught.value.__cause__.key == "procedures.p.steps.0.nosuch"


def test_a_handler_whose_state_cannot_be_used_raises_nothing_and_runs_nothing(tmp_path, told):
    (tmp_path / "state").write_text("not a directory")
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError())
    assert handler.wait(10)
    assert calls == []
    assert any("could not be decided" in text for text in told.texts())


def test_a_reboot_is_asked_for_at_most_once_a_day(tmp_path, told, monkeypatch):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    stub = bin_dir / "systemctl"
    stub.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/systemctl.log\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    handler = attach(tmp_path, camera_procedure(steps=["reboot"], **QUICK), allow_reboot=True)
    for _ in range(2):
        log_error(CameraError())
        assert handler.wait(10)
    assert (tmp_path / "systemctl.log").read_text() == "reboot\n"
    assert "not again" in told.texts()[1]


@pytest.mark.stress
def test_the_caller_of_a_thousand_errors_waits_at_most_twice_as_long_at_p99(tmp_path):
    from visigate_logging.formatters import DetailFormatter
    from visigate_logging.handlers.json_file import JsonFileHandler

    details = JsonFileHandler(tmp_path / "details.jsonl")
    details.setFormatter(DetailFormatter())
    LOG.addHandler(details)

    def p99() -> float:
        times = []
        for _ in range(1000):
            error = DatabaseError("cannot read the vehicles")
            error.__cause__ = sqlite3.DatabaseError("malformed")
            started = time.perf_counter()
            log_error(error)
            times.append(time.perf_counter() - started)
            time.sleep(0.001)
        return sorted(times)[990]

    p99()
    without = min(p99() for _ in range(3))
    slow = {"command": {"argv": ["sleep", "4"]}}
    handler = attach(tmp_path, {"p": {"exceptions": ["DatabaseError"], "steps": [slow]}})
    within = min(p99() for _ in range(3))
    assert handler.wait(20)
    print(f"p99 without {without * 1e6:.0f} us, with {within * 1e6:.0f} us")
    assert handler.counts()["accepted"] == 3000
    assert len([line for line in audit(tmp_path) if line["event"] == "outcome"]) == 1
    assert within <= 2 * without


def test_a_run_that_failed_is_the_handlers_last_failure_without_secrets(tmp_path):
    answers.append("no picture from rtsp://admin:secret@10.0.0.7/1")
    handler = attach(tmp_path, camera_procedure())
    log_error(CameraError("dark"))
    assert handler.wait(10)
    handler.close()
    failed = host_failures(Budgets(tmp_path / "state").state)["recover"]
    assert failed["text"].startswith("camera failed: reopen: ")
    assert "secret" not in failed["text"]


class HostileClassError(Exception):
    """Raises when its class is asked."""

    @property
    def __class__(self):
        raise RuntimeError("class")


class HostileAttributesError(Exception):
    """Raises when anything is asked."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


class HostilePropertiesError(Exception):
    """Raises what ends programs."""

    @property
    def errno(self):
        raise LookupError

    @property
    def orig(self):
        raise ArithmeticError


def escaped(handler: logging.Handler, record: logging.LogRecord) -> str | None:
    """What reaches the application; its name alone, because pytest cannot show what is hostile."""
    try:
        handler.handle(record)
    except BaseException as error:
        return type(error).__name__
    return None


@pytest.mark.parametrize("kind", [HostileClassError, HostileAttributesError, HostilePropertiesError])
def test_a_hostile_exception_is_answered_like_any_other(kind, tmp_path, told, capsys):
    procedures = {"any": {"exceptions": ["Exception"], "message": "a*", "steps": [{"notify": {"message": "m"}}]}}
    handler = attach(tmp_path, procedures)
    assert escaped(handler, logging.LogRecord("gate", 40, __file__, 1, "m", (), (kind, kind("e"), None))) is None
    assert handler.wait(10)
    assert handler.counts()["accepted"] == 1
    assert any(f"(procedure any, {kind.__name__})" in text for text in told.texts(logging.CRITICAL))
    assert capsys.readouterr().err == ""


class HostileMessage:
    """Raises, when it is read, what raises when it is printed."""

    def __str__(self):
        raise HostileAttributesError


def test_a_record_that_cannot_be_read_is_no_error_of_the_application(tmp_path):
    handler = attach(tmp_path, camera_procedure())
    assert escaped(handler, logging.LogRecord("gate", 40, __file__, 1, HostileMessage(), (), None)) is None
    assert handler.counts()["accepted"] == 0
