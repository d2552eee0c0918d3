"""A service that holds its database, through dictConfig: what is damaged comes back, at the latest at its restart."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import ALL_DAMAGE, BACKED_UP, DAMAGE, EMPTIED, content, holder, make
from tests.recovery.service import Service, configuration, running

MODES = ("wal", "delete")
HOLDERS = ("none", "itself", "idle", "writing")
EVERYTHING = [(damage, mode, kind) for damage in ALL_DAMAGE for mode in MODES for kind in HOLDERS]
SAMPLE = [
    ("removed, then made anew", "delete", "idle"),
    ("0 bytes", "wal", "itself"),
]


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    yield
    for service in list(running):
        service.kill()


def marks(folder: Path) -> list[Path]:
    return list((folder / "state" / "recovery").glob("*.pending"))


def told(folder: Path) -> list[str]:
    return (folder / "told.log").read_text().splitlines()


def check(folder: Path, damage: str, mode: str, kind: str) -> str:
    """What became of it: restored, restored by a restart, or not noticed; anything else is wrong."""
    database, backup = make(folder / "gate.db", mode), make(folder / "backup.db", mode, BACKED_UP)
    old, good = content(database), content(backup)
    configuration(folder, database, backup)
    service = Service(folder, database)
    with holder(database, kind if kind in {"idle", "writing"} else "none"):
        if kind == "itself":
            service.call("hold")
        ALL_DAMAGE[damage](database)
        code = service.call("look")
        waits = bool(marks(folder))
    if not waits:
        service.stop()
        return _settled(folder, database, code, old, good)
    service.stop()
    service = Service(folder, database)
    assert not marks(folder), told(folder)
    assert service.call("look") == 0
    service.stop()
    assert content(database) - {"BEFORE", "UNINDEXED"} in (good, old)
    return "by a restart"


def _settled(folder: Path, database: Path, code: int, old: set[str], good: set[str]) -> str:
    found = content(database) - {"BEFORE", "UNINDEXED"}
    if code:
        assert found in (good, old), told(folder)
        return "at once"
    assert found <= old, "nobody noticed, and nothing was done"
    return "not noticed"


@pytest.mark.parametrize(("damage", "mode", "kind"), SAMPLE)
def test_what_is_damaged_is_restored_at_once_or_by_a_restart(tmp_path, damage, mode, kind):
    assert check(tmp_path, damage, mode, kind) in {"at once", "by a restart"}


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_56_cases_of_damage_with_4_kinds_of_holders(tmp_path):
    became, wrong = Counter(), []
    for damage, mode, kind in EVERYTHING:
        folder = tmp_path / "case"
        folder.mkdir()
        try:
            end = check(folder, damage, mode, kind)
        except Exception as error:
            end = "wrong"
            wrong.append(f"{damage} / {mode} / {kind}: {type(error).__name__} {error}"[:600])
        became[kind, end] += 1
        print(f"{damage} / {mode} / {kind}: {end}", flush=True)
        shutil.rmtree(folder)
    print(dict(became))
    assert not wrong, "\n".join(wrong)


def test_a_service_that_holds_its_database_is_named_and_a_restart_is_enough(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    configuration(tmp_path, database, backup)
    service = Service(tmp_path, database)
    service.call("hold")
    DAMAGE["page 1"](database)
    assert service.call("look")
    assert marks(tmp_path)
    (line,) = told(tmp_path)
    assert f"this service itself (pid {service.process.pid})" in line
    service.stop()
    restarted = Service(tmp_path, database)
    assert not marks(tmp_path)
    assert content(database) == content(backup), "before dictConfig has returned"
    assert restarted.call("look") == 0
    restarted.stop()
    assert "at the start: restore_sqlite: " in told(tmp_path)[-1]
    assert told(tmp_path)[-1].startswith("CRITICAL")


def test_a_function_that_closes_the_services_own_connections_makes_a_restart_needless(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    configuration(tmp_path, database, backup, release="service:close")
    service = Service(tmp_path, database)
    service.call("hold")
    DAMAGE["page 1"](database)
    assert service.call("look")
    assert content(database) == content(backup)
    assert service.call("look") == 0
    service.stop()


@pytest.mark.parametrize("how", EMPTIED)
def test_an_emptied_database_comes_back_although_it_only_says_no_such_table(tmp_path, how):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    configuration(tmp_path, database, backup, code=["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN"])
    service = Service(tmp_path, database)
    EMPTIED[how](database)
    assert service.call("look") == sqlite3.SQLITE_ERROR
    service.stop()
    assert content(database) == content(backup)
    assert f"make the file {database.name}.keep-empty beside it" in told(tmp_path)[-1]


def test_no_such_table_in_a_database_that_has_tables_is_left_alone_and_told_once(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE permits")
    before = database.read_bytes()
    configuration(tmp_path, database, backup)
    service = Service(tmp_path, database)
    assert [service.call("look") for _ in range(2)] == [sqlite3.SQLITE_ERROR] * 2
    service.stop()
    assert database.read_bytes() == before
    (line,) = told(tmp_path)
    assert line.startswith("WARNING")
    assert "has tables" in line


def test_a_database_that_is_empty_on_purpose_stays_empty(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    configuration(tmp_path, database, backup)
    (tmp_path / "gate.db.keep-empty").touch()
    DAMAGE["0 bytes"](database)
    service = Service(tmp_path, database)
    assert service.call("look") == sqlite3.SQLITE_ERROR
    service.stop()
    assert database.stat().st_size == 0
    assert "gate.db.keep-empty says that it shall be" in told(tmp_path)[-1]
