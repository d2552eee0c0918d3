"""Following a log while it is written and rotated."""

import contextlib
import gzip
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from contextlib import closing
from datetime import UTC, timedelta

import pytest

from tests.records import NOON, detail, write
from visigate_logging.retention.erasure import erase
from visigate_logging.retention.rewrite import rewrite_log
from visigate_logging.store.store import ErrorStore

WRITER = textwrap.dedent(
    """
    import logging, sys
    from visigate_logging.handlers.json_file import JsonFileHandler

    log, name, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    logger = logging.getLogger(name)
    logger.addHandler(JsonFileHandler(log, maxBytes=size, backupCount=900))
    logger.propagate = False
    sys.stdin.readline()
    for number in range(count):
        try:
            raise ConnectionError(f"no frame {number}")
        except ConnectionError:
            logger.exception("camera", extra={"writer": name, "number": number})
    logging.shutdown()
    """
)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "details.jsonl"


def seen(follower):
    return [line.record["additional_info"]["attempt"] for line in follower.poll() if line.record]


def test_only_what_comes_from_now_on_is_followed(log):
    write(log, detail(1))
    follower = ErrorStore(log).follower()
    assert seen(follower) == []
    write(log, detail(2), detail(3))
    assert seen(follower) == [2, 3]
    assert seen(follower) == []
    follower.close()


def test_a_record_that_is_half_written_when_following_begins_is_seen_whole(log):
    line = detail(2).to_json() + b"\n"
    write(log, detail(1), line[:50])
    follower = ErrorStore(log).follower()
    write(log, line[50:200])
    assert seen(follower) == []
    write(log, line[200:])
    assert seen(follower) == [2]
    follower.close()


def test_a_log_that_is_not_there_yet_is_followed_from_its_first_record(log):
    follower = ErrorStore(log).follower()
    assert seen(follower) == []
    write(log, detail(1))
    assert seen(follower) == [1]
    follower.close()


def test_records_before_at_and_after_a_rotation_are_each_seen_once(log):
    write(log, detail(0))
    follower = ErrorStore(log).follower()
    write(log, detail(1))
    log.rename(log.with_name("details.jsonl.1"))
    write(log, detail(2))
    write(log.with_name("details.jsonl.1"), detail(3))
    assert seen(follower) == [1, 3, 2]
    write(log.with_name("details.jsonl.1"), detail(4))
    assert seen(follower) == [4]
    follower.close()


def test_a_file_that_is_removed_is_read_to_its_end_first(log):
    follower = ErrorStore(log).follower()
    write(log, detail(1))
    assert seen(follower) == [1]
    write(log, detail(2))
    log.unlink()
    write(log, detail(3))
    assert sorted(seen(follower)) == [2, 3]
    follower.close()


