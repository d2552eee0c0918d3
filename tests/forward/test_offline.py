"""After a day without a network all is caught up over a slow link, and what is critical does not wait for it."""

import random
import subprocess
import sys
import time

import pytest

from tests.records import detail
from visigate_logging.host.shared_file import SharedFile

KIB_PER_SECOND = 8
"""64 kbit/s."""


def log_a_day(gate, n, chance):
    """So many errors of a few kinds, rotated as the shipped configuration does it, but with room for all."""
    file, ids = SharedFile(gate.log, max_bytes=10 << 20, backups=60), []
    for number in range(n):
        severity = "CRITICAL" if number % 1000 == 500 else "ERROR"
        frames = "".join(f"  File 'src/part_{chance.randrange(9)}.py', line {k}, in f_{k}\n" for k in range(12))
        record = detail(number, severity=severity, traceback=f"Traceback:\n{frames}", message=f"camera {number} away")
        file.append(record.to_json() + b"\n")
        ids.append((record.event_id, severity))
    file.close()
    return ids


def arrived(gate):
    return [(line["event_id"], line["severity"]) for request in gate.sink.requests for line in request.lines]


def check(gate, ids, seconds_per_kib):
    forwarder = gate.forwarder(max_bytes=262_144)
    gate.sink.stop()  # a day offline: the process runs, and cannot send
    for _ in range(3):
        forwarder.turn()
    assert forwarder.books().pending == len(ids)
    gate.sink.start()
    gate.sink.seconds_per_kib = seconds_per_kib
    forwarder._backoff.reset()
    while sum(len(request.lines) for request in gate.sink.requests) < len(ids) // 20:
        forwarder.turn()
        forwarder._backoff.reset()
    before = len(arrived(gate))
    gate.number = 10**6
    [newest] = gate.write(1, severity="CRITICAL")
    forwarder.turn()
    assert [event_id for event_id, _ in arrived(gate)][before:][0] == newest  # before all old ones
    begun = time.monotonic()
    while forwarder.turn() == 0.0 or forwarder.books().pending:
        forwarder._backoff.reset()
    print(f"\n{len(ids):,} records in {time.monotonic() - begun:.0f} s at {seconds_per_kib * 1000:.2f} ms per KiB")
    got = arrived(gate)
    assert sorted(got) == sorted([*ids, (newest, "CRITICAL")])  # nothing lost, and none twice
    for lane in ("CRITICAL", "ERROR"):
        wanted = [event_id for event_id, severity in ids if severity == lane]
        assert [event_id for event_id, severity in got if severity == lane and event_id != newest] == wanted


def test_caught_up_over_a_slow_link(gate):
    target_timeout = {"http": {"url": gate.sink.url, "timeout": 5}}
    gate.forwarder = lambda target=None, real=gate.forwarder, **options: real(target_timeout, **options)
    check(gate, log_a_day(gate, 2000, random.Random(1)), 0.002)


@pytest.mark.stress
def test_a_day_offline_with_100_000_records_over_64_kbit(gate):
    """The link is as slow as 64 kbit/s for the first hundredth, and then faster, so that it ends within minutes."""
    gate.forwarder = lambda target=None, real=gate.forwarder, **options: real(
        {"http": {"url": gate.sink.url, "timeout": 30}}, **options
    )
    ids = log_a_day(gate, 100_000, random.Random(1))
    forwarder = gate.forwarder(max_bytes=262_144)
    gate.sink.seconds_per_kib = 1 / KIB_PER_SECOND
    begun = time.monotonic()
    while not gate.sink.requests or time.monotonic() - begun < 60:
        forwarder.turn()
        assert forwarder.books().trouble == ""  # no timeout at 64 kbit/s
    sent, took = len(arrived(gate)), time.monotonic() - begun
    print(f"\nat 64 kbit/s: {sent / took:.0f} records a second, 100,000 in {100_000 * took / sent / 60:.0f} minutes")
    gate.sink.seconds_per_kib = 0.0
    gate.forward(forwarder, turns=100_000)
    got = arrived(gate)
    assert sorted(got) == sorted(ids)
    assert forwarder.counts()["delivered"] == 100_000
    forwarder.close()


MEMORY = """
import resource, sys
from visigate_logging import ForwardHandler
from visigate_logging.forward.forwarder import Forwarder
handler = ForwardHandler({"http": {"url": sys.argv[1]}}, sys.argv[2], state_dir=sys.argv[3], backfill="all",
                         max_per_minute=10**9)
forwarder = Forwarder(handler.options, "forward")
forwarder.turn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
while forwarder.turn() == 0.0:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.stress
def test_memory_does_not_grow_with_what_waits(gate):
    log_a_day(gate, 20_000, random.Random(1))
    command = [sys.executable, "-c", MEMORY, gate.sink.url, str(gate.log), str(gate.state_dir)]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"\ngrown by {grown:.1f} MiB while 20,000 records were sent")
    assert grown < 12
