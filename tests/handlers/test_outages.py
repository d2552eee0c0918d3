"""What cannot be written is kept and written later; what cannot be kept is counted and said."""

import json
import logging
import os
import re
import subprocess
import sys
import time

import pytest

from tests.handlers.disks import mounted
from tests.handlers.lines import raw_lines, read, who
from tests.handlers.writer import Writer
from tests.waiting import wait_until
from visigate_logging import SharedRotatingFileHandler
from visigate_logging.host import State, buffered_file, host_failures


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "2m") as disk:
        yield disk


@pytest.fixture
def make(tmp_path):
    made = []

    def make(path, **options):
        handler = SharedRotatingFileHandler(path, state_dir=tmp_path / "state", **options)
        made.append(handler)
        return handler

    yield make
    for handler in made:
        handler.close()


@pytest.fixture
def said(caplog):
    """What the package has said of itself."""
    return lambda: [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "visigate_logging"]


def log(handler, text, level=logging.ERROR):
    handler.handle(logging.makeLogRecord({"name": "gate", "levelno": level, "msg": text}))


def numbers(path):
    """The numbers of the whole lines, and the other lines; a whole line is a number and 200 dots."""
    whole, rest = [], []
    for line in raw_lines(path):
        match = re.fullmatch(rb"(\d+)\.{200}", line)
        (whole.append(int(match[1])) if match else rest.append(line))
    return whole, rest


def fill_up(handler, count):
    for n in range(count):
        log(handler, f"{n}{'.' * 200}")


def test_a_full_disk_costs_nothing_that_memory_can_hold_and_glues_no_half_line(disk, make, said):
    path = disk.path / "a.log"
    handler = make(path)
    disk.fill(leave=4096)
    fill_up(handler, 100)
    assert handler.counts()["pending"] > 50
    wait_until(said)
    disk.free()
    wait_until(lambda: handler.counts()["pending"] == 0)
    log(handler, f"100{'.' * 200}")
    whole, rest = numbers(path)
    assert whole == list(range(101))
    assert len(rest) <= 1
    wait_until(lambda: len(said()) == 2)
    [(level, outage), (_, back)] = said()
    assert level == "ERROR"
    assert "a.log cannot be written: [Errno 28]" in outage
    assert back.endswith("a.log can be written again; 0 records were lost meanwhile")


def test_what_memory_cannot_hold_is_counted_and_said(disk, make, said):
    path = disk.path / "a.log"
    handler = make(path, buffer_bytes=10 * 210)
    disk.fill()
    fill_up(handler, 100)
    counts = handler.counts()
    assert counts["dropped"] == {"file not writable": 90}
    assert counts["pending"] == 10
    disk.free()
    log(handler, f"100{'.' * 200}")
    assert numbers(path) == ([*range(10), 100], [])
    wait_until(lambda: [text for _, text in said() if "90 records were lost meanwhile" in text])
    assert len(said()) <= 2


def test_a_record_has_its_place_behind_those_that_were_kept_when_memory_is_full(disk, make):
    path = disk.path / "a.log"
    handler = make(path, buffer_bytes=2 * 210)
    disk.fill()
    fill_up(handler, 2)
    disk.free()
    log(handler, f"2{'.' * 200}")
    assert numbers(path) == ([0, 1, 2], [])
    assert handler.counts()["dropped"] == {}


def test_several_processes_survive_a_full_disk_together(disk, tmp_path):
    path = disk.path / "details.jsonl"
    options = {"filename": str(path), "state_dir": str(tmp_path / "state"), "buffer_bytes": 400_000}  # holds all 100
    writers = [Writer(tmp_path, slot, 100, pause=0.005, **options) for slot in range(3)]
    disk.fill(leave=60_000)
    for writer in writers:
        writer.begin()
    wait_until(lambda: all(w.returned() >= 60 for w in writers))
    disk.free()
    sheets = [writer.counts() for writer in writers]
    records, broken = read(path)
    found = who(records)
    assert set(found.values()) == {1}
    for writer, sheet in zip(writers, sheets, strict=True):
        assert sheet["accepted"] == 100 == sheet["delivered"] + sum(sheet["dropped"].values())
        assert sheet["delivered"] == sum(slot == writer.slot for slot, _ in found)
    assert sum(s["delivered"] for s in sheets) == 300
    assert not [line for line in broken if line.endswith(b"}") and b'"timestamp"' in line[1:]]


LIMITED = """
import json, logging, resource, sys
from visigate_logging import SharedRotatingFileHandler
handler = SharedRotatingFileHandler(sys.argv[1], state_dir=sys.argv[2])
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
log = lambda n: handler.handle(logging.makeLogRecord({"msg": f"{n}{'.' * 200}"}))
for n in range(20): log(n)
kept = handler.counts()["pending"]
resource.setrlimit(resource.RLIMIT_FSIZE, before)
log(20)
handler.close()
print(json.dumps([kept, handler.counts()]))
"""


def test_a_file_at_its_largest_size_is_written_on_when_it_may_grow_again(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "a.log"), str(tmp_path / "state")]
    kept, counts = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert kept >= 15
    assert (counts["accepted"], counts["delivered"], counts["pending"]) == (21, 21, 0)
    whole, rest = numbers(tmp_path / "a.log")
    assert whole == list(range(21))
    assert len(rest) <= 1


