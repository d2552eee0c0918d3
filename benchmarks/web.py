"""The pages at a million records: server time of list and detail, and the list's size, while writers write."""

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame

RECORDS = 1_000_000
GROUPS = 200
DAYS = 30
ROUNDS = 40
WRITERS = 2
PER_SECOND = 10
TYPES = ("ConnectionRefusedError", "TimeoutError", "OperationalError", "RecognitionError", "ValueError", "OSError")
PARTS = ("camera", "recognition", "database", "web")
ID, TIME, NUMBER = b"%ID%", b"%TIME%", b"%NUMBER%"


def main() -> None:
    """Print the times, the median and the 95th percentile of each page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--directory", type=Path, help="where the log is, or is made; default: a temporary one")
    args, _ = parser.parse_known_args(sys.argv[1:])
    with tempfile.TemporaryDirectory() as temporary:
        log = (args.directory or Path(temporary)) / "details.jsonl"
        if not log.exists():
            begin = time.perf_counter()
            make_log(log, args.records)
            print(
                f"{args.records} records, {log.stat().st_size / 1e6:.0f} MB, in {time.perf_counter() - begin:.0f} s"
            )
        stop = multiprocessing.Event()
        writers = [multiprocessing.Process(target=write, args=(log, stop, n)) for n in range(WRITERS)]
        measure(log, lambda: [writer.start() for writer in writers])
        stop.set()
        for writer in writers:
            writer.join()


def measure(log: Path, start_writers: Callable[[], object]) -> None:
    """Ask for each page again and again, in this process, as a WSGI server would."""
    from flask import Flask

    from visigate_logging.store.store import ErrorStore
    from visigate_logging.web import create_blueprint

    store = ErrorStore(log)
    begin = time.perf_counter()
    newest = store.recent(1)[0]
    print(f"index brought up to date in {time.perf_counter() - begin:.1f} s")
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(store, unprotected=True))
    client = app.test_client()
    start_writers()
    pages = {
        "list of groups, 7 days": "/errors",
        "list of groups, 24 h": "/errors?period=24h",
        "list of groups, 30 days": "/errors?period=30d",
        "list of errors": "/errors?view=errors",
        "list of errors, filtered": f"/errors?view=errors&type={newest.error_type}&severity=ERROR",
        "one group": f"/errors/groups/{newest.fingerprint}",
        "one error": f"/errors/{newest.event_id}",
        "summary": "/errors/summary",
    }
    print(f"{'page':28} {'first':>8} {'median':>8} {'95 %':>8}   bytes")
    for name, address in pages.items():
        times = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            response = client.get(address)
            times.append((time.perf_counter() - begin) * 1000)
            assert response.status_code == 200, response.status
            time.sleep(0.02)
        high = sorted(times)[int(len(times) * 0.95)]
        size = len(response.data)
        print(f"{name:28} {times[0]:6.1f}ms {statistics.median(times):6.1f}ms {high:6.1f}ms {size:7}")


def make_log(log: Path, records: int) -> None:
    """A log of so many errors over the last days, in groups of uneven size."""
    templates = [template(n) for n in range(GROUPS)]
    weights = [1 / (n + 1) for n in range(GROUPS)]
    chance = random.Random(1)
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / records
    with log.open("wb") as stream:
        for first in range(0, records, 10_000):
            for number, chosen in enumerate(
                chance.choices(templates, weights, k=min(10_000, records - first)), first
            ):
                stream.write(filled(chosen, begin + number * step, number))


def template(number: int) -> bytes:
    """The line of one group, with marks where records differ."""
    kind, part = TYPES[number % len(TYPES)], PARTS[number % len(PARTS)]
    frames = tuple(
        Frame(f"/opt/visigate/{part}/{name}.py", 10 + number, f"step_{name}", f"visigate.{part}.{name}", "do()", True)
        for name in ("loop", "work", "call")
    )
    record = ErrorDetail(
        timestamp=TIME.decode(),
        error_type=kind,
        error_message=f"cannot reach unit {number} of the {part}: attempt {NUMBER.decode()} failed",
        module=f"visigate.{part}.call",
        function="step_call",
        traceback="Traceback (most recent call last):\n" + "  File …\n    do()\n" * 6,
        additional_info={"unit": number},
        event_id=ID.decode(),
        message="unit does not answer",
        severity="CRITICAL" if number % 17 == 0 else "WARNING" if number % 7 == 0 else "ERROR",
        category=part,
        fingerprint=f"v1:{number:016x}",
        culprit=f"visigate.{part}.call in step_call",
        exceptions=(ExceptionData(kind, "builtins", "cannot reach unit", frames=frames),),
        host=f"gate-{number % 3}",
        process=part,
    )
    return replace(record).to_json() + b"\n"


def filled(line: bytes, when: datetime, number: int) -> bytes:
    """A line of a template at a time."""
    stamp = when.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
    event_id = b"%012x7000%016x" % (int(when.timestamp() * 1000), 0x8000000000000000 | number)
    return line.replace(TIME, stamp).replace(ID, event_id).replace(NUMBER, b"%d" % number)


def write(log: Path, stop: "multiprocessing.synchronize.Event", writer: int) -> None:
    """Append records as a process of the gate does, until told to stop."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    number = (writer + 1) << 40
    while not stop.wait(1 / PER_SECOND):
        os.write(descriptor, filled(template(number % GROUPS), datetime.now(UTC), number))
        number += 1
    os.close(descriptor)


if __name__ == "__main__":
    main()
