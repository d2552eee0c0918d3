"""What of a log goes by age and by room, and what is kept of each group."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.records import NOON, detail, write
from visigate_logging import ErrorStore, JsonFileHandler
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.retention import rewrite, schedule
from visigate_logging.retention.rewrite import rewrite_log
from visigate_logging.retention.samples import keep_some
from visigate_logging.retention.schedule import Retention
from visigate_logging.store import catchup
from visigate_logging.store.index import index_path

PARTS = ("barrier", "camera", "printer", "display", "siren")
"""Few enough that two errors of each have room in what is kept, however long the paths in them are."""


def log_error(handler, key):
    record = logging.LogRecord("gate", logging.ERROR, "gate.py", 1, f"failure of {key}", (), None)
    handler.handle(record)


@pytest.fixture
def handler(tmp_path):
    handler = JsonFileHandler(tmp_path / "details.jsonl", maxBytes=40_000, backupCount=3, keep_per_group=2)
    yield handler
    handler.close()


def messages(store, key):
    (group,) = [group for group in store.groups(99) if group.title.endswith(f"failure of {key}")]
    return [record.event_id for record in store.recent(1000, group=group.key)]


def storm(handler, errors):
    """Each of some groups four times, then one group alone; the ids of the others' first and last errors."""
    log = handler.baseFilename
    for _ in range(4):
        for part in PARTS:
            log_error(handler, part)
    with ErrorStore(log) as store:
        found = {part: messages(store, part) for part in PARTS}
    for _ in range(errors):
        log_error(handler, "storms")
    return found


def test_a_storm_of_one_group_leaves_the_first_and_the_last_error_of_each_other(handler, tmp_path):
    before = storm(handler, 800)
    handler.close()
    with ErrorStore(handler.baseFilename) as store:
        assert len(messages(store, "storms")) < 800, "files have gone"
        assert len(store.groups(99)) == len(PARTS) + 1
        assert store.statistics()["total_errors"] >= 4 * len(PARTS)
        for key, ids in before.items():
            assert {ids[0], ids[-1]} <= set(messages(store, key))
    names = {path.name for path in tmp_path.glob("details.jsonl*")}
    assert names <= {f"details.jsonl{ending}" for ending in ("", ".1", ".2", ".3", ".4", ".kept")}
    assert (tmp_path / "details.jsonl.kept").stat().st_size <= 40_000


@pytest.mark.stress
def test_a_storm_of_a_hundred_thousand(tmp_path):
    handler = JsonFileHandler(tmp_path / "details.jsonl", maxBytes=1_000_000, backupCount=3, keep_per_group=2)
    before = storm(handler, 100_000)
    handler.close()
    with ErrorStore(handler.baseFilename) as store:
        for key, ids in before.items():
            assert {ids[0], ids[-1]} <= set(messages(store, key))


def test_what_is_kept_of_a_file_that_goes_is_counted_once(tmp_path):
    log = tmp_path / "details.jsonl"
    old = log.with_name("details.jsonl.4")
    write(old, *(detail(n, NOON + timedelta(minutes=n), fingerprint=f"g{n % 3}") for n in range(30)))
    write(log, detail(99, NOON + timedelta(hours=1), fingerprint="g0"))
    with ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=2)).timestamp) as store:
        before = Counter({g.key: g.count for g in store.groups()})
        for _ in range(2):
            keep_some(log, old, 2, 100_000, timedelta(days=30))
            assert Counter({g.key: g.count for g in store.groups()}) == before, "while both files are there"
            old.unlink()
            assert Counter({g.key: g.count for g in store.groups()}) == before
            assert [r.additional_info["attempt"] for r in store.recent(9, group="g1")] == [28, 1]
            assert store.check() == []
            write(old, detail(31, NOON - timedelta(minutes=1), fingerprint="g2"))
            before["g2"] += 1


