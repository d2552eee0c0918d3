"""Count sheets add up, in each process and over the host."""

import os
import subprocess
import sys
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visigate_logging.exceptions import StateError
from visigate_logging.host import CountSheet, State, add_counts, host_counts


def total(sheet):
    return sheet["delivered"] + sheet["folded"] + sum(sheet["dropped"].values()) + sheet["pending"]


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path)
    yield state
    state.close()


def test_between_reading_a_count_and_writing_it_nothing_else_is_run_that_could_count_as_well(monkeypatch):
    """A signal handler that logs is run between two calls of Python, and adds to the same sheet."""
    sheet, amid = CountSheet("mail"), [True]

    def interrupted(_counter, _field):
        if amid:
            amid.pop()
            sheet.accept()
        return 0

    monkeypatch.setattr(Counter, "__missing__", interrupted)
    sheet.accept()
    assert sheet.snapshot()["accepted"] == 2 - len(amid)


def test_a_sheet_says_what_became_of_what_was_accepted():
    sheet = CountSheet("mail")
    sheet.accept(10)
    sheet.deliver(2)
    sheet.fold(5)
    sheet.drop("queue full")
    assert sheet.snapshot() == {
        "accepted": 10,
        "delivered": 2,
        "folded": 5,
        "dropped": {"queue full": 1},
        "pending": 2,
    }


def test_the_sum_holds_in_every_snapshot_while_threads_count():
    sheet = CountSheet("mail")
    stop = threading.Event()
    seen = []

    def watch():
        while not stop.is_set():
            seen.append(sheet.snapshot())

    def count():
        for n in range(2000):
            sheet.accept()
            (sheet.deliver, sheet.fold, lambda: sheet.drop("why"))[n % 3]()

    watcher = threading.Thread(target=watch)
    watcher.start()
    counters = [threading.Thread(target=count) for _ in range(4)]
    for thread in counters:
        thread.start()
    for thread in counters:
        thread.join()
    stop.set()
    watcher.join()
    assert all(s["accepted"] == total(s) and s["pending"] >= 0 for s in seen)
    assert sheet.snapshot()["accepted"] == 8000
    assert sheet.snapshot()["pending"] == 0


def test_publishing_twice_counts_once(state):
    sheet = CountSheet("json")
    sheet.accept(3)
    sheet.deliver(3)
    sheet.publish(state)
    sheet.publish(state)
    sheet.accept()
    sheet.publish(state)
    assert host_counts(state)["json"] == {
        "accepted": 4,
        "delivered": 3,
        "folded": 0,
        "dropped": {},
        "pending": 1,
    }


def test_sheets_of_one_name_are_summed_and_names_are_kept_apart(state):
    for name, n in (("json", 2), ("json", 3), ("mail", 7)):
        sheet = CountSheet(name)
        sheet.accept(n)
        sheet.publish(state)
    assert {k: v["accepted"] for k, v in host_counts(state).items()} == {"json": 5, "mail": 7}


PUBLISHER = """
import os, sys
from visigate_logging.host import CountSheet, State
sheet, state = CountSheet("mail"), State(sys.argv[1])
sheet.accept(5); sheet.deliver(2); sheet.publish(state)
os._exit(0)
"""


def test_sums_of_ended_processes_are_kept_and_what_they_had_pending_is_dropped(state):
    for _ in range(3):
        subprocess.run([sys.executable, "-c", PUBLISHER, str(state.directory)], check=True)
    sheet = CountSheet("mail")
    sheet.accept()
    sheet.publish(state)
    assert host_counts(state)["mail"] == {
        "accepted": 16,
        "delivered": 6,
        "folded": 0,
        "dropped": {"process ended": 9},
        "pending": 1,
    }
    with state.transaction() as connection:
        assert connection.execute("SELECT count(DISTINCT owner) FROM counts").fetchone() == (2,)


def test_counts_for_the_host_hold_only_with_the_transaction_they_are_part_of(state):
    def fail():
        with state.transaction() as connection:
            add_counts(connection, "mail", accepted=5)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with state.transaction() as connection:
        add_counts(connection, "mail", accepted=3, delivered=1, folded=1, dropped={"refused": 1})
    assert host_counts(state)["mail"]["dropped"] == {"refused": 1}
    assert host_counts(state)["mail"]["accepted"] == 3


def test_what_could_not_be_published_is_published_later(state, tmp_path):
    broken = State(tmp_path / "file" / "sub")
    (tmp_path / "file").write_text("in the way")
    sheet = CountSheet("json")
    sheet.accept(2)
    with pytest.raises(StateError):
        sheet.publish(broken)
    sheet.publish(state)
    assert host_counts(state)["json"]["accepted"] == 2


def test_a_forked_child_counts_from_zero_and_nothing_is_counted_twice(state):
    sheet = CountSheet("json")
    sheet.accept(4)
    sheet.publish(state)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            sheet.accept(1)
            sheet.publish(state)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    sheet.accept(1)
    sheet.publish(state)
    assert host_counts(state)["json"]["accepted"] == 6


@given(
    st.lists(
        st.tuples(st.sampled_from(["accept", "deliver", "fold", "drop", "publish"]), st.integers(0, 50)),
        max_size=25,
    )
)
def test_the_published_sheet_is_the_snapshot_at_the_last_publishing(tmp_path_factory, steps):
    state, sheet = State(tmp_path_factory.mktemp("counts")), CountSheet("h")
    for step, n in steps:
        if step == "publish":
            sheet.publish(state)
        elif step == "drop":
            sheet.drop("why", n)
        else:
            getattr(sheet, step)(n)
    sheet.publish(state)
    published = host_counts(state).get("h")
    assert published is None or published == sheet.snapshot()
    state.close()
