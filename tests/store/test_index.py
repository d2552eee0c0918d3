"""The index is a cache: whatever becomes of it, the answer is right, or says what it lacks."""

import os
import random
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, timedelta

import pytest

from tests.records import NOON, detail, write
from visigate_logging.store import index as index_module
from visigate_logging.store.index import VERSION, index_path
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.decisions import decisions_path

COUNT = 500


@pytest.fixture
def log(tmp_path):
    log = tmp_path / "details.jsonl"
    write(log, *(detail(n, NOON + timedelta(seconds=n), host=f"h{n % 7}") for n in range(COUNT)))
    return log


def open_store(log):
    return ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=2)).timestamp)


def assert_right(store, count=COUNT):
    assert [r.additional_info["attempt"] for r in store.recent(3)] == [count - 1, count - 2, count - 3]
    assert store.statistics()["total_errors"] == count
    assert store.group(detail().fingerprint)["total"] == count
    assert len(list(store.recent(count, host="h3"))) == len(range(3, count, 7))


def overwrite(path, content, at=0):
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(content)


def settled(log):
    """An index with everything in its main file."""
    with open_store(log) as store:
        assert_right(store)
    return index_path(log)


DAMAGE = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: os.truncate(path, 0),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut within a page": lambda path: os.truncate(path, path.stat().st_size - 1000),
    "filled with random bytes": lambda path: path.write_bytes(random.Random(1).randbytes(path.stat().st_size)),
    "a page of zeros at the start": lambda path: overwrite(path, bytes(4096)),
    "pages of random bytes": lambda path: overwrite(
        path, random.Random(2).randbytes(path.stat().st_size - 4096), 4096
    ),
    "text": lambda path: path.write_text("not a database"),
    "an older version": lambda path: execute(path, f"PRAGMA user_version={VERSION - 1}"),
    "a newer version": lambda path: execute(path, f"PRAGMA user_version={VERSION + 1}"),
    "another program's database": lambda path: execute(path, "PRAGMA application_id=1"),
    "a table missing": lambda path: execute(path, "DROP TABLE tally"),
    "a journal left behind": lambda path: (
        path.unlink(),
        path.with_name(path.name + "-wal").write_bytes(b"x" * 9999),
    ),
}


def execute(path, sql):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(sql)
    db.close()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_made_anew(log, damage):
    DAMAGE[damage](settled(log))
    with open_store(log) as store:
        assert_right(store)
        assert store.check() == []
        assert store.health()["index"] == str(index_path(log))


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_index_damaged_under_an_open_store_is_made_anew(log, damage):
    with open_store(log) as store, open_store(log) as other:
        assert_right(store)
        assert_right(other)
        execute(index_path(log), "PRAGMA wal_checkpoint(TRUNCATE)")
        DAMAGE[damage](index_path(log))
        write(log, *(detail(n, NOON + timedelta(seconds=n), host=f"h{n % 7}") for n in range(COUNT, COUNT + 100)))
        assert_right(store, COUNT + 100)
        assert_right(other, COUNT + 100)
    with open_store(log) as third:
        assert_right(third, COUNT + 100)


def test_an_index_that_another_process_locks_makes_way_for_one_in_memory(log, monkeypatch):
    monkeypatch.setattr(index_module, "PATIENCE", 0.1)
    path = settled(log)
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    write(log, detail(COUNT, NOON + timedelta(seconds=COUNT), host=f"h{COUNT % 7}"))
    with open_store(log) as store:
        assert_right(store, COUNT + 1)
        assert store.health()["index"] == "in memory"
        assert "locked" in store.health()["note"]
        locker.execute("ROLLBACK")
        locker.close()
        monkeypatch.setattr(index_module.time, "monotonic", lambda: float("inf"))
        assert_right(store, COUNT + 1)
        assert store.health()["index"] == str(path)


def test_an_index_that_cannot_even_be_read_is_built_in_memory(log, monkeypatch):
    monkeypatch.setattr(index_module, "PATIENCE", 0.1)
    path = settled(log)
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("PRAGMA journal_mode=DELETE")
    locker.execute("BEGIN EXCLUSIVE")
    with open_store(log) as store:
        assert_right(store)
        assert store.health()["index"] == "in memory"
    locker.close()


