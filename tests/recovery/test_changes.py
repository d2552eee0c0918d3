"""The rows that differ between a damaged database and its backup, as far as they can be read."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import PAGE, noise
from visigate_logging.recovery.sqlite.changes import bring_back, save_changes

TABLES = (
    "CREATE TABLE passages (id INTEGER PRIMARY KEY, picture BLOB, weight REAL, note TEXT)",
    "CREATE TABLE permits (plate TEXT, zone INTEGER, until TEXT, PRIMARY KEY (plate, zone)) WITHOUT ROWID",
    'CREATE TABLE "odd ""name" (value)',
)


def two(folder: Path, *changes: str, rows: int = 300) -> tuple[Path, Path]:
    """A database, and its backup from before the changes."""
    paths = folder / "damaged.db", folder / "backup.db"
    for path, statements in zip(paths, (changes, ()), strict=True):
        with closing(sqlite3.connect(path)) as connection:
            for statement in TABLES:
                connection.execute(statement)
            filling = [(n, bytes([n % 256]) * 50, n / 7, "x" * 200) for n in range(1, rows + 1)]
            connection.executemany("INSERT INTO passages VALUES (?, ?, ?, ?)", filling)
            connection.executemany("INSERT INTO permits VALUES (?, ?, '2027')", [(f"P{n}", n % 3) for n in range(90)])
            connection.execute('INSERT INTO "odd ""name" VALUES (1)')
            connection.commit()
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    return paths


CHANGES = (
    "INSERT INTO passages VALUES (301, x'00ff', 1.5, NULL)",
    "UPDATE passages SET picture = x'beef' WHERE id = 3",
    "DELETE FROM passages WHERE id IN (1, 150, 300)",
    "INSERT INTO permits VALUES ('NEW', 1, '2028')",
    "UPDATE permits SET until = '2026' WHERE plate = 'P7'",
    "DELETE FROM permits WHERE plate = 'P8'",
    'UPDATE "odd ""name" SET value = 2',
)


def contents(path: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = ("passages", "permits", '"odd ""name"')
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


def test_each_kind_of_change_is_listed_and_bringing_all_back_gives_the_same_database(tmp_path):
    damaged, backup = two(tmp_path, *CHANGES)
    counts = save_changes(damaged, backup, tmp_path / "changes.jsonl")
    assert counts == {
        "passages": {"added": 1, "changed": 1, "deleted": 3},
        "permits": {"added": 1, "changed": 1, "deleted": 1},
        'odd "name': {"changed": 1},
    }
    bring_back(backup, map(json.loads, (tmp_path / "changes.jsonl").read_text().splitlines()))
    assert contents(backup) == contents(damaged)


def test_nothing_is_listed_where_nothing_differs(tmp_path):
    damaged, backup = two(tmp_path)
    assert save_changes(damaged, backup, tmp_path / "changes.jsonl") == {}
    assert (tmp_path / "changes.jsonl").read_text() == ""


def test_a_row_that_cannot_be_read_is_not_taken_for_deleted(tmp_path):
    damaged, backup = two(tmp_path, "DELETE FROM passages WHERE id IN (2, 299)")
    with closing(sqlite3.connect(damaged)) as connection:
        statement = "SELECT pageno FROM dbstat WHERE name = 'passages' AND pagetype = 'leaf' ORDER BY path"
        try:
            leaves = [page for (page,) in connection.execute(statement)]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no dbstat")
    with damaged.open("r+b") as file:
        file.seek((leaves[len(leaves) // 2] - 1) * PAGE)
        file.write(noise(PAGE))
    counts = save_changes(damaged, backup, tmp_path / "changes.jsonl")
    assert counts == {"passages": {"deleted": 2}}
