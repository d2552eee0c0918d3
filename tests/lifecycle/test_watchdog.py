"""A loop that stops beating is told of once, with the stacks of all threads, while its process lives or after it."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.lifecycle.gate import Gate
from tests.waiting import wait_until
from visigate_logging.lifecycle import stack_dump, watchdog
from visigate_logging.lifecycle.watchdog import Hang, Watchdog, heartbeat

WATCHED = ", watchdog: 0.2"


@pytest.fixture
def told() -> list[Hang]:
    """What was told, with no beats before."""
    watchdog._beats.clear()
    return []


def test_two_threads_that_wait_for_each_other_are_told_of_with_both_stacks(tmp_path: Path) -> None:
    gate = Gate(tmp_path, WATCHED)
    deadlock = """
    one, two = threading.Lock(), threading.Lock()
    held = threading.Barrier(2)
    def read_frames():
        visigate_logging.heartbeat()
        with one: held.wait(); two.acquire()
    def open_barrier():
        with two: held.wait(); one.acquire()
    for work in (read_frames, open_barrier):
        threading.Thread(target=work, name=work.__name__, daemon=True).start()
    print("ready", flush=True); sys.stdin.read()
    """
    process = gate.start(deadlock, stdin=-1)
    gate.waits_for(1)
    time.sleep(0.1)  # for a second one, which must not come
    process.communicate("", timeout=30)
    [record] = gate.records
    assert (record["error_type"], record["level"], record["pid"]) == ("ProcessHungError", "ERROR", process.pid)
    assert "no heartbeat of read_frames" in record["message"]
    assert record["function"] == "read_frames"
    others = {stack["thread"]: " ".join(stack["frames"]) for stack in record["additional_info"]["threads"]}
    assert "in open_barrier" in others["open_barrier"]
    assert [event for event, _ in gate.ends] == ["hang"]


HOLDS = "ctypes.PyDLL(None).usleep({})"


def test_a_loop_that_holds_the_interpreter_is_told_of_when_it_lets_go(tmp_path: Path) -> None:
    gate = Gate(tmp_path, WATCHED)
    held = f"""
    def decode(): {HOLDS.format(2_500_000)}
    _life.LOOK_EVERY = 0.5
    visigate_logging.heartbeat()
    while not _life.life()._rearmed: time.sleep(0.01)
    decode()
    visigate_logging.heartbeat(last=True)
    while not os.path.getsize("logs/details.jsonl"): time.sleep(0.01)
    """
    assert gate.run(held) == 0, gate.complained
    [record] = gate.records
    assert "no heartbeat of the interpreter" in record["message"]
    assert record["function"] == "decode"
    gate.look()
    assert len(gate.records) == 1


def test_one_that_is_killed_while_it_holds_the_interpreter_is_told_of_by_the_next(tmp_path: Path) -> None:
    gate = Gate(tmp_path, WATCHED)
    process = gate.start(f"""
    def decode(): {HOLDS.format(60_000_000)}
    _life.LOOK_EVERY = 0.5
    visigate_logging.heartbeat()
    while not _life.life()._rearmed: time.sleep(0.01)
    decode()
    """)  # fmt: skip
    wait_until(lambda: any(p.stat().st_size for p in (tmp_path / "logs/state/processes").glob("*.dump")))
    process.kill()
    process.communicate()
    gate.look()
    [record] = gate.records
    assert (record["error_type"], record["pid"], record["function"]) == ("ProcessHungError", process.pid, "decode")


def test_a_loop_that_beats_is_not_told_of_and_one_that_goes_on_is_an_event(told: list[Hang]) -> None:
    dog = Watchdog(0.0, told.append)
    heartbeat()
    dog.look()
    assert told == []
    dog.look()
    dog.look()
    assert [hang.thread for hang in told] == ["MainThread"]
    heartbeat()
    dog.look()
    assert len(told) == 2
    assert told[1].stacks == ()


def test_a_thread_that_has_ended_and_a_last_beat_are_watched_no_more(told: list[Hang]) -> None:
    dog = Watchdog(0.0, told.append)
    thread = threading.Thread(target=heartbeat)
    thread.start()
    thread.join()
    heartbeat()
    heartbeat(last=True)
    for _ in range(3):
        assert not dog.look()
    assert told == []


def test_time_in_which_the_process_itself_was_stopped_does_not_count(
    told: list[Hang], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    dog = Watchdog(30.0, told.append)
    heartbeat()
    dog.look()
    now[0] += 3600
    dog.look()
    assert told == []


def test_systemd_is_fed_as_long_as_all_loops_beat(
    told: list[Hang], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        dog = Watchdog(0.0, told.append)
        heartbeat()
        dog.look()
        assert manager.recv(100) == b"WATCHDOG=1"
        dog.look()
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
        heartbeat()
        dog.look()
        with pytest.raises(BlockingIOError):
            manager.recv(100)


def test_a_forked_child_is_not_watched_for_its_parents_loops(told: list[Hang]) -> None:
    heartbeat()
    child = os.fork()
    if child == 0:
        os._exit(len(watchdog._beats))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_no_longer_than_a_moment_for_who_stops_the_interpreters_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who stops it waits until it has written, which a full or broken disk may hold up."""
    monkeypatch.setattr(stack_dump, "_PATIENCE", 0.01)
    timer, written = stack_dump._Timer(), threading.Event()

    def stop() -> None:
        with timer._lock:
            stopping.set()
            written.wait()

    stopping, stops = threading.Event(), threading.Thread(target=stop)
    stops.start()
    stopping.wait()
    forks = threading.Thread(target=lambda: (timer.before_fork(), timer.after_fork_in_parent()), daemon=True)
    forks.start()
    forks.join(30)
    is_held_up = forks.is_alive()
    written.set()
    stops.join()
    assert not is_held_up


def test_a_loop_of_asyncio_that_is_held_up_is_told_of_and_a_child_forked_meanwhile_beats_as_well(
    tmp_path: Path,
) -> None:
    """In the child `faulthandler` would wait for ever for the parent's thread, if it were asked."""
    gate = Gate(tmp_path, WATCHED)
    beats = """
    import asyncio
    async def loops():
        async def beats():
            while True: visigate_logging.heartbeat(); await asyncio.sleep(0.01)
        task = asyncio.create_task(beats())
        await asyncio.sleep(0.05)
        wait_for_the_camera()
        task.cancel()
    def wait_for_the_camera():  # what no coroutine may do
        while not os.path.getsize("logs/details.jsonl"): time.sleep(0.01)
    asyncio.run(loops())
    def beat():
        visigate_logging.heartbeat()
        while not _life.life()._rearmed: visigate_logging.heartbeat(); time.sleep(0.01)
    beat()
    from visigate_logging.host import forks
    forks._in_child.insert(0, lambda: time.sleep(0.05))  # in which a thread that begins too early has its first turn
    child = os.fork()
    signal.alarm(20)
    _life.life()._rearmed = 0.0
    beat()
    if child: sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert gate.run(beats) == 0, gate.complained
    record = gate.records[0]
    assert (record["error_type"], record["function"]) == ("ProcessHungError", "wait_for_the_camera")
    assert {event["pid"] for event in gate.events if event["event"] == "resumed"} <= {gate.pid}  # not the child
