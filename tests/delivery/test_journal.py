"""The journal: errors are kept without any wait, and a kill of the process loses none."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.delivery.conftest import error
from visigate_logging.delivery import intake as intake_module
from visigate_logging.delivery import journal as module
from visigate_logging.delivery.entries import OTHER, entries_of
from visigate_logging.delivery.intake import Intake
from visigate_logging.delivery.journal import Journal
from visigate_logging.detail.record import ExceptionData
from visigate_logging.host import HostLock


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "state" / "journal", 1800)
    yield made
    made.close()


def read(journal, cursor=None):
    """What is in it, by group, and how far that is."""
    entries, cursor = {}, cursor or {}
    while (batch := journal.follower.read(cursor)).cursor != cursor:
        cursor = batch.cursor
        entries_of(batch.lines, entries)
    return entries, cursor


def counts(journal):
    return {name: entry.count for name, entry in read(journal)[0].items()}


def test_errors_are_counted_by_group_and_the_first_of_each_is_kept_whole(journal):
    for n in range(10):
        journal.append(error("v1:a", error_message=f"number {n}", timestamp=f"2026-03-01T12:00:0{n}.000000Z"))
    journal.append(error("v1:b"))
    found, _ = read(journal)
    assert {name: entry.count for name, entry in found.items()} == {"v1:a": 10, "v1:b": 1}
    assert b'"number 0"' in found["v1:a"].detail
    assert found["v1:a"].first_time.endswith("12:00:00.000000Z")
    assert found["v1:a"].last_time.endswith("12:00:09.000000Z")


def test_a_whole_record_is_written_at_each_doubling_and_a_short_line_for_all_others(journal):
    for _ in range(64):
        journal.append(error())
    lines = [line for line in journal.path.read_bytes().splitlines() if line]
    assert [n for n, line in enumerate(lines, 1) if line.startswith(b"{")] == [1, 2, 4, 8, 16, 32, 64]
    assert max(len(line) for line in lines if not line.startswith(b"{")) < 110


def test_another_severity_cause_or_host_is_written_whole(journal):
    cause = ExceptionData("TimeoutError", "m", "y", relation="cause", parent=0)
    for changes in (
        {},
        {},
        {},
        {"severity": "ERROR"},
        {"exceptions": (ExceptionData("CameraError", "m", "x"), cause)},
        {"host": "gate-2"},
    ):
        journal.append(error(**changes))
    found, _ = read(journal)
    assert found["v1:camera"].signs == ("host gate", "cause TimeoutError", "host gate-2")
    assert found["v1:camera"].severity == "CRITICAL"
    assert sum(line.startswith(b"{") for line in journal.path.read_bytes().splitlines()) == 5


def test_a_group_that_comes_back_after_a_while_is_written_whole(journal, monkeypatch):
    for _ in range(3):
        journal.append(error())
    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 1801)
    journal.append(error())
    assert journal.path.read_bytes().splitlines()[-1].startswith(b"{")


@pytest.mark.parametrize("fingerprint", ["a b", "a\nb", "{a", ""])
def test_a_name_that_no_short_line_can_carry_is_written_whole(journal, fingerprint):
    for _ in range(10):
        journal.append(error(fingerprint))
    assert counts(journal) == {fingerprint or OTHER: 10}


def test_a_line_that_cannot_be_read_costs_itself_alone(journal):
    for n in range(5):
        journal.append(error(f"v1:{n}"))
    content = journal.path.read_bytes()
    at = content.index(b'"v1:2"')
    journal.path.write_bytes(content[:at] + b"\xff" * 6 + content[at + 6 :] + b"half a li")
    journal.append(error("v1:5"))
    assert counts(journal) == {"v1:0": 1, "v1:1": 1, "v1:3": 1, "v1:4": 1, "v1:5": 1}


def test_threads_lose_nothing(journal):
    def count():
        for n in range(1000):
            journal.append(error(f"v1:{n % 7}"))

    counters = [threading.Thread(target=count) for _ in range(4)]
    for thread in counters:
        thread.start()
    for thread in counters:
        thread.join()
    assert sum(counts(journal).values()) == 4000


def test_a_destructor_that_counts_while_its_own_thread_counts_loses_nothing(journal):
    class Counting:
        def __del__(self):
            journal.append(error("v1:del"))

    for _ in range(300):
        cycle = [Counting()]
        cycle.append(cycle)
        del cycle
        journal.append(error("v1:a"))
    gc.collect()
    assert counts(journal) == {"v1:a": 300, "v1:del": 300}


COUNTER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.delivery.conftest import error
from visigate_logging.delivery.journal import Journal
journal = Journal(Path(sys.argv[1]), 1800)
for n in range(10**6):
    journal.append(error(f"v1:{n % 3}"))
    os.write(1, b".")
"""


