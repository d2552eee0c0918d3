"""A backup is compared with what it replaces: another application's database is never restored."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import BACKED_UP, DAMAGE, content, fingerprints, make
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context, Outcome, Status


def restore(database: Path, *backups: Path) -> Outcome:
    step = STEPS["restore_sqlite"](database=str(database), backups=tuple(map(str, backups)))
    return step.run(Context(codes={"sqlite": sqlite3.SQLITE_CORRUPT}))


def other(path: Path, kind: str) -> Path:
    """A sound database that is not the gate's."""
    if kind != "another application's":
        make(path, "delete", BACKED_UP)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if kind == "another application's":
            connection.execute("CREATE TABLE songs (title TEXT)")
            connection.execute("INSERT INTO songs VALUES ('x')")
        elif kind == "another schema":
            connection.execute("ALTER TABLE permits ADD COLUMN until TEXT")
        elif kind == "a table less":
            connection.execute("DROP TABLE permits")
        else:
            connection.execute("PRAGMA application_id=8")
    return path


@pytest.mark.parametrize(
    "kind", ["another application's", "another schema", "a table less", "another application_id"]
)
def test_on_doubt_nothing_is_touched_and_that_is_told(tmp_path, kind):
    database, backup = make(tmp_path / "gate.db", "delete"), other(tmp_path / "backup.db", kind)
    DAMAGE["pages in the middle"](database)
    before = fingerprints(tmp_path)
    outcome = restore(database, backup)
    assert outcome.status is Status.FAILED
    assert "may be of another database; nothing was touched" in outcome.message
    assert fingerprints(tmp_path) == before


@pytest.mark.parametrize("kind", ["another application's", "another application_id"])
def test_the_newest_generation_that_is_its_own_is_taken(tmp_path, kind):
    database, backup = make(tmp_path / "gate.db", "delete"), other(tmp_path / "backup.db", kind)
    good = content(make(tmp_path / "backup.db.1", "delete", BACKED_UP))
    DAMAGE["pages in the middle"](database)
    outcome = restore(database, backup)
    assert outcome.status is Status.DONE
    assert "not from the newest, for" in outcome.message
    assert content(database) == good


@pytest.mark.parametrize("damage", ["magic", "header random", "page 1", "0 bytes", "missing file", "all random"])
def test_when_the_file_says_nothing_older_generations_are_asked(tmp_path, damage):
    database, backup = make(tmp_path / "gate.db", "delete"), other(tmp_path / "backup.db", "another application's")
    make(tmp_path / "backup.db.1", "delete", BACKED_UP)
    DAMAGE[damage](database)
    before = fingerprints(tmp_path)
    assert restore(database, backup).status is Status.FAILED
    assert fingerprints(tmp_path) == before


def test_tables_that_were_added_since_the_older_generation_are_no_doubt(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    other(tmp_path / "backup.db.1", "a table less")
    DAMAGE["header random"](database)
    assert restore(database, backup).status is Status.DONE


@pytest.mark.parametrize("damage", ["magic", "header random"])
def test_without_older_generations_the_bytes_of_the_file_are_asked(tmp_path, damage):
    database, backup = make(tmp_path / "gate.db", "delete"), other(tmp_path / "backup.db", "another application's")
    DAMAGE[damage](database)
    outcome = restore(database, backup)
    assert outcome.status is Status.FAILED
    assert "the damaged file speaks of permits, vehicles" in outcome.message