def test_a_read_only_file_system_is_said_once_and_survived(disk, make, said):
    disk.remount("ro")
    handler = make(disk.path / "a.log")
    fill_up(handler, 5)
    wait_until(said)
    fill_up(handler, 5)
    disk.remount("rw")
    wait_until(lambda: handler.counts()["pending"] == 0)
    wait_until(lambda: len(said()) == 2)
    assert "Read-only file system" in said()[0][1]
    assert handler.counts()["delivered"] == 10


def test_a_directory_that_cannot_be_made_is_said_already_before_the_first_record(tmp_path, make, said):
    (tmp_path / "in the way").touch()
    handler = make(tmp_path / "in the way" / "a.log")
    wait_until(said)
    log(handler, "one")
    (tmp_path / "in the way").unlink()
    wait_until(lambda: handler.counts()["delivered"] == 1)
    wait_until(lambda: len(said()) == 2)
    assert (tmp_path / "in the way" / "a.log").read_text() == "one\n"


def test_a_rotation_that_cannot_be_done_is_said_once_and_costs_no_record(tmp_path, make, said):
    lock = tmp_path / ".a.log.lock"
    lock.symlink_to(tmp_path / "victim")
    handler = make(tmp_path / "a.log", maxBytes=300, backupCount=1)
    fill_up(handler, 5)
    wait_until(said)
    assert numbers(tmp_path / "a.log") == ([0, 1, 2, 3, 4], [])
    assert "a.log cannot be rotated" in said()[0][1]
    lock.unlink()
    fill_up(handler, 1)
    wait_until(lambda: len(said()) == 2)
    assert "a.log can be rotated again" in said()[1][1]


def test_a_sync_that_fails_is_said_once_and_so_is_one_that_works_again(tmp_path, make, said, monkeypatch):
    def fail(fd):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(buffered_file, "force", fail)
        handler = make(tmp_path / "a.log")
        log(handler, "one")
        wait_until(said)
    log(handler, "two")
    wait_until(lambda: len(said()) == 2)
    assert "a.log cannot be synced: [Errno 5]" in said()[0][1]
    assert handler.counts()["delivered"] == 2


def test_what_is_kept_is_written_at_close(tmp_path, make):
    (tmp_path / "dir").touch()
    handler = make(tmp_path / "dir" / "a.log")
    log(handler, "one")
    (tmp_path / "dir").unlink()
    handler.close()
    assert (tmp_path / "dir" / "a.log").read_text() == "one\n"


def test_an_end_right_after_an_outage_is_not_held_up_by_what_there_is_to_say(tmp_path, make, said):
    (tmp_path / "dir").touch()
    handler = make(tmp_path / "dir" / "a.log")
    logging.getLogger("visigate_logging").addHandler(handler)
    log(handler, "one")
    wait_until(said)
    (tmp_path / "dir").unlink()
    begun = time.monotonic()
    logging.shutdown([lambda: handler])
    assert time.monotonic() - begun < 1.5
    assert "one\n" in (tmp_path / "dir" / "a.log").read_text()


def test_a_device_which_has_nothing_to_sync_is_no_trouble(make, said):
    handler = make("/dev/null")
    log(handler, "one", logging.CRITICAL)
    handler.close()
    handler._upkeep._tell()
    assert said() == []


def test_what_cannot_be_written_even_at_close_is_counted_and_said_on_stderr(tmp_path, make, capsys):
    (tmp_path / "dir").touch()
    handler = make(tmp_path / "dir" / "a.log")
    log(handler, "one")
    handler.close()
    log(handler, "two")
    assert handler.counts()["dropped"] == {"file not writable": 2}
    assert handler.counts()["pending"] == 0
    assert capsys.readouterr().err.count("a.log: 1 records lost: [Errno") == 2


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_a_process_without_stderr_can_close_all_the_same(tmp_path, make, monkeypatch, stderr):
    (tmp_path / "dir").touch()
    handler = make(tmp_path / "dir" / "a.log")
    log(handler, "one")
    file = open(os.devnull, "w")  # noqa: SIM115 -- it is to be closed
    file.close()
    monkeypatch.setattr(sys, "stderr", file if stderr else None)
    handler.close()
    assert handler.counts()["pending"] == 0


def test_the_host_knows_of_the_last_time_that_a_file_could_not_be_written(tmp_path, make):
    (tmp_path / "in the way").write_text("")
    handler = make(tmp_path / "in the way" / "a.log")
    log(handler, "lost")
    handler.close()
    [failed] = last_failures(tmp_path).values()
    assert failed["text"].startswith("1 records lost at the end of a process: [Errno")


def test_the_host_knows_of_the_last_rotation_that_could_not_be_done(tmp_path, make, said):
    (tmp_path / ".a.log.lock").symlink_to(tmp_path / "victim")
    handler = make(tmp_path / "a.log", maxBytes=300, backupCount=1)
    fill_up(handler, 5)
    wait_until(said)
    handler.close()
    failed = last_failures(tmp_path)[str(tmp_path / "a.log")]
    assert failed["text"].startswith("cannot be rotated: ")
    assert failed["text"].endswith("; it grows on")


def last_failures(tmp_path):
    state = State(tmp_path / "state")
    try:
        return host_failures(state)
    finally:
        state.close()
