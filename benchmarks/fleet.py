"""The fleet: records a second beside plain nats-py, the memory of a gate's forwarder, the page of a thousand gates.

One real NATS server, on this host with all the rest. Rates are of wall time and of one core's time; what is published
is what the real handler has written.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

RECORDS, ROUNDS, GATES = 10_000, 3, 1000
PAGE_RECORDS = int(os.environ.get("PAGE_RECORDS", "100000"))


class _Hub:
    """A NATS server without users, as `nats-server.conf` has it otherwise."""

    def __init__(self, directory: Path) -> None:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{port}"
        config = directory / "hub.conf"
        config.write_text(
            f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{directory}/js", sync_interval: 1s }}\n'
        )
        found = Path(sys.executable).with_name("nats-server")
        program = str(found) if found.exists() else shutil.which("nats-server") or "nats-server"
        self._process = subprocess.Popen([program, "-c", config, "-l", directory / "hub.log"])
        log = directory / "hub.log"
        while not log.exists() or "Server is ready" not in log.read_text():
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def _lines(directory: Path, n: int) -> list[bytes]:
    """Return lines that the real handler has written."""
    import logging

    from visigate_logging import JsonFileHandler

    logger = logging.Logger("gate")
    logger.addHandler(JsonFileHandler(directory / "made.jsonl"))
    for number in range(n):
        try:
            raise TimeoutError(f"no picture from camera {number % 7}")
        except TimeoutError:
            logger.exception("camera %d does not answer", number % 7)
    logger.handlers[0].close()
    return (directory / "made.jsonl").read_bytes().splitlines()


async def _publish(url: str, lines: list[bytes], begin: int) -> float:
    """Publish by plain nats-py, 200 in flight, and return the seconds."""
    import nats

    client = await nats.connect(url)
    stream = client.jetstream()
    begun = time.perf_counter()
    for first in range(0, len(lines), 200):
        some = enumerate(lines[first : first + 200], begin + first)
        await asyncio.gather(
            *(
                stream.publish(f"visigate.s.g{n % GATES}.errors", line, headers={"Nats-Msg-Id": str(n)})
                for n, line in some
            )
        )
    took = time.perf_counter() - begun
    await client.close()
    return took


def _rates(directory: Path, url: str, lines: list[bytes]) -> None:
    import orjson

    from visigate_logging import JsonFileHandler
    from visigate_logging.fleet.collector import Collector
    from visigate_logging.fleet.consumers import Subscription
    from visigate_logging.fleet.intake import Intake
    from visigate_logging.forward.targets.nats import Nats
    from visigate_logging.options import build

    log = JsonFileHandler(directory / "collected" / "details.jsonl")
    intake = Intake(log, [], "bench")
    collector = Collector(build(Subscription, {"servers": url, "name": "bench"}), intake)
    ended = threading.Event()
    thread = threading.Thread(target=collector.run, args=(ended,))
    thread.start()
    while not Path(directory / "collected").exists() or collector._told != "collects":
        time.sleep(0.05)
    ended.set()
    thread.join()
    plain = [asyncio.run(_publish(url, lines, n * RECORDS)) for n in range(ROUNDS)]
    target = build(Nats, {"servers": url, "site": "s", "gate": "bench"})
    ours = []
    for n in range(ROUNDS):
        records = [orjson.loads(line) | {"event_id": f"{k:016x}{n:016x}"} for k, line in enumerate(lines)]
        begun = time.perf_counter()
        for first in range(0, RECORDS, 200):
            target.send(records[first : first + 200])
        ours.append(time.perf_counter() - begun)
    target.close()
    for name, took in (("plain nats-py, 200 in flight", plain), ("the forwarding target", ours)):
        best, slowest = RECORDS / min(took), RECORDS / max(took)
        print(f"published by {name:30}{best:8,.0f} a second (slowest {slowest:,.0f})")
    # The rounds of plain publishing bring each record several times: what is new is a round, the rest are doubles.
    began, cpu = time.perf_counter(), time.process_time()
    collector, ended = Collector(build(Subscription, {"servers": url, "name": "bench"}), intake), threading.Event()
    thread = threading.Thread(target=collector.run, args=(ended,))
    thread.start()
    total = 2 * ROUNDS * RECORDS
    from visigate_logging.host import host_counts

    while host_counts(intake._state).get("collect-bench", {"accepted": 0})["accepted"] < total:  # type: ignore[typeddict-item]
        time.sleep(0.1)
    intake._store.recent(1)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sheet = host_counts(intake._state)["collect-bench"]
    print(
        f"collected into log and index: {total / seconds:,.0f} a second of wall time, {total / cpu:,.0f} of one core",
        end="",
    )
    print(f" ({sheet['delivered']:,} kept, {sheet['folded']:,} doubles)")
    ended.set()
    thread.join()
    intake.close()
    log.close()


def _memory(directory: Path, url: str) -> None:
    """Print the memory of a process with the file alone, and with forwarding beside it."""
    program = """
