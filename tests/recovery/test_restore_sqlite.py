"""A damaged database is restored, or deferred and then restored, or left alone; never empty, never mixed."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.recovery.databases import (
    BACKED_UP,
    CURRENT,
    DAMAGE,
    PAGE,
    Holder,
    content,
    error_code,
    fingerprints,
    holder,
    make,
    noise,
)
from visigate_logging.recovery.process import run_in_child
from visigate_logging.recovery.steps.base import Context, Outcome, Status

CORRUPT = Context(
    event_id="0" * 24 + "12345678", error_type="DatabaseError", codes={"sqlite": sqlite3.SQLITE_CORRUPT}
)
MODES = ("wal", "delete")
HOLDERS = ("none", "idle", "writing")
EVERYTHING = [(damage, mode, kind) for damage in DAMAGE for mode in MODES for kind in HOLDERS]
# What a normal run checks: each kind of damage once, every combination of mode and holder twice or more.
SAMPLE = [
    ("magic", "wal", "writing"),
    ("header zeroed", "delete", "idle"),
    ("header random", "wal", "none"),
    ("page size", "wal", "writing"),
    ("schema", "wal", "idle"),
    ("page 1", "delete", "writing"),
    ("pages in the middle", "wal", "writing"),
    ("pages in the middle", "delete", "writing"),
    ("all but page 1", "delete", "none"),
    ("half", "wal", "idle"),
    ("odd", "delete", "idle"),
    ("10 bytes", "delete", "none"),
    ("0 bytes", "wal", "writing"),
    ("0 bytes", "delete", "none"),
    ("all random", "wal", "idle"),
    ("lost index entry", "wal", "writing"),
    ("missing file", "wal", "writing"),
    ("missing file", "delete", "idle"),
    ("missing wal", "wal", "writing"),
    ("missing wal", "wal", "none"),
]


def restore(database: Path, backup: Path, context: Context = CORRUPT) -> Outcome:
    parameters = {"database": str(database), "backups": [str(backup)]}
    return run_in_child("restore_sqlite", parameters, context, 60)


def kept(database: Path) -> dict[str, str]:
    """The files that hold data; a -shm is only shared memory, which every reader writes to."""
    return {n: h for n, h in fingerprints(database.parent).items() if n.startswith("gate") and not n.endswith("-shm")}


def check_matrix(tmp_path: Path, damage: str, mode: str, kind: str) -> Status:
    database, backup = make(tmp_path / "gate.db", mode), make(tmp_path / "backup.db", mode, BACKED_UP)
    old, good = content(database), content(backup)
    with holder(database, kind) as held:
        DAMAGE[damage](database)
        before = kept(database)
        outcome = restore(database, backup)
        if outcome.status is Status.DONE:
            allowed = [good, old | {"UNINDEXED"}, old | {"UNINDEXED", "BEFORE"}]
            assert content(database) in allowed
            if held is not None:
                answer = held.tell("after")
                now = content(database)
                # A writer may be told that its file has gone; a commit that succeeds is in the file that others see.
                assert ("AFTER" in now) == (answer == "ok"), answer
                assert answer == "ok" or damage == "missing file"
                assert now - {"AFTER"} in allowed
        else:
            assert kept(database) == before
    if outcome.status is Status.DEFERRED:
        again = restore(database, backup)
        assert again.status in {Status.DONE, Status.REFUSED}, again.message
    if outcome.status in {Status.DEFERRED, Status.DONE}:
        assert content(database) - {"AFTER", "BEFORE", "UNINDEXED"} in (good, old)
    return outcome.status


@pytest.mark.parametrize(("damage", "mode", "kind"), SAMPLE)
def test_whatever_is_damaged_a_restore_is_whole_or_deferred_or_not_begun(tmp_path, damage, mode, kind):
    status = check_matrix(tmp_path, damage, mode, kind)
    assert status in {Status.DONE, Status.DEFERRED} or damage == "missing wal"


@pytest.mark.stress
@pytest.mark.parametrize(("damage", "mode", "kind"), EVERYTHING)
def test_every_damage_in_every_mode_with_every_holder(tmp_path, damage, mode, kind):
    status = check_matrix(tmp_path, damage, mode, kind)
    print(f"{damage} / {mode} / {kind}: {status}")
    assert status in {Status.DONE, Status.DEFERRED} or damage == "missing wal"


def test_a_lost_index_entry_is_mended_without_losing_a_row(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    before = content(database)
    DAMAGE["lost index entry"](database)
    outcome = restore(database, backup)
    assert outcome.status is Status.DONE
    assert "built anew" in outcome.message
    assert content(database) == before | {"UNINDEXED"}


def test_indexes_that_cannot_be_unique_any_more_are_left_as_they_are(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE UNIQUE INDEX once ON vehicles (plate)")
        connection.execute("PRAGMA writable_schema=ON")
        index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'once'").fetchone()
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'once'")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO vehicles (plate) VALUES ('P00001')")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    before = database.read_bytes()
    outcome = restore(database, backup)
    assert outcome.status is Status.FAILED
    assert "by hand" in outcome.message
    assert database.read_bytes() == before


NOT_DAMAGE = {
    "locked": sqlite3.SQLITE_BUSY,
    "locked in shared cache": sqlite3.SQLITE_LOCKED,
    "busy snapshot": sqlite3.SQLITE_BUSY_SNAPSHOT,
    "disk error": sqlite3.SQLITE_IOERR,
    "short read": sqlite3.SQLITE_IOERR_SHORT_READ,
    "disk full": sqlite3.SQLITE_FULL,
    "read-only": sqlite3.SQLITE_READONLY,
    "no such table": sqlite3.SQLITE_ERROR,
    "constraint": sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    "type mismatch": sqlite3.SQLITE_MISMATCH,
    "not authorised": sqlite3.SQLITE_AUTH,
    "cannot open a file that is there": sqlite3.SQLITE_CANTOPEN,
    "schema changed": sqlite3.SQLITE_SCHEMA,
    "too big": sqlite3.SQLITE_TOOBIG,
    "misuse": sqlite3.SQLITE_MISUSE,
}


@pytest.mark.parametrize("reason", NOT_DAMAGE)
def test_what_is_not_damage_by_its_code_leaves_every_byte_even_of_a_damaged_database(tmp_path, reason):
    from visigate_logging.recovery.sqlite.restore import restore as in_process

    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    DAMAGE["pages in the middle"](database)
    before = fingerprints(tmp_path)
    code = NOT_DAMAGE[reason]
    outcome = in_process(database, [str(backup)], Context(codes={"sqlite": code}))
    assert outcome.status is Status.REFUSED
    assert fingerprints(tmp_path) == before


@pytest.mark.parametrize("mode", MODES)
def test_a_false_alarm_leaves_every_byte(tmp_path, mode):
    database, backup = make(tmp_path / "gate.db", mode), make(tmp_path / "backup.db", mode, BACKED_UP)
    before = fingerprints(tmp_path)
    outcome = restore(database, backup)
    assert outcome.status is Status.REFUSED
    assert "sound" in outcome.message
    assert fingerprints(tmp_path) == before


def test_a_wal_left_by_a_killed_process_is_not_touched_by_a_false_alarm(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    held = Holder(database, "writing")
    held.kill()
    before = kept(database)
    assert before.keys() == {"gate.db", "gate.db-wal"}
    assert restore(database, backup).status is Status.REFUSED
    assert kept(database) == before


def test_an_empty_database_is_restored_although_every_check_passes_on_it(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    DAMAGE["0 bytes"](database)
    assert restore(database, backup).status is Status.DONE
    assert content(database) == content(backup)


def test_without_a_sound_backup_nothing_is_touched_and_that_is_told(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    DAMAGE["pages in the middle"](database)
    DAMAGE["half"](backup)
    (tmp_path / "backup.db.1").touch()  # an empty file passes every check
    before = fingerprints(tmp_path)
    outcome = restore(database, backup)
    assert outcome.status is Status.FAILED
    assert "no backup of it is sound; nothing was touched" in outcome.message
    assert str(backup) in outcome.message
    assert fingerprints(tmp_path) == before


def test_the_newest_sound_generation_is_taken(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    make(tmp_path / "backup.db.1", "wal", 400)
    make(tmp_path / "backup.db.2", "wal", 300)
    DAMAGE["page 1"](database)
    DAMAGE["schema"](backup)
    assert restore(database, backup).status is Status.DONE
    assert len(content(database)) == 400


def test_too_little_space_is_told_and_nothing_is_touched(tmp_path, monkeypatch):
    from visigate_logging.recovery.sqlite import restore as module

    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    DAMAGE["half"](database)
    before = fingerprints(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 5, 5))
    outcome = module.restore(database, [str(backup)], CORRUPT)
    assert outcome.status is Status.FAILED
    assert "5 bytes are free" in outcome.message
    assert fingerprints(tmp_path) == before


def test_a_card_too_full_to_list_the_rows_makes_no_failure_of_a_restore(tmp_path, monkeypatch):
    from visigate_logging.recovery.sqlite import restore as module

    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    DAMAGE["pages in the middle"](database)

    def full(*_arguments: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.changes, "save_changes", full)
    outcome = module.restore(database, [str(backup)], CORRUPT)
    assert outcome.status is Status.DONE
    assert "could not be listed ([Errno 28] No space left on device)" in outcome.message
    assert content(database) == content(backup)


def test_the_damaged_files_are_kept_with_the_newer_rows_and_the_loss_is_told_loudly(tmp_path):
    backup = make(tmp_path / "backup.db", "delete", BACKED_UP)
    database = make(tmp_path / "gate.db", "delete")
    with database.open("r+b") as file:  # a leaf of the permits, so that the vehicles can still be read
        file.seek(database.stat().st_size - PAGE)
        file.write(noise(PAGE))
    damaged = database.read_bytes()
    outcome = restore(database, backup)
    aside = Path(outcome.details["aside"])
    assert outcome.status is Status.DONE
    assert (aside / "gate.db").read_bytes() == damaged
    newer = [json.loads(line) for line in (aside / "changes.jsonl").read_text().splitlines()]
    assert {row["row"]["plate"] for row in newer if row["table"] == "vehicles"} == {
        f"P{i:05}" for i in range(BACKED_UP, CURRENT)
    }
    assert outcome.details["changes"]["vehicles"] == {"added": CURRENT - BACKED_UP}
    assert "permits revoked since then are valid again" in outcome.message
    assert "hours ago" in outcome.message


def test_a_wal_left_by_a_killed_process_is_kept_aside_too(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    held = Holder(database, "writing")
    held.kill()
    wal = (tmp_path / "gate.db-wal").read_bytes()
    DAMAGE["pages in the middle"](database)
    outcome = restore(database, backup)
    assert outcome.status is Status.DONE
    assert (Path(outcome.details["aside"]) / "gate.db-wal").read_bytes() == wal
    assert content(database) == content(backup)


@pytest.mark.skipif(hasattr(sqlite3.Connection, "setconfig"), reason="from Python 3.12 no extra is needed")
def test_without_apsw_a_damaged_first_page_is_left_alone_and_the_extra_named(tmp_path, monkeypatch):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    DAMAGE["magic"](database)
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "apsw.py").write_text("raise ImportError('no apsw')")
    monkeypatch.syspath_prepend(tmp_path / "without")
    before = fingerprints(tmp_path)
    outcome = restore(database, backup)
    assert outcome.status is Status.FAILED
    assert "visigate-logging[recovery]" in outcome.message
    assert fingerprints(tmp_path) == before


def test_a_transaction_of_another_process_defers_the_restore_and_then_commits(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    with holder(database, "idle") as held:
        assert held.tell("begin") == "ok"
        DAMAGE["pages in the middle"](database)
        assert restore(database, backup).status is Status.DEFERRED
        held.tell("commit")
    assert restore(database, backup).status is Status.DONE
    assert content(database) == content(backup)


def test_the_callers_own_transaction_and_locks_survive_a_restore_step(tmp_path):
    database, backup = make(tmp_path / "gate.db", "delete"), make(tmp_path / "backup.db", "delete", BACKED_UP)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO vehicles (plate) VALUES ('MINE')")
        outcome = restore(database, backup)  # finds the database locked, or sound; either way it only looks
        assert outcome.status in {Status.REFUSED, Status.DEFERRED}
        script = f"import sqlite3; sqlite3.connect({str(database)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert "database is locked" in other.stderr
        connection.execute("COMMIT")
    assert "MINE" in content(database)


def start_child(database: Path, backup: Path) -> subprocess.Popen:
    request = {
        "step": "restore_sqlite",
        "parameters": {"database": str(database), "backups": [str(backup)]},
        "context": asdict(CORRUPT),
        "pythonpath": None,
        "timeout": 60,
        "act": "run",
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "visigate_logging.recovery.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    child.stdin.write(json.dumps(request).encode())
    child.stdin.close()
    return child


def kill_and_start_again(tmp_path: Path, times: int) -> int:
    chance = random.Random(7)
    pristine = make(tmp_path / "pristine.db", "delete", 20_000)
    backup = make(tmp_path / "backup.db", "delete", 15_000)
    database = tmp_path / "gate.db"
    good = content(backup)
    shutil.copy(pristine, database)
    DAMAGE["pages in the middle"](database)
    started = time.monotonic()
    start_child(database, backup).wait()
    longest = time.monotonic() - started
    killed = 0
    for number in range(times):
        for path in tmp_path.glob("gate.db*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copy(pristine, database)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(f"PRAGMA journal_mode={MODES[number % 2]}")
        DAMAGE[("pages in the middle", "page 1", "half", "missing file")[number % 4]](database)
        child = start_child(database, backup)
        time.sleep(chance.uniform(0.3 * longest, longest))
        os.killpg(child.pid, signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        assert restore(database, backup).status in {Status.DONE, Status.REFUSED}
        assert content(database) == good
        assert not list(tmp_path.glob("*.partial")), "what was begun is not left lying about"
    return killed


def test_killed_at_any_moment_the_next_start_gives_a_good_database(tmp_path):
    kill_and_start_again(tmp_path, 4)


@pytest.mark.stress
def test_killed_fifty_times_at_random_the_next_start_gives_a_good_database(tmp_path):
    print("killed while at work:", kill_and_start_again(tmp_path, 60), "of 60")


@pytest.mark.parametrize("mode", MODES)
def test_six_processes_at_once_make_one_restore_and_one_set_of_files_aside(tmp_path, mode):
    database, backup = make(tmp_path / "gate.db", mode, 20_000), make(tmp_path / "backup.db", mode, 15_000)
    DAMAGE["pages in the middle"](database)

    def one(number: int) -> Status:
        return restore(database, backup, replace(CORRUPT, event_id=f"{number:032}")).status

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(one, range(6)))
    assert outcomes.count(Status.DONE) == 1
    assert set(outcomes) <= {Status.DONE, Status.REFUSED, Status.DEFERRED}
    assert len(list(tmp_path.glob("gate.db.damaged-*"))) == 1
    assert content(database) == content(backup)


def test_what_a_killed_restore_had_begun_to_put_aside_is_removed(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    begun = tmp_path / "gate.db.damaged-20260101T000000Z-87654321.partial"
    begun.mkdir()
    (begun / "gate.db").write_bytes(b"half")
    assert restore(database, backup).status is Status.REFUSED
    assert not begun.exists()


def test_the_wal_of_a_database_that_was_emptied_is_kept_aside(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), make(tmp_path / "backup.db", "wal", BACKED_UP)
    Holder(database, "writing").kill()
    wal = (tmp_path / "gate.db-wal").read_bytes()
    DAMAGE["0 bytes"](database)
    outcome = restore(database, backup)
    assert outcome.status is Status.DONE
    assert (Path(outcome.details["aside"]) / "gate.db-wal").read_bytes() == wal
    assert content(database) == content(backup)


@pytest.mark.parametrize("mode", MODES)
def test_two_processes_go_on_writing_through_a_restore_and_lose_no_row_after_it(tmp_path, mode):
    database, backup = make(tmp_path / "gate.db", mode), make(tmp_path / "backup.db", mode, BACKED_UP)
    restored = threading.Event()
    accepted: list[str] = []

    def write(held: Holder, name: str) -> None:
        after = 0
        while after < 20:
            is_after = restored.is_set()
            plate = f"{name}-{len(accepted)}-{time.monotonic_ns()}"
            if held.tell(plate) == "ok" and is_after:
                accepted.append(plate)
                after += 1
            time.sleep(0.002)

    with holder(database, "writing") as first, holder(database, "writing") as second:
        DAMAGE["pages in the middle"](database)
        with ThreadPoolExecutor(2) as pool:
            writing = [pool.submit(write, first, "FIRST"), pool.submit(write, second, "SECOND")]
            while (status := restore(database, backup).status) is Status.DEFERRED:
                pass
            assert status is Status.DONE
            restored.set()
            for one in writing:
                one.result(30)
    found = content(database)
    assert len(accepted) == 40
    assert set(accepted) <= found
    assert content(backup) <= found


def test_an_application_really_gets_a_code_of_damage_for_most_kinds(tmp_path):
    codes = {}
    for damage in ("magic", "page 1", "pages in the middle", "half", "10 bytes", "all random"):
        database = make(tmp_path / f"{damage}.db", "delete")
        DAMAGE[damage](database)
        codes[damage] = (error_code(database) or 0) & 0xFF
    assert set(codes.values()) <= {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, codes