def test_groups_that_are_quiet_for_longest_make_room(tmp_path):
    log = tmp_path / "details.jsonl"
    leaving = log.with_name("details.jsonl.4")
    write(leaving, *(detail(n, NOON + timedelta(days=n), fingerprint=f"g{n}") for n in range(40)))
    line = len(leaving.read_bytes()) // 40
    keep_some(log, leaving, 2, 12 * line, timedelta(days=100))
    kept = [
        orjson.loads(text)["fingerprint"] for text in log.with_name("details.jsonl.kept").read_bytes().splitlines()
    ]
    assert kept == [f"g{n}" for n in range(40)][-len(kept) :]
    assert 10 <= len(kept) <= 12
    keep_some(log, leaving, 2, 10**6, timedelta(days=5, hours=1))
    kept = log.with_name("details.jsonl.kept").read_bytes().splitlines()
    assert len(kept) == 6, "what was quiet for longer than that goes"


def test_records_above_an_age_go_and_their_counts_stay(tmp_path):
    log = tmp_path / "details.jsonl"
    write(log.with_name("details.jsonl.2"), *(detail(n, NOON - timedelta(days=120 + n)) for n in range(3)))
    write(log.with_name("details.jsonl.1"), *(detail(10 + n, NOON - timedelta(days=100 - 10 * n)) for n in range(4)))
    write(log, detail(20, NOON - timedelta(days=91)), detail(21, NOON))
    with ErrorStore(log, tz=UTC, clock=NOON.timestamp) as store:
        assert store.groups(days=200)[0].count == 9
        Retention(log, age=90 * 86_400.0, wall=NOON.timestamp).forget_old()
        assert [r.additional_info["attempt"] for r in store.recent(99)] == [21, 13, 12, 11]
        assert store.groups(days=200)[0].count == 9
        assert store.check() == []
    assert not log.with_name("details.jsonl.3").exists(), "nothing was left of it"


def test_a_clock_that_is_wrong_for_a_while_empties_no_log(tmp_path, monkeypatch):
    log, now, seconds = write(tmp_path / "details.jsonl", detail(1, NOON)), [NOON.timestamp()], [0.0]
    monkeypatch.setattr(schedule, "monotonic", lambda: seconds[0])
    retention = Retention(log, age=90 * 86_400.0, wall=lambda: now[0])
    retention.act()
    now[0] += 10 * 365 * 86_400
    for _ in range(3):
        seconds[0] += 1000
        assert 0 < retention.act() <= 3600
    assert log.exists()
    seconds[0] += 3600
    retention.act()
    now[0] = NOON.timestamp()
    seconds[0] += 3601
    retention.act()
    assert log.exists()
    now[0] += 91.5 * 86_400
    for _ in range(2):
        seconds[0] += 3601
        retention.act()
    assert not log.exists()
    assert not log.with_name("details.jsonl.1").exists()


def test_when_the_card_is_nearly_full_the_oldest_file_goes(tmp_path, monkeypatch):
    log = write(tmp_path / "details.jsonl", detail(1))
    for n in range(1, 4):
        write(log.with_name(f"details.jsonl.{n}"), detail(10 * n, NOON - timedelta(days=n), fingerprint=f"g{n}"))

    def usage(_):
        left = sum(1 for _ in tmp_path.glob("details.jsonl.[0-9]"))
        return shutil._ntuple_diskusage(100, 0, 10 if left > 1 else 60)

    monkeypatch.setattr(schedule.shutil, "disk_usage", usage)
    Retention(log, free=50, per_group=2, max_bytes=10**6).act()
    assert sorted(p.name for p in tmp_path.glob("details.jsonl*")) == [
        "details.jsonl",
        "details.jsonl.1",
        "details.jsonl.kept",
    ]
    with ErrorStore(log) as store:
        assert len(store.recent(group="g3")) == 1


WRITER = """
import itertools, logging, select, sys
from visigate_logging import JsonFileHandler
handler = JsonFileHandler(sys.argv[1], maxBytes=30_000, backupCount=900)
for n in itertools.count():
    if n >= int(sys.argv[3]) and select.select([sys.stdin], [], [], 0.002)[0]:
        break
    record = logging.LogRecord("gate", logging.ERROR, "gate.py", 1, "error %d of %s", (n, sys.argv[2]), None)
    handler.handle(record)
handler.close()
print(n)
"""
"""So many records as fast as they can be written, then others until its input ends: it tells how many in all."""


