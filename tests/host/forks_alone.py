"""Forks: what Python sees, and what it does not."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import pytest

from visigate_logging.host.forks import ForkAware, in_forked_child, notice_fork, watch_forks
from visigate_logging.host.worker import Worker

UNSEEN = ctypes.PyDLL(None).fork
"""Forks as C code does that does not call Python's hooks, uWSGI for one."""


class Thing(ForkAware):
    """Remembers what it was told."""

    def __init__(self):
        self.told = []
        watch_forks(self)

    def before_fork(self):
        self.told.append("before")

    def after_fork_in_parent(self):
        self.told.append("parent")

    def after_fork_in_child(self):
        self.told.append("child")


def in_child(fork, body):
    """Whether ``body`` is true in a forked child."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # from 3.12 on, of a fork beside threads: that is the case
        pid = fork()
    if pid == 0:
        try:
            os._exit(0 if body() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_both_sides_of_a_fork_are_told_and_what_is_gone_is_not_held():
    thing = Thing()
    assert in_child(os.fork, lambda: thing.told == ["before", "child"])
    assert thing.told == ["before", "parent"]


@pytest.mark.parametrize("fork", [os.fork, UNSEEN], ids=["seen", "unseen"])
def test_a_fork_is_told_once_in_its_child_seen_or_not(fork):
    thing, acted = Thing(), []
    in_forked_child(lambda: acted.append(1))

    def notice_twice():
        notice_fork()
        notice_fork()
        return thing.told.count("child") == 1 and acted == [1]

    assert in_child(fork, notice_twice)
    notice_fork()
    assert "child" not in thing.told
    assert not acted


def test_a_fork_of_a_child_that_was_not_seen_is_noticed_as_well():
    thing = Thing()

    def fork_again():
        notice_fork()
        return in_child(UNSEEN, lambda: notice_fork() or thing.told.count("child") == 2)

    assert in_child(UNSEEN, fork_again)


@pytest.fixture
def master(monkeypatch):
    """Make this process uWSGI's master, as far as the module tells that uWSGI puts there."""
    uwsgi = SimpleNamespace(masterpid=os.getpid)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    return uwsgi


def test_uwsgis_master_has_no_thread_of_ours_and_its_worker_has_what_was_wanted(master):
    master_pid, called, worked = os.getpid(), [], threading.Event()
    master.masterpid = lambda: master_pid
    master.post_fork_hook = lambda: called.append(1)
    worker = Worker("in-workers", lambda _items: worked.set())
    worker.wake()
    assert not worker.put("refused")
    assert not worker.start()
    assert not any(thread.name == "in-workers" for thread in threading.enumerate())

    def as_uwsgi_does():
        master.post_fork_hook()
        return called == [1] and worked.wait(10) and worker.stop(10)

    assert in_child(UNSEEN, as_uwsgi_does)
    assert not worked.is_set()


def test_a_worker_of_uwsgi_that_is_interrupted_while_it_starts_ends(master):
    class Interrupting(ForkAware):
        def after_fork_in_child(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)  # the interpreter looks for signals

    master_pid, thing = os.getpid(), Interrupting()
    master.masterpid = lambda: master_pid
    assert not Worker("in-workers", lambda _items: None).start()
    pid = UNSEEN()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
        watch_forks(thing)
        master.post_fork_hook()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGINT


@pytest.mark.parametrize("pid", [0, 1], ids=["no master", "another process"])
def test_elsewhere_under_uwsgi_threads_start(master, pid):
    master.masterpid = lambda: pid
    worker = Worker("somewhere", lambda _items: None)
    assert worker.put("taken")
    assert worker.stop(10)
    assert not hasattr(master, "post_fork_hook")


@pytest.mark.parametrize("logs", [False, True], ids=["idle", "logging"])
def test_a_child_of_an_unseen_fork_ends_promptly_with_handlers_open(logs, tmp_path):
    # In a process of its own, so that the child may end as programs do; the bound is far below the hangs that were.
    program = (
        "import ctypes, logging, os\n"
        "from visigate_logging import JsonFileHandler, ThrottledSMTPHandler\n"
        "log = logging.getLogger('gate'); log.propagate = False\n"
        "mail = ThrottledSMTPHandler(('127.0.0.1', 1), 'a@example.org', ['b@example.org'], 'gate',"
        " state_dir='state', severity='ERROR')\n"
        "log.addHandler(JsonFileHandler('out.jsonl')); log.addHandler(mail)\n"
        "log.error('parent')\n"
        "pid = ctypes.PyDLL(None).fork()\n"
        f"if pid == 0 and {logs}: log.error('child')\n"
        "if pid != 0: assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "un-acquired" not in done.stderr  # of a handler's lock that was renewed while it was held
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1 + logs


def test_an_exit_that_comes_in_the_middle_of_a_fork_is_only_put_off():
    """What a hook of a fork raises is printed and forgotten by Python."""

    class Waiting(Thing):
        def before_fork(self):
            super().before_fork()
            if len(self.told) == 1:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0)  # the signal handler is called here

    def end(*_):
        sys.exit(3)

    def fork_and_wait():
        assert in_child(os.fork, lambda: True)
        for _ in range(1000):
            time.sleep(0.01)

    thing = Waiting()
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit) as raised:
            fork_and_wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised.value.code == 3
    assert thing.told == ["before", "before", "parent"]