def held(gone):
    """Which files that have been removed this process still has open: those that others open are not among them."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # listing them takes one, which is closed by now
            status = os.fstat(int(name))
            if status.st_nlink == 0:
                found.add((status.st_dev, status.st_ino))
    return found & gone


def test_files_that_are_gone_are_let_go(log):
    gone = set()
    with closing(ErrorStore(log).follower()) as follower:
        for number in range(20):
            status = write(log, detail(number)).stat()
            assert seen(follower) == [number]
            log.unlink()
            gone.add((status.st_dev, status.st_ino))
            assert len(held(gone)) == 1
            assert seen(follower) == []
            assert len(held(gone)) == 1
        assert seen(follower) == []
        assert held(gone) == set()


def test_a_file_that_is_packed_is_not_seen_again(log):
    follower = ErrorStore(log).follower()
    write(log, detail(1))
    assert seen(follower) == [1]
    log.with_name("details.jsonl.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    assert seen(follower) == []
    follower.close()


def test_a_file_emptied_in_place_is_followed_from_its_start(log):
    write(log, detail(1), detail(2))
    follower = ErrorStore(log).follower()
    os.truncate(log, 0)
    write(log, detail(3))
    assert seen(follower) == [3]
    follower.close()


def test_a_follower_that_is_too_slow_says_that_it_may_have_missed_something(log, caplog):
    write(log, detail(1))
    follower = ErrorStore(log).follower()
    log.unlink()
    keep = write(log.with_name("keep"), b"x")  # so that the inode is another one
    write(log, detail(2))
    seen(follower)
    assert "may be missed" in caplog.text
    assert keep.exists()
    follower.close()


def test_follow_hands_out_records_as_they_come(log):
    write(log, detail(1))
    records = ErrorStore(log).follow(poll=0.01)
    timer = threading.Timer(0.1, write, (log, detail(2), detail(3)))
    timer.start()
    assert [next(records), next(records)] == [detail(2), detail(3)]
    records.close()


def run_writers(log, writers, count, size):
    log.touch()
    store = ErrorStore(log, tz=UTC)
    follower = store.follower()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(log), f"w{n}", str(count), str(size)], stdin=subprocess.PIPE
        )
        for n in range(writers)
    ]
    for process in processes:
        process.stdin.close()  # all begin together
    followed, asked = Counter(), 0
    while True:
        ended = all(process.poll() is not None for process in processes)
        lines = list(follower.poll())
        assert not [line for line in lines if line.problem]
        infos = [line.record["additional_info"] for line in lines if line.record]
        followed.update((info["writer"], info["number"]) for info in infos)
        assert store.statistics(2)["total_errors"] >= asked
        asked = store.statistics(2)["total_errors"]
        ids = [record.event_id for record in store.recent(20)]
        assert len(ids) == len(set(ids)) == min(20, asked) or asked < 20
        if ended:
            break
    follower.close()
    assert [process.returncode for process in processes] == [0] * writers
    wanted = Counter((f"w{n}", number) for n in range(writers) for number in range(count))
    assert followed == wanted
    assert store.statistics(2)["total_errors"] == writers * count
    assert store.health()["records"] == writers * count
    assert store.health()["unreadable"] == 0
    assert store.check() == []
    assert len(store.health()["files"]) > 3
    store.close()


def test_four_writers_with_rotation_are_followed_and_counted_to_the_record(log):
    run_writers(log, 4, 300, 100_000)


@pytest.mark.stress
def test_four_writers_with_rotation_are_followed_and_counted_at_full_count(log):
    run_writers(log, 4, 20_000, 1024 * 1024)


def test_the_order_of_records_in_one_file_is_kept(log):
    follower = ErrorStore(log).follower()
    write(log, *(detail(n, NOON - timedelta(seconds=n)) for n in range(5)))
    assert seen(follower) == [0, 1, 2, 3, 4]
    follower.close()


def test_a_file_that_is_emptied_in_place_and_outgrows_itself_is_followed(tmp_path):
    """As logrotate's copytruncate does it, with more records between two looks than there were before."""
    log = write(tmp_path / "details.jsonl", *(detail(n) for n in range(3)))
    with closing(ErrorStore(log).follower()) as follower:
        write(log, detail(3))
        assert [line.record["additional_info"]["attempt"] for line in follower.poll()] == [3]
        for first in (10, 20, 40):
            os.truncate(log, 0)
            write(log, *(detail(n) for n in range(first, first + first)))
            followed = [line.record["additional_info"]["attempt"] for line in follower.poll()]
            assert followed == list(range(first, first + first))
        assert list(follower.poll()) == []


def test_a_file_that_is_emptied_before_anything_was_followed_is_followed(tmp_path):
    log = write(tmp_path / "details.jsonl", detail(1))
    with closing(ErrorStore(log).follower()) as follower:
        os.truncate(log, 0)
        write(log, detail(2), detail(3))
        assert [line.record["additional_info"]["attempt"] for line in follower.poll()] == [2, 3]


@pytest.mark.parametrize("length", [1, 1024, 100_000])
def test_a_file_that_is_emptied_is_known_however_much_is_the_same_in_all_records(log, length):
    same = {"message": "m" * length, "host": "h" * length}
    write(log, detail(11, **same))
    with closing(ErrorStore(log).follower()) as follower:
        for first in (20, 30):
            os.truncate(log, 0)
            write(log, *(detail(n, **same) for n in range(first, first + 4)))
            assert seen(follower) == list(range(first, first + 4))
        assert seen(follower) == []


def test_what_was_followed_comes_not_again_when_a_text_in_it_is_overwritten(log):
    write(log, detail(1, message="Erika Mustermann"))
    with closing(ErrorStore(log).follower()) as follower:
        erase(log.parent, log, "Erika Mustermann")
        write(log, detail(2, message="Erika Mustermann"))
        assert seen(follower) == [2]
        erase(log.parent, log, "Erika Mustermann")
        assert b"Erika" not in log.read_bytes()
        write(log, detail(3))
        assert seen(follower) == [3]
        os.truncate(log, 0)
        write(log, *(detail(n) for n in range(4, 9)))
        assert seen(follower) == [4, 5, 6, 7, 8]


def test_what_was_followed_comes_not_again_when_the_retention_has_written_the_files_anew(log):
    write(log.with_name("details.jsonl.1"), *map(detail, range(3)))
    write(log, *map(detail, range(3, 6)))
    follower = ErrorStore(log).follower()
    write(log, detail(6))
    assert seen(follower) == [6]
    for gone, come in ((0, 7), (3, 8), (8, 9)):
        rewrite_log(log, lambda line, gone=gone: b"" if detail(gone).event_id.encode() in line else line)
        write(log, detail(come))
        assert seen(follower) == [come]
    follower.close()
