"""Time that does not jump."""

import json
import logging
import logging.handlers
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visigate_logging import JsonFileHandler
from visigate_logging.host import Instant, State, host_seconds
from visigate_logging.host.clock import Epochs, boot_id, clock


def test_the_clock_names_its_boot_and_does_not_go_back():
    first, second = clock(), clock()
    assert first.boot_id == second.boot_id == boot_id()
    assert first.boot_id
    assert second.seconds >= first.seconds


@pytest.fixture
def seconds(tmp_path):
    state = State(tmp_path)

    def read(boot: str, at: float) -> float:
        with state.transaction() as connection:
            return host_seconds(connection, Instant(boot, at))

    yield read
    state.close()


def test_the_hosts_seconds_run_with_the_clock(seconds):
    begin = seconds("a", 100)
    assert seconds("a", 160) - begin == 60
    assert seconds("a", 5000) - begin == 4900


def test_a_reboot_neither_stops_them_nor_lets_them_jump(seconds):
    before = seconds("a", 100_000)
    after = seconds("b", 12)
    assert after == before
    assert seconds("b", 72) - after == 60


def test_they_do_not_go_back_where_the_clock_of_the_boot_does_as_in_another_time_namespace(seconds):
    begin = seconds("a", 1000)
    assert seconds("a", 400) == begin
    assert seconds("a", 460) == begin + 60


def test_at_most_ten_minutes_are_lost_over_a_reboot(seconds):
    seconds("a", 0)
    reached = 0.0
    for at in range(0, 7200, 30):
        reached = seconds("a", at)
    assert reached - 600 <= seconds("b", 5) <= reached


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e5)), max_size=30))
def test_they_never_go_back_and_never_run_faster_than_the_clock(tmp_path_factory, steps):
    state = State(tmp_path_factory.mktemp("clock"))
    boot, at, last = 0, 0.0, 0.0
    for reboot, passed in steps:
        boot, at = (boot + 1, 0.0) if reboot else (boot, at + passed)
        with state.transaction() as connection:
            now = host_seconds(connection, Instant(str(boot), at))
        assert last - (600 if reboot else 0) <= now <= last + passed + 1e-6
        last = now
    state.close()


def test_a_record_that_was_held_has_the_seconds_of_its_making() -> None:
    wall, since_boot = [1000.0], [100.0]
    epochs = Epochs(lambda: wall[0], lambda: since_boot[0])

    def pass_(seconds: float, jump: float = 0.0) -> None:
        wall[0] += seconds + jump
        since_boot[0] += seconds

    held = wall[0]
    assert epochs.since_boot(held) == 100
    pass_(600)
    assert epochs.since_boot(held) == 100
    assert epochs.since_boot(wall[0]) == 700
    pass_(10, jump=1e9)  # the network has set it
    assert epochs.since_boot(wall[0]) == 710
    assert epochs.since_boot(held) == 100  # it was made before
    pass_(100)
    assert epochs.since_boot(wall[0] - 50) == 760
    assert epochs.since_boot(5e9) == 810  # from elsewhere
    pass_(5, jump=-3600)
    assert epochs.since_boot(wall[0]) == 815


def test_records_that_a_memory_handler_has_held_are_where_they_were_made(tmp_path: Path) -> None:
    handler = JsonFileHandler(tmp_path / "details.jsonl")
    memory = logging.handlers.MemoryHandler(10, logging.CRITICAL, handler)
    record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "held", (), None)
    record.created -= 90
    memory.handle(record)
    memory.handle(logging.LogRecord("gate", logging.ERROR, __file__, 1, "fresh", (), None))
    memory.flush()
    held, fresh = map(json.loads, (tmp_path / "details.jsonl").read_text().splitlines())
    handler.close()
    assert fresh["monotonic"] - held["monotonic"] == pytest.approx(90, abs=2)
