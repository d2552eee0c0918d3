"""Task: what is done by the clock, in one thread of the process."""

import gc
import multiprocessing
import os
import threading
import weakref

import pytest

from tests.delivery.servers import wait_for
from tests.host.forks_alone import UNSEEN, in_child
from visigate_logging.host.upkeep import Task


class Owner:
    """Has a task that does what a test says."""

    def __init__(self, act=lambda: None):
        self.done, self.closed = [], []
        self._do = act
        self.task = Task("The test's task", self.act, self.close)

    def act(self):
        self.done.append(threading.current_thread())
        return self._do()

    def close(self):
        self.closed.append(1)


def test_all_tasks_of_a_process_share_one_thread():
    owners = [Owner() for _ in range(5)]
    for owner in owners:
        owner.task.wake()
    wait_for(lambda: all(owner.done for owner in owners))
    assert {thread.name for owner in owners for thread in owner.done} == {"visigate-upkeep"}
    assert len({thread for owner in owners for thread in owner.done}) == 1


def test_a_task_is_done_again_when_it_asked_to_be_and_not_when_it_did_not():
    again, once = Owner(lambda: 0.01), Owner()
    once.task.wake()
    again.task.wake()
    wait_for(lambda: len(again.done) >= 3)
    assert again.task.stop(10)
    assert len(once.done) == 1


def test_a_task_that_fails_is_reported_tried_again_and_harms_no_other(caplog):
    def fail():
        if len(failing.done) == 1:
            raise RuntimeError("no card")

    failing = Owner(fail)
    failing.task.wake()
    wait_for(lambda: failing.done)
    other = Owner()
    other.task.wake()
    wait_for(lambda: other.done)
    assert "The test's task failed; failures in a row: 1" in caplog.text
    wait_for(lambda: len(failing.done) == 2)


def test_a_stopped_task_is_over_and_is_not_done_again():
    begun, go_on = threading.Event(), threading.Event()

    def wait():
        begun.set()
        go_on.wait(30)
        return 0.0

    owner = Owner(wait)
    owner.task.wake()
    assert begun.wait(30)
    assert not owner.task.stop(0.01)  # it is being done
    go_on.set()
    assert owner.task.stop(30)
    owner.task.wake()
    last = Owner()
    last.task.wake()
    wait_for(lambda: last.done)
    assert len(owner.done) == 1


def test_a_task_may_stop_itself():
    owner = Owner(lambda: stopped.append(owner.task.stop(30)))
    stopped = []
    owner.task.wake()
    wait_for(lambda: stopped == [True])


def test_a_task_is_forgotten_with_its_owner():
    begun = threading.Event()
    owner = Owner(lambda: begun.set() or 0.01)
    owner.task.wake()
    assert begun.wait(30)
    reference = weakref.ref(owner)
    del owner
    wait_for(lambda: gc.collect() or reference() is None)


# No thread may be about to run when C code forks: the interpreter would wait for it in the child, before any of us.
@pytest.mark.parametrize("fork", [os.fork, UNSEEN], ids=["seen", "unseen"])
def test_a_forked_child_has_an_upkeep_of_its_own(fork):
    owner = Owner(lambda: 3600.0)
    owner.task.wake()
    wait_for(lambda: owner.done)

    def child():
        owner.done.clear()
        owner.task.wake()
        wait_for(lambda: owner.done)
        return owner.task.stop(30)

    assert in_child(fork, child)
    assert owner.task.stop(30)


def _wake_in_process(path):
    class Kept(Owner):
        def close(self):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))

    kept = Kept()
    kept.task.wake()
    wait_for(lambda: kept.done)
    globals()["_kept"] = kept


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_closes_what_has_a_task(tmp_path, method):
    process = multiprocessing.get_context(method).Process(target=_wake_in_process, args=(tmp_path / "closed",))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert (tmp_path / "closed").exists()
