"""HostLock: one process of the host at a time."""

import os
import signal
import subprocess
import sys

import pytest

from visigate_logging.host import HostLock

HOLDER = """
import sys, time
import pytest

from visigate_logging.host import HostLock
lock = HostLock(sys.argv[1])
print(lock.acquire(), flush=True)
time.sleep(60)
"""


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    first, second = HostLock(tmp_path / "lock"), HostLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    assert not first.acquire()
    first.release()
    assert second.acquire()
    assert second.held
    second.release()


def test_a_lock_whose_descriptor_somebody_has_closed_is_tried_anew_and_leaves_none_open(tmp_path):
    lock, other = HostLock(tmp_path / "lock"), HostLock(tmp_path / "lock")
    assert lock.acquire()
    os.close(lock._fd)
    theirs = os.open(os.devnull, os.O_RDONLY)  # which gets the number
    assert other.acquire()
    before = os.listdir("/dev/fd")
    assert not lock.acquire()
    assert len(os.listdir("/dev/fd")) == len(before)
    other.release()
    assert lock.acquire()
    lock.release()
    os.close(theirs)


def test_a_killed_process_lets_go(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    lock = HostLock(tmp_path / "lock")
    assert not lock.acquire()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert lock.acquire(timeout=5)
    lock.release()


def test_a_forked_child_neither_holds_the_lock_nor_keeps_it_alive(tmp_path):
    lock = HostLock(tmp_path / "lock")
    assert lock.acquire()
    told, tell = os.pipe()
    go, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        os.write(tell, b"1" if lock.held else b"0")
        os.read(go, 1)  # until the parent closes its end
        os._exit(0)
    assert os.read(told, 1) == b"0"
    other = HostLock(tmp_path / "lock")
    assert not other.acquire()  # the child's closing did not unlock ours
    lock.release()
    assert other.acquire()  # the living child does not keep it
    other.release()
    for fd in (end, go, told, tell):
        os.close(fd)
    os.waitpid(pid, 0)


def test_it_is_held_while_the_body_runs_and_let_go_also_when_that_raises(tmp_path):
    first, second = HostLock(tmp_path / "lock"), HostLock(tmp_path / "lock")

    def run():
        with first.tried() as is_ours, second.tried() as is_others:
            assert (is_ours, is_others) == (True, False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert not first.held
    with second.tried() as is_others:
        assert is_others
