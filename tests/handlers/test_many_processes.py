"""Many processes, one file: each record is there once, whoever dies, and whatever the disk does meanwhile."""

import itertools
import random
import time

import pytest

from tests.handlers.lines import read, who
from tests.handlers.writer import Writer
from tests.waiting import wait_until
from visigate_logging.host import State, host_counts


def run(tmp_path, count, max_bytes, peer=False):
    """Seconds that four processes took for ``count`` records each, and their sheets."""
    log = tmp_path / "details.jsonl"
    options = {"filename": str(log), "maxBytes": max_bytes, "backupCount": 5000}
    writers = [Writer(tmp_path, slot, count, peer=peer, **options) for slot in range(4)]
    begun = time.monotonic()
    for writer in writers:
        writer.begin()
    sheets = [writer.counts() for writer in writers]
    return time.monotonic() - begun, sheets


def assert_each_once(tmp_path, count):
    log = tmp_path / "details.jsonl"
    records, broken = read(log)
    assert not broken
    assert who(records) == dict.fromkeys(itertools.product(range(4), range(count)), 1)
    assert len({r["event_id"] for r in records}) == 4 * count
    return len(list(tmp_path.glob("details.jsonl.*")))


def test_four_processes_that_rotate_write_each_record_once_as_whole_lines(tmp_path):
    _, sheets = run(tmp_path, 500, 64 * 1024)
    assert assert_each_once(tmp_path, 500) > 10
    assert [(s["accepted"], s["delivered"], s["pending"]) for s in sheets] == [(500, 500, 0)] * 4


def test_the_host_counts_what_all_processes_wrote(tmp_path):
    run(tmp_path, 50, 0)
    state = State(tmp_path / "state")
    sheet = host_counts(state)[str(tmp_path / "details.jsonl")]
    state.close()
    assert (sheet["accepted"], sheet["delivered"], sheet["dropped"], sheet["pending"]) == (200, 200, {}, 0)


@pytest.mark.stress
def test_four_processes_with_20000_records_each_write_each_once(tmp_path):
    peer = pytest.importorskip("concurrent_log_handler")
    count, rates = 20_000, {}
    for name in ("ours", "theirs"):
        directory = tmp_path / name
        directory.mkdir()
        seconds, _ = run(directory, count, 1 << 20, peer=name == "theirs")
        rates[name] = 4 * count / seconds
        if name == "ours":
            rotations = assert_each_once(directory, count)
    print(
        f"\n4 x {count} records, {rotations} rotations: {rates['ours']:,.0f} records/s;"
        f" concurrent-log-handler {peer.__version__ if hasattr(peer, '__version__') else ''}"
        f" {rates['theirs']:,.0f} records/s; ratio {rates['ours'] / rates['theirs']:.1f}"
    )


def kill_two_of_four(directory, seed, count=4000):
    """Returns how many records had returned in the killed, and how many lines are broken."""
    directory.mkdir()
    log = directory / "details.jsonl"
    chance = random.Random(seed)
    options = {"filename": str(log), "maxBytes": 64 * 1024, "backupCount": 5000}
    writers = [Writer(directory, slot, count if slot < 2 else 500, **options) for slot in range(4)]
    for writer in writers:
        writer.begin()
    for victim in writers[:2]:
        at = chance.randrange(1, 1000)
        wait_until(lambda victim=victim, at=at: victim.returned() >= at)
        victim.kill()
    for writer in writers[2:]:
        assert writer.counts()["delivered"] == 500
    records, broken = read(log)
    found = who(records)
    for writer in writers:
        returned = {(writer.slot, n) for n in range(writer.returned())}
        assert returned <= set(found)
        assert sum(slot == writer.slot for slot, _ in found) <= writer.returned() + 1
    assert set(found.values()) == {1}
    assert len(broken) <= 2
    return sum(writer.returned() for writer in writers[:2]), len(broken)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_had_returned_is_there_when_two_of_four_processes_are_killed(tmp_path, seed):
    returned, _ = kill_two_of_four(tmp_path / "round", seed)
    assert returned >= 2


@pytest.mark.stress
def test_what_had_returned_is_there_after_20_rounds_of_killing(tmp_path):
    rounds = [kill_two_of_four(tmp_path / str(seed), seed) for seed in range(20)]
    print(f"\n20 rounds, {sum(r for r, _ in rounds)} records returned before a kill, none lost;", end=" ")
    print(f"{sum(b for _, b in rounds)} lines torn by the kill")
