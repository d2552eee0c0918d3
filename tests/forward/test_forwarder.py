"""Each record of the log reaches the target at least once, and none of them twice without need."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from tests.forward.servers import CLOSE, DRIP, HALF, HANG, Answer
from visigate_logging.forward.intake import TAKEN
from visigate_logging.forward.lane import Lane
from visigate_logging.forward.progress import LaneProgress
from visigate_logging.forward.selection import REST, Selection
from visigate_logging.host import host_counts, host_drops, host_failures
from visigate_logging.host.follower import Follower
from visigate_logging.retention.rewrite import rewrite_log


def sums(gate):
    sheet = gate.forwarder().counts()
    assert sheet["accepted"] == sheet["delivered"] + sum(sheet["dropped"].values()) + sheet["pending"], sheet
    return sheet


def test_what_was_logged_is_sent_once_and_in_order(gate):
    ids = gate.write(1200)
    forwarder = gate.forward()
    more = gate.write(3)
    gate.forward(forwarder)
    assert gate.received == ids + more
    assert sums(gate) == {"accepted": 1203, "delivered": 1203, "folded": 0, "dropped": {}, "pending": 0}


def test_a_restart_goes_on_where_the_last_one_ended(gate):
    first = gate.write(10)
    gate.forward().close()
    second = gate.write(10)
    gate.forward().close()
    assert gate.received == first + second


def test_by_default_nothing_is_sent_that_was_logged_before(gate):
    gate.write(5)
    forwarder = gate.forward(gate.forwarder(backfill=None))
    later = gate.write(2)
    gate.forward(forwarder)
    assert gate.received == later


def test_a_first_forwarder_that_sent_nothing_has_begun_all_the_same(gate):
    gate.write(2)
    first = gate.forwarder(backfill=None)
    first.turn()
    first.close()
    ids = gate.write(3)
    gate.forward(gate.forwarder(backfill=None))
    assert gate.received == ids


def test_backfill_sends_what_is_no_older(gate):
    gate.write(2, timestamp="2020-01-01T00:00:00.000000Z")
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    young = gate.write(2, timestamp=now)
    gate.forward(gate.forwarder(backfill="7d"))
    assert gate.received == young
    assert sums(gate)["accepted"] == 2


def test_rotation_neither_loses_nor_doubles(gate):
    forwarder, ids = gate.forwarder(), []
    for _ in range(4):
        ids += gate.write(7)
        forwarder.turn()
        ids += gate.write(3)
        gate.rotate()
    ids += gate.write(1)
    gate.forward(forwarder)
    assert gate.received == ids


def test_more_files_than_a_cursor_remembers_are_sent_once(gate, monkeypatch):
    monkeypatch.setattr("visigate_logging.host.follower._KEPT", 3)
    ids = []
    for _ in range(8):
        ids += gate.write(1)
        gate.rotate(backups=10)
    forwarder = gate.forward()
    gate.forward(forwarder)
    assert gate.received == ids


def test_the_newest_critical_does_not_wait_behind_the_others(gate):
    gate.write(1000)
    forwarder = gate.forwarder(max_bytes=100_000)
    forwarder.turn()
    [critical] = gate.write(1, severity="CRITICAL")
    before = len(gate.received)
    forwarder.turn()
    assert gate.received[before:] == [critical]
    gate.forward(forwarder)
    assert len(gate.received) == len(set(gate.received)) == 1001


@pytest.mark.parametrize(
    "answer", [Answer(503), Answer(429), Answer(500), Answer(401), Answer(302), HANG, CLOSE, HALF], ids=str
)
def test_what_was_not_taken_is_sent_again(gate, no_rest, answer):
    ids = gate.write(10)
    gate.sink.script = [answer]
    forwarder = gate.forwarder()
    forwarder.turn()
    assert forwarder.books().pending == 10
    assert forwarder.books().trouble
    gate.sink.requests.clear()
    gate.forward(forwarder)
    assert gate.received == ids
    assert sums(gate)["delivered"] == 10
    assert forwarder.books().trouble == ""


def test_a_server_that_drips_is_given_up(gate, monkeypatch):
    monkeypatch.setattr("visigate_logging.forward.client._PATIENCE", 2.0)
    gate.write(1)
    gate.sink.script = [DRIP]  # no timeout passes between two bytes
    ended = threading.Timer(20, gate.sink.stop)
    ended.start()
    forwarder = gate.forwarder()
    forwarder.turn()
    assert ended.is_alive()
    ended.cancel()
    assert forwarder.books().pending == 1


def test_what_comes_between_looking_and_reading_is_counted_once(gate):
    forwarder = gate.forwarder()
    gate.write(1)
    real = forwarder._intake.scan

    def scan(books, changes):
        real(books, changes)
        if gate.number == 1:
            gate.write(1)

    forwarder._intake.scan = scan
    gate.forward(forwarder)
    gate.forward(forwarder)
    assert sums(gate) == {"accepted": 2, "delivered": 2, "folded": 0, "dropped": {}, "pending": 0}


def test_no_more_a_minute_are_sent_than_is_said(gate):
    gate.write(40)
    forwarder = gate.forwarder(max_per_minute=60)
    forwarder.turn()
    for _ in range(3):
        assert forwarder.turn() > 0
    assert len(gate.received) == 5  # what five seconds have room for
    assert 4 < forwarder.pause <= 5


def test_the_time_that_a_server_names_is_waited_for(gate):
    gate.write(1)
    gate.sink.script = [Answer(429, {"Retry-After": "3600"})]
    forwarder = gate.forwarder()
    forwarder.turn()
    assert 3600 <= forwarder._backoff.wait <= 3600 * 1.2
    forwarder.turn()
    assert len(gate.sink.requests) == 1


def test_a_date_to_wait_for_counts_from_the_clock_of_the_server(gate):
    gate.write(1)
    gate.sink.answer = lambda request: Answer(503, {"Retry-After": "Mon, 01 Jan 2018 00:10:00 GMT"})
    # http.server sends a Date of today: the date to wait for is long past by it.
    forwarder = gate.forwarder()
    forwarder.turn()
    assert forwarder._backoff.wait == 0.0


def test_failures_in_a_row_are_followed_by_waits_that_double(gate):
    gate.write(1)
    gate.sink.stop()
    forwarder = gate.forwarder()
    waits = []
    for _ in range(12):
        forwarder.turn()
        waits.append(forwarder._backoff.wait)
        forwarder._backoff._until = 0.0
    assert 1.5 < waits[0] < 2.5
    assert 3 < waits[1] < 5
    assert 240 <= waits[-1] <= 360


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_record_that_is_refused_is_set_aside_and_holds_up_nothing(gate, status, warnings_of):
    ids = gate.write(40)
    bad = ids[17]
    gate.sink.answer = lambda request: Answer(status if bad in request.body.decode() else 200, body=b"too odd")
    accepted = []
    serve = gate.sink.answer
    gate.sink.answer = lambda request: (
        answer := serve(request),
        accepted.extend(line["event_id"] for line in request.lines if answer.status == 200),
    )[0]
    forwarder = gate.forward()
    assert sorted(accepted) == sorted(set(ids) - {bad})
    assert sums(gate)["dropped"] == {"refused": 1}
    [aside] = forwarder.refused.read()
    assert aside["record"]["event_id"] == bad
    assert "too odd" in aside["reason"]
    assert len(warnings_of()) == 1


def test_a_flood_of_refusals_is_not_a_flood_of_messages(gate, warnings_of):
    gate.write(100)
    gate.sink.answer = lambda request: Answer(400)
    gate.forward()
    assert sums(gate)["dropped"] == {"refused": 100}
    assert len(warnings_of()) == 7  # the 1st, 2nd, 4th, … 64th


def test_a_record_that_the_server_stumbles_over_is_set_aside_when_it_takes_the_next(gate, no_rest):
    ids = gate.write(5)
    bad = ids[2]
    gate.sink.answer = lambda request: Answer(500 if bad in request.body.decode() else 200)
    forwarder = gate.forwarder()
    for _ in range(60):
        forwarder.turn()
    sheet = sums(gate)
    assert (sheet["delivered"], sheet["dropped"], sheet["pending"]) == (4, {"refused": 1}, 0)


def test_a_server_that_fails_on_everything_gets_everything_when_it_is_mended(gate, no_rest):
    ids = gate.write(5)
    gate.sink.answer = lambda request: Answer(500)
    forwarder = gate.forwarder()
    for _ in range(60):
        forwarder.turn()
    assert sums(gate)["pending"] == 5
    gate.sink.requests.clear()
    gate.sink.answer = lambda request: Answer()
    gate.forward(forwarder)
    assert sorted(set(gate.received)) == sorted(ids)
    assert sums(gate)["delivered"] == 5


def test_what_the_retention_took_before_it_could_be_sent_is_counted_and_said(gate, warnings_of):
    forwarder = gate.forwarder()
    gate.sink.stop()
    gate.write(30, severity="ERROR")
    gate.write(3, severity="CRITICAL")
    forwarder.turn()
    gate.rotate(backups=1)
    gate.write(4)
    gate.rotate(backups=1)  # the first file is gone
    left = gate.write(2)
    for _ in range(3):
        forwarder.turn()
    sheet = sums(gate)
    assert sheet["dropped"] == {TAKEN: 33}
    assert sheet["pending"] == 6
    assert ("forward", TAKEN, 33) in [drop[:3] for drop in host_drops(forwarder.state)]
    assert any("33 records were removed" in text for text in warnings_of())
    gate.sink.start()
    forwarder._backoff.reset()
    gate.forward(forwarder)
    assert gate.received[-2:] == left
    assert sums(gate)["pending"] == 0


def test_a_line_that_is_no_record_is_counted_and_passed_over(gate):
    ids = gate.write(1)
    gate.file.append(b'{"timestamp": "2026-05-04T12:00:0\n')
    gate.file.append(b"\x00\x00\x00\n")
    ids += gate.write(1)
    gate.forward()
    assert gate.received == ids
    assert sums(gate)["dropped"] == {"not a record": 2}


def test_only_what_is_selected_is_sent(gate):
    wanted = gate.write(1, category="camera", logger="gate.camera", severity="ERROR")
    gate.write(1, category="web", logger="gate.camera")
    gate.write(1, category="camera", logger="gate.cameras")
    gate.write(1, category="camera", logger="gate.camera", severity="WARNING")
    wanted += gate.write(1, category="camera", logger="gate.camera.north", severity="CRITICAL")
    gate.forward(gate.forwarder(categories="camera", loggers=["gate.camera"], severity="ERROR"))
    assert sorted(gate.received) == sorted(wanted)
    assert sums(gate)["accepted"] == 2


def test_another_selection_leaves_no_count_behind(gate):
    gate.sink.stop()
    gate.write(3, category="web")
    gate.write(3, category="camera")
    forwarder = gate.forwarder(categories="camera")
    forwarder.turn()
    forwarder.close()
    gate.sink.start()
    gate.forward(gate.forwarder(categories="web")).close()
    gate.forward(gate.forwarder(categories="web")).close()
    assert gate.received == []  # what the first had passed stays passed
    sheet = sums(gate)
    assert (sheet["pending"], sheet["dropped"]) == (0, {"not selected any more": 3})


def test_a_selection_that_is_wider_than_before_keeps_the_sum(gate):
    gate.sink.stop()
    gate.write(1, category="camera")
    gate.write(3, category="web")
    forwarder = gate.forwarder(categories="camera")
    forwarder.turn()
    forwarder.close()
    gate.sink.start()
    gate.forward(gate.forwarder()).close()
    assert len(gate.received) == 4
    assert sums(gate) == {"accepted": 4, "delivered": 4, "folded": 0, "dropped": {}, "pending": 0}


def test_of_two_forwarders_one_sends_and_the_other_takes_over(gate):
    ids = gate.write(3)
    first, second = gate.forwarder(), gate.forwarder()
    gate.forward(first)
    ids += gate.write(3)
    assert second.turn() == 15.0
    assert gate.received == ids[:3]
    first.close()
    gate.forward(second)
    assert gate.received == ids


def test_books_that_cannot_be_kept_are_kept_later_and_nothing_is_sent_again(gate):
    ids = gate.write(3)
    forwarder = gate.forwarder()
    forwarder.state.path.parent.mkdir()
    with forwarder.state.transaction():
        pass
    begun = forwarder.books()
    assert begun.pending == 0
    real = forwarder._keep
    forwarder._keep = lambda books: (_ for _ in ()).throw(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        forwarder.turn()
    forwarder._keep = real
    gate.forward(forwarder)
    assert gate.received == ids
    assert sums(gate)["delivered"] == 3


def test_a_state_file_that_was_damaged_does_not_break_the_sum(gate):
    gate.sink.stop()
    gate.write(5)
    forwarder = gate.forwarder()
    forwarder.turn()
    forwarder.state.close()
    for path in gate.state_dir.glob("state.sqlite3*"):
        path.unlink()
    gate.sink.start()
    forwarder._backoff.reset()
    gate.forward(forwarder)
    assert sums(gate) == {"accepted": 5, "delivered": 5, "folded": 0, "dropped": {}, "pending": 0}


CHILD = """
import sys
from visigate_logging import ForwardHandler
from visigate_logging.forward.forwarder import Forwarder
handler = ForwardHandler({"http": {"url": sys.argv[1]}}, sys.argv[2], state_dir=sys.argv[3], backfill="all",
                         max_bytes=2000, max_per_minute=10**9)
