"""Worker: a bounded queue and its thread."""

import gc
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref

import pytest

from visigate_logging.host.forks import ForkAware, watch_forks
from visigate_logging.host.worker import Guarded, Worker


class Sink:
    """Collects what is worked off; can be made to wait."""

    def __init__(self) -> None:
        self.items: list[object] = []
        self.calls: list[int] = []
        self.again: float | None = None
        self.open = threading.Event()
        self.open.set()

    def __call__(self, items: list[object]) -> float | None:
        self.calls.append(len(items))
        self.open.wait(30)
        self.items += items
        return self.again


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def worker(sink):
    worker = Worker("test-worker", sink, maxsize=100)
    yield worker
    sink.open.set()
    worker.stop(5)


def in_child(body) -> int:
    """Exit code of a forked child that runs ``body``: 0 when it returned True."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if body() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_is_put_is_worked_off_in_order(worker, sink):
    assert all(worker.put(n) for n in range(50))
    assert worker.flush(5)
    assert sink.items == list(range(50))


def test_no_thread_runs_before_the_first_put(sink):
    before = threading.active_count()
    worker = Worker("lazy", sink)
    assert threading.active_count() == before
    assert worker.flush(0)
    assert worker.stop(0)


def test_a_thread_that_is_started_early_calls_no_work_and_a_stopped_worker_starts_none(sink):
    worker = Worker("early", sink)
    assert worker.start()
    assert worker._is_alive()
    assert sink.calls == []
    assert worker.stop(5)
    assert not worker.start()


def test_a_full_queue_refuses_at_once_and_never_blocks(worker, sink):
    sink.open.clear()
    begun = time.monotonic()
    accepted = sum(worker.put(n) for n in range(1000))
    assert time.monotonic() - begun < 2
    assert 100 <= accepted <= 201  # what the thread had taken does not wait any more
    sink.open.set()
    assert worker.flush(5)
    assert len(sink.items) == accepted


def test_flush_gives_up_after_its_time(worker, sink):
    sink.open.clear()
    worker.put(1)
    assert not worker.flush(0.05)


def test_work_is_called_without_items_when_its_time_has_come(worker, sink):
    done = threading.Event()

    def work(items):
        sink.calls.append(len(items))
        if not items:
            done.set()
            return None
        return 0.02

    worker._work = work
    worker.put("x")
    assert done.wait(5)
    assert sink.calls == [1, 0]


def test_wake_calls_work_soon_and_many_wakes_cost_one_signal(worker, sink):
    sink.open.clear()
    worker.put("x")
    for _ in range(10_000):
        worker.wake()
    assert worker._queue.qsize() <= 2
    sink.open.set()
    assert worker.flush(5)
    assert len(sink.calls) <= 4


def test_each_wake_that_follows_a_call_leads_to_another(worker, sink):
    for calls in range(1, 6):
        worker.wake()
        deadline = time.monotonic() + 5
        while len(sink.calls) < calls and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(sink.calls) == calls


def test_an_exception_in_work_is_reported_and_does_not_end_the_thread(worker, sink, caplog, thread_errors):
    def work(items):
        if "bad" in items:
            raise ValueError("cannot do that")
        return sink(items)

    worker._work = work
    worker.put("bad")
    assert worker.flush(5)
    worker.put("good")
    assert worker.flush(5)
    assert sink.items == ["good"]
    assert not thread_errors
    [record] = [r for r in caplog.records if r.name == "visigate_logging"]
    assert "test-worker failed on 1 items" in record.getMessage()
    assert "cannot do that" in caplog.text


def test_a_fault_that_lasts_is_reported_at_powers_of_two(worker, caplog):
    def work(items):
        raise OSError("still broken")

    worker._work = work
    for _ in range(9):
        worker.put("x")
        assert worker.flush(5)
    assert len(caplog.records) == 4  # 1, 2, 4, 8


def test_a_report_that_feeds_the_worker_again_does_not_recurse(worker):
    class Feed(logging.Handler):
        def emit(self, record):
            worker.put(record)

    def work(items):
        raise OSError("broken")

    worker._work = work
    logger = logging.getLogger("visigate_logging")
    logger.addHandler(Feed())
    worker.put("x")
    for _ in range(4):
        assert worker.flush(5)
    assert worker._queue.empty()
    assert worker._is_alive()


def test_a_stopped_worker_has_worked_off_what_it_took_and_takes_no_more(worker, sink):
    for n in range(20):
        worker.put(n)
    assert worker.stop(5)
    assert sink.items == list(range(20))
    assert not worker.put("late")


def test_stop_gives_up_after_its_time(worker, sink):
    sink.open.clear()
    worker.put(1)
    begun = time.monotonic()
    assert not worker.stop(0.05)
    assert time.monotonic() - begun < 2


def test_work_that_stops_or_flushes_its_own_worker_does_not_wait_for_itself(worker, sink):
    answers = []
    worker._work = lambda items: answers.append((worker.flush(5), worker.stop(5)))
    worker.put("x")
    assert worker._thread is not None
    worker._thread.join(0.5)
    assert answers == [(False, False)]


def test_many_threads_start_one_worker_thread(sink):
    worker = Worker("one-thread", sink)
    barrier = threading.Barrier(16)

    def put():
        barrier.wait()
        worker.put("x")

    threads = [threading.Thread(target=put) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(t.name == "one-thread" for t in threading.enumerate()) == 1
    assert worker.flush(5)
    assert len(sink.items) == 16
    worker.stop(5)


def test_a_destructor_that_puts_while_its_own_thread_puts_does_not_deadlock(worker, sink):
    class Logging:
        def __del__(self):
            worker.put("from __del__")

    for _ in range(200):
        cycle = [Logging()]
        cycle.append(cycle)
        del cycle
        worker.put("x")
        gc.collect(0)
        worker.flush(5)
    assert sink.items.count("x") == 200


def test_a_forked_child_has_an_empty_queue_and_its_own_thread(worker, sink):
    sink.open.clear()
    for n in range(5):
        worker.put(n)

    def child():
        sink.items.clear()
        sink.open.set()
        return worker.put("child's") and worker.flush(5) and sink.items == ["child's"]

    assert in_child(child) == 0
    sink.open.set()
    assert worker.flush(5)
    assert sink.items == list(range(5))


def test_what_is_put_while_a_forked_child_begins_anew_is_worked_off_when_all_has(worker, sink):
    class Early(ForkAware):
        def after_fork_in_child(self) -> None:
            worker.put("early")
            worker.wake()
            time.sleep(0.05)
            self.seen = list(sink.items)

    early = Early()
    watch_forks(early)
    assert in_child(lambda: early.seen == [] and worker.flush(5) and sink.items == ["early"]) == 0


def test_a_fork_while_the_queue_is_in_use_leaves_the_child_working(worker, sink):
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            worker.put("x")
            worker.wake()
            time.sleep(0)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(10):
            assert in_child(lambda: worker.put("y") and worker.flush(5)) == 0
    finally:
        stop.set()
        thread.join()


def test_a_worker_is_forgotten_with_its_owner(sink):
    worker = Worker("forgotten", sink)
    gone = weakref.ref(worker)
    del worker
    gc.collect()
    assert gone() is None


def _log_in_process(path):
    def work(items):
        time.sleep(0.2)
        with open(path, "a") as file:
            file.write(f"{len(items)}\n")

    _log_in_process.worker = Worker("in-child", work)
    for _ in range(3):
        _log_in_process.worker.put("x")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_works_off_its_queue_before_it_ends(tmp_path, method):
    path = tmp_path / "done"
    process = multiprocessing.get_context(method).Process(target=_log_in_process, args=(path,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    process.join(30)
    assert process.exitcode == 0
    assert sum(int(line) for line in path.read_text().split()) == 3


LAST_PUT = """
import os, sys
from visigate_logging.host.worker import Worker

worker = Worker("late", print)


class Last:
    def __del__(self, write=os.write, is_finalizing=sys.is_finalizing):
        write(1, f"{is_finalizing()} {worker.put(1)}".encode())


last = Last()
last.itself = last  # so that it goes only with everything else
sys.modules["last"] = last
"""


def test_a_worker_takes_nothing_when_the_interpreter_ends_and_waits_for_no_thread():
    done = subprocess.run([sys.executable, "-c", LAST_PUT], capture_output=True, text=True, check=True, timeout=10)
    assert (done.stdout, done.stderr) == ("True False", "")


def test_importing_the_worker_does_not_import_multiprocessing():
    code = "import sys, visigate_logging.host.worker; sys.exit('multiprocessing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_after_failures_in_a_row_the_wait_doubles_up_to_a_minute_and_begins_anew_after_success(caplog):
    def fail():
        raise OSError("no space")

    guarded = Guarded("test-worker")
    assert [guarded(fail) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 64, 64]
    assert [r.getMessage().rpartition(" ")[2] for r in caplog.records] == ["1", "2", "4", "8"]
    assert guarded(lambda: None) is None
    assert guarded(fail) == 2