import logging, sys, time
from pathlib import Path
from visigate_logging import ForwardHandler, JsonFileHandler
from visigate_logging.forward import telling
telling._FIRST = 1.0
log = Path(sys.argv[1]) / "details.jsonl"
logger = logging.Logger("gate")
logger.addHandler(JsonFileHandler(log))
if len(sys.argv) > 2:
    hub = {"servers": sys.argv[2], "site": "s", "gate": "memory"}
    forward = ForwardHandler({"nats": hub}, log, state_dir=log.parent / "state", backfill="all")
    logger.addHandler(forward)
    forward.set_name("hub")
for n in range(2000):
    try:
        raise TimeoutError(str(n))
    except TimeoutError:
        logger.exception("no picture")
time.sleep(8)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""
    found = []
    for name, more in (("alone", []), ("both", [url])):
        run = subprocess.run(
            [sys.executable, "-c", program, directory / name, *more], capture_output=True, text=True, check=True
        )
        found.append(int(run.stdout) / 1024)
    print(f"memory of a gate's process: {found[0]:.1f} MiB, with forwarding to a hub {found[1]:.1f} MiB")


def _page(directory: Path) -> None:
    import orjson
    from flask import Flask

    from visigate_logging.fleet.arrivals import Sender
    from visigate_logging.fleet.gates import SCHEMA, gates_in, note_state
    from visigate_logging.health.gate_state import gate_state
    from visigate_logging.host import State
    from visigate_logging.store.store import ErrorStore
    from visigate_logging.web import create_blueprint

    made = _lines(directory / "page", 200)
    state = State(directory / "page" / "state", SCHEMA)
    own = ErrorStore(directory / "page" / "made.jsonl")
    told = orjson.dumps(gate_state(own, directory / "page" / "state", ()))
    with state.transaction() as connection:
        for n in range(GATES):
            note_state(connection, Sender(f"site{n % 40}", f"gate{n}"), told, time.time())

    def gates() -> Any:
        with state.transaction() as connection:
            return gates_in(connection)

    records = [orjson.loads(line) for line in made]
    with (directory / "page" / "details.jsonl").open("wb") as file:
        now = time.time()
        first = int((now - 5 * 86_400) * 1000)
        for n in range(PAGE_RECORDS):
            at = int((now - 5 * 86_400 * (1 - n / PAGE_RECORDS)) * 1000)
            record = records[n % len(records)] | {
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at / 1000)) + f".{at % 1000:03}000Z",
                "event_id": f"{at:012x}7000{0x8000000000000000 | n:016x}",
                "fingerprint": f"v3:{n % 20:016x}",
                "boot_id": f"boot{n % GATES}",
                "monotonic": (at - first) / 1000,
                "facets": {"site": f"site{n % GATES % 40}", "gate": f"gate{n % GATES}"},
            }
            file.write(orjson.dumps(record) + b"\n")
    store = ErrorStore(directory / "page" / "details.jsonl")
    begun = time.perf_counter()
    store.recent(1)
    rate = PAGE_RECORDS / (time.perf_counter() - begun)
    print(f"index of {PAGE_RECORDS:,} records of {GATES} gates: {rate:,.0f} a second")
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(store, unprotected=True, gates=gates))
    client, took = app.test_client(), []
    for _ in range(20):
        begun = time.process_time()
        page: Any = client.get("/errors/gates")
        took.append((time.process_time() - begun) * 1000)
    print(f"page of {GATES} gates over {PAGE_RECORDS:,} records: {len(page.data) / 1000:.0f} kB,", end=" ")
    print(
        f"first {took[0]:.0f} ms of a core, then {sorted(took[1:])[9]:.0f} ms (median; at most {max(took[1:]):.0f})"
    )
    store.close()
    own.close()
    state.close()


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for part in ("hub", "made", "alone", "both", "page"):
            (directory / part).mkdir()
        hub = _Hub(directory / "hub")
        try:
            _rates(directory, hub.url, _lines(directory / "made", RECORDS))
            _memory(directory, hub.url)
        finally:
            hub.stop()
        _page(directory)


if __name__ == "__main__":
    main()
