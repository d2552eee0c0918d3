"""Forks: what Python sees, and what it does not."""

import ctypes
import os
import warnings

import pytest

from visigate_logging.host.forks import ForkAware, in_forked_child, notice_fork, watch_forks

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
