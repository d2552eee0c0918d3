"""Whoever closes descriptors by their numbers loses no file to us: nothing is written to what is not ours."""

import subprocess
import sys

import pytest

PROCESS = """
import logging, os, sqlite3, sys, time
from pathlib import Path
import visigate_logging
from visigate_logging.host import HostLock, State

handler = visigate_logging.JsonFileHandler("details.jsonl", sync="{sync}")
handler.setLevel("INFO")
log = logging.getLogger("app")
log.addHandler(handler)
lock, state = HostLock("lock"), State("state")
assert lock.acquire()
with state.transaction() as connection:
    connection.execute("CREATE TABLE t (a)")
log.error("before")

os.closerange(3, 256)
taken = [os.open(f"theirs-{{n}}", os.O_RDWR | os.O_CREAT) for n in range(64)]  # the numbers that were ours among them
theirs = sqlite3.connect("theirs.db")
theirs.execute("CREATE TABLE vehicles (plate)")
theirs.commit()

log.critical("after")
log.error("last")
assert not lock.held
lock.release()
try:
    with state.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
except OSError as error:
    print(error)
counts = handler.counts()
assert counts["delivered"] == 3, counts
handler.close()
state.close()
for fd in taken:
    assert os.fstat(fd).st_size == 0
    os.close(fd)  # which would fail, had we closed it
assert theirs.execute("PRAGMA integrity_check").fetchone() == ("ok",)
"""


@pytest.mark.parametrize("sync", ["critical", "always", "never"])
def test_nothing_is_written_to_what_has_the_number_of_a_descriptor_that_was_ours(tmp_path, sync):
    run = [sys.executable, "-c", PROCESS.format(sync=sync)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "has closed descriptors that are not its own" in done.stdout
    lines = (tmp_path / "details.jsonl").read_text().splitlines()
    assert len(lines) == 3


IN_A_TRANSACTION = """
import os
from visigate_logging.host import State

state = State("state")
try:
    with state.transaction() as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (zeroblob(10000))")
        os.closerange(3, 256)
        taken = [os.open(f"theirs-{n}", os.O_RDWR | os.O_CREAT) for n in range(64)]
except OSError as error:
    print(error)
state.close()
del state
for fd in taken:
    assert os.fstat(fd).st_size == 0
    os.close(fd)
"""


def test_a_transaction_whose_descriptors_are_gone_is_not_committed_into_others_files(tmp_path):
    run = [sys.executable, "-c", IN_A_TRANSACTION]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "has closed descriptors that are not its own" in done.stdout


ANOTHER_STATE = """
import os
from visigate_logging.host import State

first, second = State("state"), State("state")
with first.transaction() as connection:
    connection.execute("CREATE TABLE t (a)")
os.closerange(3, 256)
taken = [os.open(f"theirs-{n}", os.O_RDWR | os.O_CREAT) for n in range(64)]
for state in (second, first, State("state")):
    try:
        with state.transaction():
            raise SystemExit("it was opened again")
    except OSError as error:
        print(error)
for fd in taken:
    assert os.fstat(fd).st_size == 0
"""


def test_a_file_whose_descriptors_are_gone_is_not_opened_again_by_the_process(tmp_path):
    """SQLite would take the locks of all its connections to it on what has the number now."""
    run = [sys.executable, "-c", ANOTHER_STATE]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