def test_a_kill_loses_no_error_whose_call_has_returned(journal, request):
    command = [sys.executable, "-c", COUNTER, str(journal.path), str(request.config.rootpath)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        returned = 0
        while returned < 500:
            returned += len(os.read(process.stdout.fileno(), 4096))
        process.send_signal(signal.SIGKILL)
        returned += len(process.stdout.read())
    assert sum(counts(journal).values()) in {returned, returned + 1}  # one may have been counted and not reported


@pytest.mark.parametrize("how", ["removed", "renamed", "closed by somebody"])
def test_in_a_storm_a_file_that_goes_loses_nothing_that_comes_later(journal, tmp_path, how):
    """A writer in a storm looks only now and then whether its file still has its name."""
    for _ in range(20):
        journal.append(error())
    assert journal._until_look
    if how == "removed":
        journal.path.unlink()
    elif how == "renamed":
        journal.path.rename(f"{journal.path}.1")
    else:
        os.close(journal._file._fd)
        other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # which gets the number
    for _ in range(20):
        journal.append(error())
    assert counts(journal)["v1:camera"] >= 20
    if how == "closed by somebody":
        assert os.fstat(other).st_size == 0
        os.close(other)
        assert counts(journal) == {"v1:camera": 40}


def test_of_a_file_that_has_gone_no_descriptor_is_kept(journal):
    journal.append(error())
    fd = journal._file._fd
    inode = os.fstat(fd).st_ino
    kept = os.dup(fd)  # so that no other file gets the inode
    journal.path.unlink()
    journal.append(error())
    with contextlib.suppress(OSError):
        assert os.fstat(fd).st_ino != inode
    os.close(kept)


def test_half_a_line_of_another_writer_costs_no_line_in_a_storm(journal):
    for _ in range(3):
        journal.append(error())
    with journal.path.open("ab") as torn:
        torn.write(b"v1:camera 2026-03")
    for _ in range(3):
        journal.append(error())
    assert counts(journal) == {"v1:camera": 6}


def test_a_forked_child_writes_whole_what_the_parent_has_written_short(journal):
    for _ in range(3):
        journal.append(error())
    pid = os.fork()
    if pid == 0:
        try:
            journal.append(error())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert journal.path.read_bytes().splitlines()[-1].startswith(b"{")
    assert counts(journal) == {"v1:camera": 4}


# A storm that outruns the reader, and a card that cannot be written.


@pytest.fixture
def small(monkeypatch):
    """A journal of five files of 20 kB."""
    for name, value in {"_SEGMENT": 20_000, "_MOST_SEGMENTS": 5, "_LOOK_EVERY": 1000, "_HELD": 0.0}.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def intake(tmp_path):
    """On a card and in shared memory, both folders of the test's own."""
    journals = Journal(tmp_path / "card" / "journal", 1800), Journal(tmp_path / "memory" / "journal", 1800)
    yield Intake(*journals, lambda: (tmp_path / "memory").mkdir(exist_ok=True))
    for journal in journals:
        journal.close()


def both(intake):
    return sum(counts(intake._journal).values()), sum(counts(intake._spare).values())


def test_what_has_been_read_is_removed_and_nothing_else(small, tmp_path):
    journal, total, cursor = Journal(tmp_path / "journal", 1800), 0, {}
    for n in range(2000):
        journal.append(error(f"v1:{n % 5}"))
        if n % 100 == 0:
            found, cursor = read(journal, cursor)
            total += sum(entry.count for entry in found.values())
            journal.tidy(cursor)
    total += sum(entry.count for entry in read(journal, cursor)[0].values())
    assert total == 2000
    assert len(list(tmp_path.glob("journal*"))) <= 5
    journal.close()


def test_nothing_is_removed_while_another_process_rotates(small, tmp_path):
    journal = Journal(tmp_path / "journal", 1800)
    for n in range(70):
        journal.append(error(f"v1:{n}", traceback="x" * 500))
    rotating = HostLock(tmp_path / ".journal.lock")
    assert rotating.acquire()
    before = len(list(tmp_path.glob("journal.*")))
    journal.tidy(read(journal)[1])
    assert len(list(tmp_path.glob("journal.*"))) == before >= 3
    rotating.release()
    journal.tidy(read(journal)[1])
    assert sorted(p.name for p in tmp_path.glob("journal.*")) == ["journal.1", "journal.2"]
    journal.close()


def test_a_storm_that_outruns_the_reader_goes_on_in_memory_and_then_folds(small, intake):
    for n in range(6000):
        intake.add(error(f"v1:{n % 5}"))
    card, memory = both(intake)
    assert card
    assert memory
    assert intake.folded
    assert card + memory + intake.folded == 6000


def test_a_storm_within_one_look_at_the_file_does_not_pass_its_size(tmp_path, monkeypatch):
    for name, value in {"_SEGMENT": 20_000, "_MOST_SEGMENTS": 3, "_LOOK_EVERY": 1000, "_HELD": 3600.0}.items():
        monkeypatch.setattr(module, name, value)
    journal, n = Journal(tmp_path / "journal", 1800), 0

    def storm():
        nonlocal n
        for n in range(100_000):
            journal.append(error(f"v1:{n % 5}"))

    with pytest.raises(OSError, match="has its size"):
        storm()
    assert sum(path.stat().st_size for path in tmp_path.glob("journal*")) < 100_000
    assert sum(counts(journal).values()) == n
    journal.close()


def test_a_card_that_cannot_be_written_is_left_for_memory_and_come_back_to(intake, tmp_path, monkeypatch):
    (tmp_path / "card").write_text("in the way")
    for _ in range(5):
        intake.add(error())
    assert intake.trouble is not None
    (tmp_path / "card").unlink()
    monkeypatch.setattr(intake_module, "_AVOIDED", 0.0)
    intake._avoid_until = 1e-9
    for _ in range(5):
        intake.add(error())
    assert intake.trouble is None
    assert both(intake) == (5, 5)


def test_what_can_be_written_nowhere_is_folded_by_group_within_bounds_and_written_later(
    intake, tmp_path, monkeypatch
):
    monkeypatch.setattr(intake_module, "_MOST_FOLDED", 3)
    for name in ("card", "memory"):
        (tmp_path / name).write_text("in the way")
    for n in range(20):
        intake.add(error(f"v1:{n % 5}"))
    assert intake.folded == 20
    assert len(intake._folded) == 4
    (tmp_path / "memory").unlink()
    intake.write_folded()
    assert intake.folded == 0
    assert counts(intake._spare) == {"v1:0": 4, "v1:1": 4, "v1:2": 4, OTHER: 8}


def test_what_is_folded_is_the_parents_to_write(intake, tmp_path):
    for name in ("card", "memory"):
        (tmp_path / name).write_text("in the way")
    intake.add(error())
    pid = os.fork()
    if pid == 0:
        os._exit(intake.folded)
    assert os.waitpid(pid, 0)[1] == 0
    assert intake.folded == 1
