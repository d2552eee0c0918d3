"""Handlers change between two records."""

import logging
import logging.handlers
import os
import threading
import time
import warnings

import pytest

from visigate_logging.config import swap
from visigate_logging.config.swap import stopped


class Collect(logging.Handler):
    """Remembers what it got."""

    def __init__(self):
        super().__init__()
        self.got = []

    def emit(self, record):
        time.sleep(0)  # let others run here
        self.got.append(record.getMessage())


@pytest.fixture
def hammer():
    """Threads that log through ``gate.camera`` from ``start()`` to ``finish()``, which gives what they said."""
    stop, said = threading.Event(), []

    def log(number):
        logger = logging.getLogger("gate.camera")
        count = 0
        while not stop.is_set():
            logger.error("%s.%s", number, count)
            count += 1
        said.extend(f"{number}.{i}" for i in range(count))

    threads = [threading.Thread(target=log, args=(n,)) for n in range(8)]

    class Hammer:
        def start(self):
            for thread in threads:
                thread.start()

        def finish(self):
            stop.set()
            for thread in threads:
                thread.join()
            return said

    yield Hammer()
    stop.set()


@pytest.mark.parametrize("rounds", [60, pytest.param(1000, marks=pytest.mark.stress)])
def test_a_handler_that_moves_between_loggers_meets_each_record_once(hammer, rounds):
    root, gate, collect = logging.getLogger(), logging.getLogger("gate"), Collect()
    before, lists = root.handlers, [[collect], []]
    root.handlers = [collect]
    hammer.start()
    for _ in range(rounds):
        with stopped():
            lists.reverse()
            root.handlers, gate.handlers = lists
            gate.propagate = not gate.handlers
        time.sleep(0.001)
    said = hammer.finish()
    root.handlers, gate.handlers = before, []
    assert len(said) > rounds
    assert sorted(collect.got) == sorted(said)


def test_a_call_that_is_stuck_in_a_handler_holds_others_up_for_a_bounded_time(monkeypatch):
    monkeypatch.setattr(swap, "LONGEST", 0.1)
    entered, leave = threading.Event(), threading.Event()

    class Stuck(logging.Handler):
        def emit(self, record):
            entered.set()
            leave.wait(30)

    logger = logging.getLogger("gate.stuck")
    logger.propagate = False
    logger.addHandler(Stuck())
    thread = threading.Thread(target=logger.error, args=("x",))
    thread.start()
    assert entered.wait(5)
    begun = time.monotonic()
    with stopped():
        logger.handlers = []
    assert 0.1 <= time.monotonic() - begun < 5
    leave.set()
    thread.join()


def test_a_handler_that_logs_itself_is_not_waited_for_in_vain(monkeypatch):
    monkeypatch.setattr(swap, "LONGEST", 20)
    entered, leave = threading.Event(), threading.Event()
    inner, logger = logging.getLogger("gate.inner"), logging.getLogger("gate.outer")

    class Chatty(logging.Handler):
        def emit(self, record):
            entered.set()
            leave.wait(30)
            inner.error("said while another record is on its way")

    collect = Collect()
    inner.addHandler(collect)
    logger.addHandler(Chatty())
    inner.propagate = logger.propagate = False
    thread = threading.Thread(target=logger.error, args=("x",))
    thread.start()
    assert entered.wait(5)
    threading.Timer(0.1, leave.set).start()
    begun = time.monotonic()
    with stopped():
        assert collect.got == ["said while another record is on its way"]
    assert time.monotonic() - begun < 10
    thread.join()


def test_who_logs_during_a_change_is_served_by_what_is_there_afterwards():
    old, new = Collect(), Collect()
    logger = logging.getLogger("gate.late")
    logger.propagate = False
    logger.addHandler(old)
    thread = threading.Thread(target=logger.error, args=("late",))
    with stopped():
        thread.start()
        time.sleep(0.05)
        assert old.got == new.got == []
        logger.handlers = [new]
    thread.join()
    assert (old.got, new.got) == ([], ["late"])


def test_lists_are_plain_again_when_the_change_fails():
    logger = logging.getLogger("gate.same")
    handlers = logger.handlers
    with pytest.raises(RuntimeError), stopped():
        raise RuntimeError
    assert logger.handlers is handlers
    assert type(logger.handlers) is list


def test_a_fork_waits_for_the_end_of_a_change():
    """A child forked in the middle would have loggers that nobody lets go on."""
    call_handlers, inside, over, codes = logging.Logger.callHandlers, threading.Event(), threading.Event(), []

    def change():
        with stopped():
            inside.set()
            over.wait(30)

    def fork():
        pid = os.fork()
        if pid == 0:
            os._exit(0 if logging.Logger.callHandlers is call_handlers else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    threads = [threading.Thread(target=change), threading.Thread(target=fork)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        threads[0].start()
        inside.wait(30)
        threads[1].start()
        threads[1].join(0.3)
        over.set()
        for thread in threads:
            thread.join(30)
    assert codes == [0]
