"""Backups keep good generations: what has collapsed pushes none of them out."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import DAMAGE, EMPTIED, content, fingerprints, make
from visigate_logging.recovery.sqlite.backups import shift
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context, Outcome, Status

DAY = 86_400


def backup(database: Path, target: Path, **options: object) -> Outcome:
    return STEPS["backup_sqlite"](database=str(database), backup=str(target), **options).run(Context())


def execute(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vehicles (id INTEGER PRIMARY KEY, plate TEXT NOT NULL, note TEXT)",
    "CREATE TABLE IF NOT EXISTS permits (plate TEXT PRIMARY KEY, valid INTEGER)",
)


@pytest.mark.parametrize("how", [*EMPTIED, "0 bytes", "missing file"])
def test_ten_nights_after_a_database_was_emptied_a_good_generation_is_left(tmp_path, how):
    database, target = make(tmp_path / "gate.db", "wal"), tmp_path / "backups" / "gate.db"
    good = content(database)
    assert backup(database, target).status is Status.DONE
    (DAMAGE | EMPTIED)[how](database)
    for night in range(10):
        if night == 1:  # the application's start makes its tables anew
            execute(database, *SCHEMA)
        outcome = backup(database, target)
        assert outcome.status is Status.FAILED, f"night {night}"
        assert content(target) == good, f"night {night}"
        if night >= 1:  # and the gate goes on, so that it is not even empty any more
            execute(database, f"INSERT INTO vehicles (plate) VALUES ('NEW{night}')")


def collapse(name: str) -> tuple[str, ...]:
    return {
        "one table emptied": ("DELETE FROM permits",),
        "one table dropped": ("DROP TABLE permits",),
        "most of a table": ("DELETE FROM vehicles WHERE id > 100",),
        "of another application": ("PRAGMA application_id=8",),
    }[name]


@pytest.mark.parametrize(
    "name", ["one table emptied", "one table dropped", "most of a table", "of another application"]
)
def test_what_has_collapsed_is_refused_until_a_person_accepts_it(tmp_path, name):
    database, target = make(tmp_path / "gate.db", "delete"), tmp_path / "backups" / "gate.db"
    backup(database, target)
    before = fingerprints(target.parent)
    execute(database, *collapse(name))
    outcome = backup(database, target)
    assert outcome.status is Status.FAILED
    assert "--accept-loss" in outcome.message
    assert fingerprints(target.parent) == before
    assert backup(database, target, accept_loss=True).status is Status.DONE


def test_what_a_gate_does_every_day_is_no_collapse(tmp_path):
    database, target = make(tmp_path / "gate.db", "delete"), tmp_path / "backups" / "gate.db"
    execute(database, "CREATE TABLE waiting (plate TEXT)", "INSERT INTO waiting VALUES ('P1')")
    backup(database, target)
    execute(database, "DELETE FROM vehicles WHERE id < 200", "DELETE FROM waiting")
    assert backup(database, target, ignore=("waiting",)).status is Status.DONE
    execute(database, "DELETE FROM vehicles WHERE id < 500")
    assert backup(database, target, max_loss=0.9, ignore=("waiting",)).status is Status.DONE


def test_a_generation_of_the_day_the_week_and_the_month_stay_beside_the_last_three(tmp_path):
    target, start = tmp_path / "gate.db", 1_700_000_000
    for night in range(120):
        shift(target, 3)
        target.touch()
        os.utime(target, (start + night * DAY, start + night * DAY))
    age = {p.name: 119 - (p.stat().st_mtime - start) / DAY for p in tmp_path.iterdir()}
    assert age.keys() == {"gate.db", *(f"gate.db.{name}" for name in ("1", "2", "daily", "weekly", "monthly"))}
    assert (age["gate.db"], age["gate.db.1"], age["gate.db.2"]) == (0, 1, 2)
    assert 3 <= age["gate.db.daily"] <= 5
    assert 4 <= age["gate.db.weekly"] <= 13
    assert 11 <= age["gate.db.monthly"] <= 50


def test_a_restore_finds_the_older_generations(tmp_path):
    database = make(tmp_path / "gate.db", "delete")
    make(tmp_path / "backup.db.monthly", "delete", 100)
    make(tmp_path / "backup.db.weekly", "delete", 200)
    DAMAGE["half"](database)
    step = STEPS["restore_sqlite"](database=str(database), backups=(str(tmp_path / "backup.db"),))
    assert step.run(Context(codes={"sqlite": 11})).status is Status.DONE
    assert len(content(database)) == 200
