"""A thousand gates, three days of errors, links cut, hub and collector killed: at the end each record once, in order.

The gates are in a few processes: their logs are written as the real formatter writes, and sent by the real forwarder.
How many gates and records is set by ``VISIGATE_GATES`` (default 1000) and ``VISIGATE_RECORDS`` a gate (default 10);
hub and collector are killed ``VISIGATE_KILLS`` times in turns (default 12).
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import orjson
import pytest

from tests.fleet.conftest import Collecting
from tests.forward.servers import free_port
from tests.nats_server import READY, SERVER, Hub, nats
from tests.waiting import wait_until

pytestmark = [pytest.mark.stress, pytest.mark.timeout(3600)]
GATES = int(os.environ.get("VISIGATE_GATES", "1000"))
RECORDS = int(os.environ.get("VISIGATE_RECORDS", "10"))
PROCESSES, KILLS = 2, int(os.environ.get("VISIGATE_KILLS", "12"))

GATE = """
import logging, random, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tests.records import detail
from visigate_logging import ForwardHandler
from visigate_logging.forward import backoff
from visigate_logging.forward.forwarder import Forwarder

url, directory, first, last, records = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6])
backoff._FIRST = backoff._LONGEST = 0.05
now, chance = datetime.now(UTC), random.Random(first)
forwarders = []
for number in range(first, last):
    log = directory / f"g{number}" / "details.jsonl"
    log.parent.mkdir(parents=True)
    wrong = timedelta(days=400) if number % 10 == 0 else timedelta()  # until the clock is set, in the middle
    with log.open("wb") as file:
        for n in range(records):
            since = timedelta(days=3) * (n / records)
            at = now - timedelta(days=3) + since - (wrong if n < records // 2 else timedelta())
            severity = "CRITICAL" if chance.random() < 0.1 else "ERROR"
            boot = {"boot_id": f"boot{number}", "monotonic": since.total_seconds()}
            record = detail(number * 100_000 + n, at, severity=severity, **boot)
            file.write(record.to_json() + b"\\n")
    target = {"nats": {"servers": url, "site": f"s{number % 40}", "gate": f"g{number}", "timeout": 5}}
    options = {"state_dir": log.parent / "state", "backfill": "all", "max_per_minute": 10**9, "max_bytes": 20_000}
    handler = ForwardHandler(target, log, **options)
    forwarders.append(Forwarder(handler.options, "hub"))
print("written", flush=True)
waiting = list(forwarders)
while waiting:
    chance.shuffle(waiting)
    for forwarder in list(waiting):
        if chance.random() < 0.05:
            forwarder.options.target.close()  # the link is cut
        forwarder.turn()
        books = forwarder.books()
        if books.scanned and not books.pending:
            forwarder.close()
            waiting.remove(forwarder)
"""
CONFIG = """
version: 1
handlers:
  details: {class: visigate_logging.JsonFileHandler, filename: collected/details.jsonl}
root: {handlers: [details]}
"""

SENT = b'"facets":{"site":'
"""What a gate's records have; the collector's own, that the hub was away, have none."""


def test_each_record_of_each_gate_is_there_once_and_in_order(tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "logging.yaml").write_text(CONFIG)
    hub, chance = Hub(tmp_path / "hub"), random.Random(7)
    environment = os.environ | {"VISIGATE_HUB": hub.url("collector"), "PYTHONPATH": str(Path(__file__).parents[2])}
    collect = [sys.executable, "-m", "visigate_logging", "collect", "--config", "logging.yaml"]
    each = -(-GATES // PROCESSES)
    gates = []
    collector = subprocess.Popen(collect, cwd=tmp_path, env=environment)
    begun = time.monotonic()
    try:
        for first in range(0, GATES, each):
            span = str(first), str(min(first + each, GATES)), str(RECORDS)
            command = [sys.executable, "-c", GATE, hub.url("collector"), str(tmp_path / "gates"), *span]
            gates.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        log = tmp_path / "collected" / "details.jsonl"
        wanted = GATES * RECORDS
        killed = 0
        while any(process.poll() is None for process in gates):
            time.sleep(chance.uniform(3, 9))  # a collector that starts needs some seconds on a busy host
            if killed >= KILLS:
                continue
            if killed % 2:
                hub.kill()
                hub.start()
            else:
                collector.kill()
                collector.wait()
                collector = subprocess.Popen(collect, cwd=tmp_path, env=environment)
            killed += 1
        assert [process.returncode for process in gates] == [0] * len(gates)
        sent = time.monotonic() - begun
        wait_until(lambda: log.exists() and log.read_bytes().count(SENT) >= wanted, 600)
        took = time.monotonic() - begun
    finally:
        for process in (collector, *gates):
            process.kill()
            process.wait()
        hub.kill()
    print(f"{GATES} gates, {wanted:,} records, {killed} kills: sent in {sent:.0f} s, there {took - sent:.0f} s later")
    found = defaultdict(list)
    for record in (orjson.loads(line) for line in log.read_bytes().splitlines() if SENT in line):
        found[record["facets"]["gate"], record["severity"]].append(record["event_id"])
    for number in range(GATES):
        written = tmp_path / "gates" / f"g{number}" / "details.jsonl"
        own = [orjson.loads(line) for line in written.read_bytes().splitlines()]
        for severity in ("CRITICAL", "ERROR"):
            lane = [record["event_id"] for record in own if record["severity"] == severity]
            assert found[f"g{number}", severity] == lane


CLUSTER = """
listen: "127.0.0.1:{port}"
server_name: {name}
jetstream {{ store_dir: "{directory}/{name}", sync_interval: 1s }}
cluster {{ name: fleet, listen: "127.0.0.1:{own}", routes: [{routes}] }}
"""


def test_of_three_servers_one_is_killed_while_gates_publish(tmp_path, gate, no_rest):
    ports, routes = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    urls = [f"nats://127.0.0.1:{port}" for port in ports]
    nodes = []

    async def made():
        client = await nats.connect(urls)
        try:
            stream = client.jetstream()
            options = {"num_replicas": 3, "storage": "file"}
            await stream.add_stream(name="errors", subjects=["visigate.*.*.errors"], **options)
            await stream.add_stream(name="states", subjects=["visigate.*.*.state"], max_msgs_per_subject=1, **options)
        finally:
            await client.close()

    def is_made():
        try:
            asyncio.run(made())
        except (nats.errors.Error, OSError, TimeoutError):
            return False
        return True

    try:
        for n, (port, own) in enumerate(zip(ports, routes, strict=True)):
            text = CLUSTER.format(
                port=port,
                own=own,
                name=f"n{n}",
                directory=tmp_path,
                routes=", ".join(f'"nats://127.0.0.1:{other}"' for other in routes if other != own),
            )
            (tmp_path / f"n{n}.conf").write_text(text)
            nodes.append(subprocess.Popen([SERVER, "-c", tmp_path / f"n{n}.conf", "-l", tmp_path / f"n{n}.log"]))
        logs = [tmp_path / f"n{n}.log" for n in range(3)]
        wait_until(lambda: all(log.exists() and READY in log.read_text() for log in logs))
        wait_until(is_made, 60)
        sent = gate.write(3000)
        target = {"nats": {"servers": urls, "site": "berlin", "gate": "north", "timeout": 2}}
        forwarder = gate.forwarder(target)
        forwarder.turn()
        nodes[0].send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 120
        while forwarder.books().pending and time.monotonic() < deadline:
            forwarder.turn()
        assert forwarder.counts()["delivered"] == 3000

        class Others:
            def url(self, _user):
                return urls

        one = Collecting(Others(), tmp_path / "collected").start()
        try:
            wait_until(lambda: len(one.lines) >= 3000, 60)
            assert [orjson.loads(line)["event_id"] for line in one.lines] == sent
        finally:
            one.stop()
    finally:
        for node in nodes:
            node.kill()
            node.wait()