forwarder = Forwarder(handler.options, "forward")
while True:
    forwarder.turn()
"""


def test_killed_again_and_again_every_record_arrives_and_few_twice(gate):
    ids = gate.write(60)
    command = [sys.executable, "-c", CHILD, gate.sink.url, str(gate.log), str(gate.state_dir)]
    kills = 0
    while len(set(gate.received)) < len(ids):
        already = len(gate.received)
        with subprocess.Popen(command) as child:
            deadline = time.monotonic() + 60
            while len(gate.received) < min(already + 25, already + len(ids) - len(set(gate.received))):
                assert time.monotonic() < deadline
                time.sleep(0.001)
            os.kill(child.pid, signal.SIGKILL)
        kills += 1
    gate.forward()
    assert sorted(set(gate.received)) == sorted(ids)
    assert len(gate.received) - len(ids) <= 2 * kills  # what was on its way, at two records a request
    assert sums(gate)["pending"] == 0


def test_a_password_in_a_url_is_told_nowhere(gate, warnings_of):
    gate.write(1)
    gate.sink.stop()
    url = gate.sink.url.replace("//", "//gate:geheim@")
    forwarder = gate.forward(gate.forwarder({"http": {"url": url}}))
    told = [*warnings_of(), str(host_failures(forwarder.state)), forwarder.books().trouble]
    assert "Connection refused" in str(told)
    assert "geheim" not in str(told)
    with closing(sqlite3.connect(forwarder.state.path)) as kept:
        assert "geheim" not in str(kept.execute("SELECT * FROM forward").fetchall())
    assert host_counts(forwarder.state)["forward"]["pending"] == 1


def test_a_file_that_is_written_anew_without_what_is_old_is_not_sent_again(gate):
    old = gate.write(3, timestamp="2020-01-01T00:00:00.000000Z")
    young = gate.write(3)
    gate.rotate()
    newest = gate.write(1)
    forwarder = gate.forward()
    assert gate.received == old + young + newest
    changed = rewrite_log(gate.log, lambda line: b"" if b'"timestamp":"2020' in line else line)
    assert changed
    last = gate.write(1)
    gate.forward(forwarder)
    gate.forward(gate.forwarder())
    assert gate.received == old + young + newest + last


def test_of_a_file_that_is_written_anew_what_waits_is_sent(gate):
    gate.write(3, timestamp="2020-01-01T00:00:00.000000Z")
    young = gate.write(3)
    gate.rotate()
    gate.sink.stop()
    forwarder = gate.forwarder()
    forwarder.turn()
    rewrite_log(gate.log, lambda line: b"" if b'"timestamp":"2020' in line else line)
    gate.sink.start()
    forwarder._backoff.reset()
    gate.forward(forwarder)
    assert gate.received == young
    assert sums(gate)["pending"] == 0


def test_a_lane_reads_no_more_of_the_log_than_it_hands_over(gate):
    gate.write(300)
    asked = []

    class Watched(Follower):
        def read(self, cursor, limit=0):
            asked.append(limit)
            return super().read(cursor, limit)

    lane = Lane(REST, Watched(gate.log), Selection(), most=10, max_bytes=262_144)
    assert len(lane.next(LaneProgress(), "").entries) == 10
    assert asked == [20_480]


def test_one_record_that_was_taken_from_the_disk_is_told_of_as_one(gate, warnings_of):
    forwarder = gate.forwarder()
    gate.sink.stop()
    gate.write(1)
    forwarder.turn()
    gate.rotate(backups=1)
    gate.write(1)
    gate.rotate(backups=1)  # the first file is gone
    for _ in range(3):
        forwarder.turn()
    assert any(f"a record was {TAKEN}" in text for text in warnings_of())
