"""Tally: errors are counted without any wait, and a kill of the process loses none."""

import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.mail.conftest import error
from visigate_logging.mail.page import OTHER
from visigate_logging.mail.tally import Tally


@pytest.fixture
def owner(tmp_path):
    return f"{tmp_path} mail"


@pytest.fixture
def tally(owner, tmp_path):
    tally = Tally(owner, tmp_path)
    yield tally
    while tally.take() is not None:
        tally.forget()


def counts(page):
    return {entry.first.fingerprint: entry.count for entry in page.entries()}


def test_errors_are_counted_by_group_and_the_first_of_each_is_kept_whole(tally):
    for n in range(10):
        tally.add(error("v1:a", error_message=f"number {n}", timestamp=f"2026-03-01T12:00:0{n}.000000Z"))
    tally.add(error("v1:b"))
    page = tally.take()
    assert counts(page) == {"v1:a": 10, "v1:b": 1}
    entry = next(page.entries())
    assert entry.first == error("v1:a", error_message="number 0", event_id=entry.first.event_id)
    assert entry.last_time == "2026-03-01T12:00:09.000000Z"


def test_the_first_error_after_taking_is_told_apart(tally):
    assert tally.add(error())
    assert not tally.add(error())
    tally.take()
    tally.forget()
    assert tally.add(error())


def test_what_was_taken_is_given_again_until_it_is_forgotten(tally):
    tally.add(error())
    page = tally.take()
    tally.add(error())
    assert tally.take() is page
    tally.forget()
    assert counts(tally.take()) == {"v1:camera": 1}


def test_nothing_is_left_when_all_is_forgotten(tally):
    tally.add(error())
    page = tally.take()
    assert page.path.exists()
    tally.forget()
    assert tally.take() is None
    assert not page.path.exists()


def test_what_has_no_room_is_counted_as_other_and_nothing_is_lost(tally):
    long = "x" * 50_000
    for n in range(4000):
        tally.add(error(f"v1:{n}", error_message=long))
    found = counts(tally.take())
    assert sum(found.values()) == 4000
    assert found[OTHER] > 0
    assert len(found) > 100  # when whole details have no room any more, their heads have


def test_a_detail_that_is_too_long_is_kept_by_its_head(tally):
    tally.add(error(traceback="x" * 100_000))
    [entry] = tally.take().entries()
    assert entry.first.traceback == ""
    assert entry.first.error_type == "CameraError"
    assert entry.first.severity == "CRITICAL"


def test_threads_that_count_while_batches_are_taken_lose_nothing(tally):
    taken = []
    stop = threading.Event()

    def take():
        while not stop.is_set():
            if (page := tally.take()) is not None:
                taken.append(sum(counts(page).values()))
                tally.forget()

    def count():
        for n in range(1000):
            tally.add(error(f"v1:{n % 7}"))

    taker = threading.Thread(target=take)
    taker.start()
    counters = [threading.Thread(target=count) for _ in range(4)]
    for thread in counters:
        thread.start()
    for thread in counters:
        thread.join()
    stop.set()
    taker.join()
    if (page := tally.take()) is not None:
        taken.append(sum(counts(page).values()))
    assert sum(taken) == 4000


def test_a_destructor_that_counts_while_its_own_thread_counts_loses_nothing(tally):
    class Counting:
        def __del__(self):
            tally.add(error("v1:del"))

    for _ in range(300):
        cycle = [Counting()]
        cycle.append(cycle)
        del cycle
        tally.add(error("v1:a"))
    gc.collect()
    assert counts(tally.take()) == {"v1:a": 300, "v1:del": 300}


COUNTER = """
import os, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.mail.conftest import error
from visigate_logging.mail.tally import Tally
tally = Tally(sys.argv[1], Path(sys.argv[2]))
for n in range(10**6):
    tally.add(error(f"v1:{n % 3}"))
    os.write(1, b".")
"""


def test_a_kill_loses_no_error_whose_call_has_returned(owner, tmp_path, tally, request):
    command = [sys.executable, "-c", COUNTER, owner, str(tmp_path), str(request.config.rootpath)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        returned = len(os.read(process.stdout.fileno(), 1))
        assert list(tally.orphans()) == []  # it lives
        while returned < 500:
            returned += len(os.read(process.stdout.fileno(), 4096))
        process.send_signal(signal.SIGKILL)
        returned += len(process.stdout.read())
    [page] = tally.orphans()
    assert sum(counts(page).values()) in {returned, returned + 1}  # one may have been counted and not reported
    page.remove()
    assert list(tally.orphans()) == []


def test_an_orphan_that_was_let_go_is_found_again(owner, tmp_path, tally):
    dead = Tally(owner, tmp_path)
    dead.add(error())
    dead._page.let_go()  # as the end of the process does
    [page] = tally.orphans()
    page.let_go()
    [page] = tally.orphans()
    assert counts(page) == {"v1:camera": 1}
    page.remove()


def test_another_owner_sees_none_of_it(tmp_path, tally):
    dead = Tally(f"{tmp_path} other", tmp_path)
    dead.add(error())
    dead._page.let_go()
    assert list(tally.orphans()) == []
    [page] = dead.orphans()
    page.remove()


def test_a_damaged_orphan_gives_what_can_be_read_and_raises_nothing(owner, tmp_path, tally):
    dead = Tally(owner, tmp_path)
    for n in range(5):
        dead.add(error(f"v1:{n}"))
    page = dead._page
    at = bytes(page._memory).index(b'"v1:2"')
    page._memory[at : at + 6] = b"\xff" * 6
    page.let_go()
    [page] = tally.orphans()
    assert counts(page) == {"v1:0": 1, "v1:1": 1, "v1:3": 1, "v1:4": 1}
    page.remove()


def test_a_forked_child_leaves_the_parents_errors_to_the_parent(tally):
    tally.add(error())
    path = tally._page.path
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if tally.take() is None and tally.add(error("v1:child")) else 2
            tally.take()
            tally.forget()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert path.exists()
    assert counts(tally.take()) == {"v1:camera": 1}


def test_without_shared_memory_a_file_beside_the_state_serves(owner, tmp_path, monkeypatch):
    monkeypatch.setattr("visigate_logging.mail.tally.SHARED_MEMORY", tmp_path / "absent")
    tally = Tally(owner, tmp_path / "state")
    tally.add(error())
    page = tally.take()
    assert page.path.parent == tmp_path / "state"
    tally.forget()


def test_without_any_file_plain_memory_serves(owner, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("visigate_logging.mail.tally.SHARED_MEMORY", tmp_path / "absent")
    tally = Tally(owner, tmp_path / "file")
    for _ in range(3):
        tally.add(error())
    page = tally.take()
    assert page.path is None
    assert counts(page) == {"v1:camera": 3}
    tally.forget()
