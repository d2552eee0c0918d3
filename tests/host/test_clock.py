"""Time that does not jump."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visigate_logging.host import Instant, State, host_seconds
from visigate_logging.host.clock import boot_id, clock


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
