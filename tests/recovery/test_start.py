"""A start finishes what was left, waits no longer than it says, and tells it when there is somebody to tell."""

import logging
import logging.config
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.recovery.databases import BACKED_UP, DAMAGE, content, make
from tests.waiting import wait_until
from visigate_logging import configure
from visigate_logging.handlers.recovery import RecoveryHandler
from visigate_logging.recovery import dispatcher
from visigate_logging.recovery.budgets import Budgets, Marks, host_lock
from visigate_logging.recovery.policy import Budget, begin
from visigate_logging.recovery.procedures import parse_procedures
from visigate_logging.recovery.steps.base import Context

SHIPPED = Path(__file__).parent.parent.parent / "logging.yaml"
WAITING = Context(procedure="database", event_id="e" * 32, error_type="DatabaseError", codes={"sqlite": 11})


def left_over(folder: Path, damage: str = "page 1") -> dict:
    """A damaged database whose restore was put off, and the procedures."""
    database, backup = make(folder / "gate.db", "delete"), make(folder / "backup.db", "delete", BACKED_UP)
    DAMAGE[damage](database)
    (folder / "state" / "recovery").mkdir(parents=True)
    Marks(folder / "state").set(WAITING)
    step = {"restore_sqlite": {"database": str(database), "backups": [str(backup)]}}
    return {"database": {"exceptions": ["DatabaseError"], "steps": [step]}}


def waits(folder: Path) -> bool:
    return any(Marks(folder / "state").pending())


def test_configure_returns_when_it_is_finished_and_the_new_handlers_are_told(tmp_path):
    handlers = {
        "recovery": {
            "class": "visigate_logging.RecoveryHandler",
            "procedures": left_over(tmp_path),
            "state_dir": str(tmp_path / "state"),
        },
        "told": {"class": "logging.FileHandler", "filename": str(tmp_path / "told.log")},
    }
    path = tmp_path / "logging.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "handlers": handlers, "root": {"handlers": ["recovery", "told"]}}))
    configure(path)
    assert content(tmp_path / "gate.db") == content(tmp_path / "backup.db")
    assert not waits(tmp_path)
    wait_until(lambda: "at the start: restore_sqlite: " in (tmp_path / "told.log").read_text())


def test_a_start_does_not_wait_longer_than_it_may_and_what_is_not_finished_is_kept(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(dispatcher, "AT_START", 0.05)
    database = tmp_path / "gate.db"
    procedures = left_over(tmp_path, "pages in the middle")
    # Its lock makes the step wait, and so take longer than it may.
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        handler = RecoveryHandler(procedures, tmp_path / "state")
        started = time.monotonic()
        handler.set_name("recovery")
        assert time.monotonic() - started < 15
    assert waits(tmp_path)
    logging.getLogger("gate").addHandler(handler)
    assert handler.wait(20)
    assert "deferred: at the start: restore_sqlite: restore_sqlite was ended after" in caplog.text
    handler.close()
    budgets = Budgets(tmp_path / "state")
    assert budgets.load("database")[0].attempts == ()
    budgets.state.close()


def test_a_start_waits_for_a_process_that_is_at_it_already(tmp_path):
    procedures = left_over(tmp_path)
    lock = host_lock(tmp_path / "state", "database")
    assert lock.acquire()

    def finish() -> None:
        Marks(tmp_path / "state").clear(WAITING)
        lock.release()

    other = threading.Timer(0.5, finish)
    other.start()
    handler = RecoveryHandler(procedures, tmp_path / "state")
    handler.set_name("recovery")
    assert not other.is_alive() or not lock.held
    assert not list(tmp_path.glob("gate.db.damaged-*")), "it was not done twice"
    logging.getLogger("gate").addHandler(handler)
    handler.close()
    other.join()


def test_an_interruption_does_not_use_up_the_only_attempt(tmp_path):
    procedures = left_over(tmp_path)
    procedures["database"]["max_attempts"] = 1
    budgets = Budgets(tmp_path / "state")
    _, now = budgets.load("database")

    budgets.save("database", begin(Budget(), now))
    budgets.state.close()
    handler = RecoveryHandler(procedures, tmp_path / "state")
    handler.set_name("recovery")
    assert content(tmp_path / "gate.db") == content(tmp_path / "backup.db")
    logging.getLogger("gate").addHandler(handler)
    handler.close()


class CameraError(Exception):
    """The application's own."""


class NetworkError(Exception):
    """The application's own."""


class DatabaseError(Exception):
    """The application's own."""


@pytest.mark.parametrize("kind", [CameraError, NetworkError, DatabaseError])
def test_as_shipped_nothing_acts_or_connects_unasked(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    given = yaml.safe_load(SHIPPED.read_text("utf-8"))["handlers"]["recovery"]["procedures"]
    assert [procedure.name for procedure in parse_procedures(given)] == ["database"]
    logging.config.dictConfig(yaml.safe_load(SHIPPED.read_text("utf-8")))
    (handler,) = (h for h in logging.root.handlers if isinstance(h, RecoveryHandler))
    try:
        raise kind
    except kind:
        logging.getLogger("gate").exception("x", extra={"camera": 7})
    assert handler.wait(20)
    assert handler.counts()["accepted"] == (kind is DatabaseError)
    assert not (tmp_path / "data").exists()
    assert "given up" not in (tmp_path / "logs/errors/error.log").read_text()
