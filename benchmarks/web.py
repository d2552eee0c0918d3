"""The pages at a million records, while two processes write: server time and size of each page.

    python -m benchmarks.web [--records N]

The application is asked within this process, as a WSGI server would ask it: no socket, no browser.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.error_log import lines, uuid7, write_log

if TYPE_CHECKING:
    from flask.testing import FlaskClient

RECORDS = 1_000_000
REPEATS = 40
WRITERS = 2
PAUSE = 0.1
"""Seconds between two records of a writer."""


def main(argv: Sequence[str] = ()) -> None:
    """Print a table: the first time of each page, the median, the 95th percentile, and its bytes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web")
    parser.add_argument("--records", type=int, default=RECORDS)
    records = parser.parse_args(argv).records
    with tempfile.TemporaryDirectory() as directory:
        log = write_log(Path(directory), records)
        stop = multiprocessing.Event()
        writers = [multiprocessing.Process(target=write, args=(log, stop, seed)) for seed in range(2, 2 + WRITERS)]
        for writer in writers:
            writer.start()
        try:
            measure(log)
        finally:
            stop.set()
            for writer in writers:
                writer.join()


def write(log: Path, stop: Event, seed: int) -> None:
    """Append a record now and then, as a process of the gate does, until told to stop."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in itertools.count(seed * 1_000_000):
        if stop.wait(PAUSE):
            break
        now = datetime.now(UTC)
        stamp = now.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
        line = re.sub(rb'"timestamp":"[^"]+"', b'"timestamp":"%s"' % stamp, next(iter(lines(1, seed=number))))
        event = uuid7(now, random.Random(number))
        os.write(descriptor, re.sub(rb'"event_id":"[^"]+"', b'"event_id":"%s"' % event, line))
    os.close(descriptor)


def measure(log: Path) -> None:
    """Ask for each page again and again."""
    from flask import Flask

    from visigate_logging.store.store import ErrorStore
    from visigate_logging.web import create_blueprint

    store = ErrorStore(log)
    newest = store.recent(1)[0]
    app = Flask("benchmark")
    app.register_blueprint(create_blueprint(store, unprotected=True))
    pages = {
        "groups, 24 hours": "/errors?period=24h",
        "groups, 7 days": "/errors",
        "groups, 30 days": "/errors?period=30d",
        "groups of one host": "/errors?period=30d&host=gate-south",
        "single errors": "/errors?view=errors",
        "single errors of a type": f"/errors?view=errors&period=30d&type={newest.error_type}",
        "one error": f"/errors/{newest.event_id}",
        "one group": f"/errors/groups/{newest.fingerprint}",
        "summary": "/errors/summary",
    }
    print(f"{'milliseconds':26}{'first':>10}{'median':>10}{'95 %':>10}{'bytes':>10}")
    for name, address in pages.items():
        times, size = asked(app.test_client(), address)
        figures = (times[0], statistics.median(times), statistics.quantiles(times, n=20)[-1])
        print(f"{name:26}" + "".join(f"{t:10.1f}" for t in figures) + f"{size:10,}")


def asked(client: "FlaskClient", address: str) -> tuple[list[float], int]:
    """How long each of several answers took, milliseconds, and the bytes of the last."""
    times, size = [], 0
    for _ in range(REPEATS):
        begin = time.perf_counter()
        response = client.get(address)
        times.append((time.perf_counter() - begin) * 1000)
        if response.status_code != 200:
            raise RuntimeError(f"{address}: {response.status}")
        size = len(response.data)
        time.sleep(PAUSE / 5)
    return times, size


if __name__ == "__main__":
    main(sys.argv[1:])