def test_files_are_written_anew_while_others_write_and_no_record_is_lost(tmp_path):
    log = tmp_path / "details.jsonl"
    write(log, *(detail(n, NOON - timedelta(days=200), error_message="old") for n in range(10)))
    command, pipe = [sys.executable, "-c", WRITER, str(log)], subprocess.PIPE
    writers = [subprocess.Popen([*command, str(n), "400"], stdin=pipe, stdout=pipe) for n in range(3)]
    for n in range(3):
        write(log, detail(10_000 + n, NOON - timedelta(days=200), error_message="old"))
        assert rewrite_log(log, lambda line: b"" if b'"error_message":"old"' in line else line)
        assert [writer.poll() for writer in writers] == [None] * 3
    written = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    rewrite_log(log, lambda line: b"" if b'"error_message":"old"' in line else line)
    found = Counter(
        orjson.loads(line)["message"]
        for path in tmp_path.glob("details.jsonl*")
        for line in path.read_bytes().splitlines()
    )
    assert set(found) == {f"error {n} of {writer}" for writer in range(3) for n in range(written[writer])}


def test_a_writer_that_had_looked_before_the_file_was_put_aside_may_still_write_into_it(tmp_path, monkeypatch):
    log = write(tmp_path / "details.jsonl", detail(1), detail(2))
    with log.open("ab", buffering=0) as late:
        monkeypatch.setattr(rewrite.time, "sleep", lambda _: late.write(detail(3).to_json() + b"\n"))
        rewrite_log(log, lambda line: b"" if detail(1).event_id.encode() in line else line)
    lines = [line for path in tmp_path.glob("details.jsonl*") for line in path.read_bytes().splitlines()]
    assert [orjson.loads(line)["event_id"] for line in lines] == [detail(n).event_id for n in (2, 3)]


def test_packed_files_are_written_anew_as_packed_ones(tmp_path):
    import gzip

    log = write(tmp_path / "details.jsonl", detail(1))
    old = log.with_name("details.jsonl.1.gz")
    lines = [detail(n, NOON - timedelta(days=n)).to_json() + b"\n" for n in range(10, 14)]
    old.write_bytes(gzip.compress(b"".join(lines)))
    rewrite_log(log, lambda line: b"" if line in lines[1:3] else line)
    assert gzip.decompress(old.read_bytes()) == lines[0] + lines[3]


@pytest.mark.parametrize("value", ["90", "90 d", "d", "0d", 90, "90h"])
def test_an_age_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(ConfigurationError, match=r"retention: .*write 90d, 12w or 1y"):
        JsonFileHandler(tmp_path / "details.jsonl", retention=value)


def test_the_handler_clears_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "LOOK_EVERY", 0.0)
    log = write(tmp_path / "details.jsonl", detail(1, datetime.now(UTC) - timedelta(days=500)))
    handler = JsonFileHandler(log, retention="1y", maxBytes=10**6, backupCount=2)
    log_error(handler, "new")
    end = time.monotonic() + 20
    while b'"attempt":1' in b"".join(p.read_bytes() for p in tmp_path.glob("details.jsonl*")):
        assert time.monotonic() < end
        handler._upkeep._task.wake()
        time.sleep(0.05)
    handler.close()
    assert not index_path(log).exists()
    assert os.path.exists(log) or log.with_name("details.jsonl.1").exists()


def test_a_file_that_was_written_anew_is_counted_once_however_many_steps_it_takes_to_read(tmp_path, monkeypatch):
    monkeypatch.setattr(catchup, "BATCH", 3)
    log = write(tmp_path / "details.jsonl", detail(99))
    old = write(log.with_name("details.jsonl.1"), *(detail(n, NOON - timedelta(minutes=n)) for n in range(1, 21)))
    first = old.read_bytes().splitlines(keepends=True)[0]
    with ErrorStore(log, clock=(NOON + timedelta(hours=1)).timestamp) as store:
        assert store.groups()[0].count == 21
        rewrite_log(log, lambda line: b"" if line == first else line)
        assert store.groups()[0].count == 21, "what was counted stays counted"
        assert len(store.recent(99)) == 20