def test_copying_an_index_that_gets_locked_meanwhile_does_not_wait_for_ever():
    with pytest.raises(sqlite3.OperationalError):
        index_module._unlocked(sqlite3.SQLITE_BUSY, 1, 2)


def test_a_full_disk_moves_the_index_into_memory(log, tmp_path):
    """A limit on the size of files makes every further write to the index fail, as a full disk does."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from tests.store.test_index import assert_right, open_store
        from pathlib import Path
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with open_store(Path(sys.argv[1])) as store:
            assert_right(store)
            print(store.health()["index"])
        """
    )
    for limit in (0, 1000, 40_000):
        index_path(log).unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", script, str(log), str(limit)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "in memory\n"), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_log_of_another_user_is_not_written_beside(log):
    os.chown(log.parent, 12345, 12345)
    with open_store(log) as store:
        assert_right(store)
        assert "another user" in store.health()["note"]
    assert not index_path(log).exists()


def test_a_read_only_place_is_not_written_to(log, monkeypatch):
    monkeypatch.setattr(index_module.os, "access", lambda path, mode: False)
    with open_store(log) as store:
        assert_right(store)
        assert "read-only" in store.health()["note"]
    assert not index_path(log).exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path_of", [index_path, lambda log: index_path(log, 1), decisions_path])
def test_a_pipe_that_stands_where_a_file_belongs_stops_no_reader(log, path_of):
    os.mkfifo(path_of(log))
    with open_store(log) as store:
        assert_right(store)
        assert ("is no file" in store.health()["note"]) is (path_of is index_path)


def test_what_the_index_of_a_read_only_place_knows_is_not_read_again(log, monkeypatch):
    path = settled(log)
    execute(path, "UPDATE daily SET n = n + 1000")
    monkeypatch.setattr(index_module.os, "access", lambda path, mode: False)
    with open_store(log) as store:
        assert store.group(detail().fingerprint)["total"] > COUNT


def test_check_finds_an_index_that_says_something_else(log):
    path = settled(log)
    execute(path, "DELETE FROM record WHERE (at / 1000000) % 2 = 0")
    with open_store(log) as store:
        (*_, problem) = store.check()
        assert "in the files" in problem
        store.rebuild()
        assert store.check() == []


def test_check_finds_lines_damaged_between_their_ends_that_readers_have_noted_and_only_those(log):
    lines = log.read_bytes().splitlines(keepends=True)
    for number in (100, 200):
        lines[number] = lines[number].replace(b'"traceback":"', b'"traceback":x')
    log.write_bytes(b"".join(lines))
    with open_store(log) as store:
        assert store.check() == []
        assert len(store.recent(COUNT)) == COUNT - 2
        assert store.health()["unreadable"] == 2
        assert store.check() == []
    with sqlite3.connect(index_path(log)) as db:
        db.execute("INSERT INTO unreadable SELECT source, offset, length, 'made up' FROM record ORDER BY at LIMIT 1")
        db.execute("DELETE FROM record WHERE at = (SELECT min(at) FROM record)")
    db.close()
    with open_store(log) as store:
        assert f"records: {COUNT - 3} in the index, {COUNT - 2} in the files" in store.check()


def test_several_readers_build_one_index_together(log):
    script = (
        "import sys; from pathlib import Path; from tests.store.test_index import *; "
        "assert_right(open_store(Path(sys.argv[1])))"
    )
    readers = [subprocess.Popen([sys.executable, "-c", script, str(log)], stderr=subprocess.PIPE) for _ in range(4)]
    for reader in readers:
        _, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors.decode()
    with open_store(log) as store:
        assert store.check() == []


def test_a_build_that_was_interrupted_is_taken_up_again(log, monkeypatch):
    from visigate_logging.store import catchup

    monkeypatch.setattr(catchup, "BATCH", 100)

    class EnoughError(Exception):
        pass

    def stop(done, total):
        if done > total / 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        ErrorStore(log, progress=stop).recent()
    seen = []
    with ErrorStore(log, tz=UTC, progress=lambda done, _: seen.append(done)) as store:
        store.recent()
        assert seen[0] > log.stat().st_size / 2
        assert store.check() == []
