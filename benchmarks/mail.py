"""100,000 errors of 20 groups from 4 processes while the mail server hangs: what the callers notice.

Microseconds for one ``logger.exception()`` without the mail handler and with it, and the memory that the processes
end with. First a storm that two cores can bear, one configuration after the other. Then as fast as the processes can,
both side by side, so that whatever else the machine does meets both: on fewer cores than processes one call in a
hundred waits for a core, whatever it does, and *p99 on a core* leaves out that time, as Linux counts it.
"""

import argparse
import array
import logging
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from visigate_logging.host import State

PROCESSES, ERRORS, GROUPS, ROUNDS = 4, 25_000, 20, 5
STORM = 8_000
"""Errors a second, of all processes together."""
BURST = 20
"""Errors that a process logs between two looks at the clock."""
CONFIGURATIONS = ("details", "details and mail")


def serve(configuration: str, directory: Path, port: int, errors: int, rate: int) -> None:
    """Log in one process; the durations in nanoseconds go to standard output.

    Args:
        configuration: which handlers there are.
        directory: where they write.
        port: of the mail server.
        errors: how many are logged.
        rate: how many a second; 0 for as many as can be.
    """
    from visigate_logging.handlers.json_file import JsonFileHandler
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    logger = logging.Logger("visigate.camera")
    if "details" in configuration:
        logger.addHandler(JsonFileHandler(directory / "details.jsonl", maxBytes=10 << 20, backupCount=5))
    if "mail" in configuration:
        options = {"severity": "ERROR", "state_dir": directory / "state", "timeout": 5.0}
        logger.addHandler(ThrottledSMTPHandler(["127.0.0.1", port], "gate@example.org", ["a@example.org"], **options))
    groups = [_raising(n) for n in range(GROUPS)]
    took, on_a_core = array.array("q", bytes(8 * errors)), array.array("q", bytes(8 * errors))
    waited = _waited_for_a_core()
    started = time.monotonic()
    for n in range(errors):
        if rate and n % BURST == 0:
            time.sleep(max(0.0, started + n / rate - time.monotonic()))
        try:
            groups[n % GROUPS](10)
        except RuntimeError:
            before = waited()
            begun = time.perf_counter_ns()
            logger.exception("no picture from camera %s", n)
            took[n] = time.perf_counter_ns() - begun
            on_a_core[n] = took[n] - (waited() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.buffer.write(took.tobytes() + on_a_core.tobytes() + memory.to_bytes(8, sys.byteorder))
    sys.stdout.flush()
    for handler in logger.handlers:
        handler.close()


def _raising(number: int):
    namespace: dict[str, object] = {"__name__": "src.camera"}
    source = (
        f"def group_{number}(deep):\n    if deep: return group_{number}(deep - 1)\n    raise RuntimeError('away')"
    )
    exec(source, namespace)
    return namespace[f"group_{number}"]


def _waited_for_a_core() -> Callable[[], int]:
    """Tells for how many nanoseconds this thread was ready to run and had no core; 0 where that is not counted."""
    try:
        fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0
    return lambda: int(os.pread(fd, 64, 0).split()[1])


class Found(NamedTuple):
    """Microseconds for one call, and the largest process in MiB."""

    median: float
    p99: float
    p999: float
    p99_on_a_core: float
    largest: float


def run(configuration: str, port: int, rate: int = 0) -> Found:
    """All errors once, ``rate`` a second from each process."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.mail", "--serve", configuration]
        command += ["--directory", name, "--port", str(port), "--rate", str(rate)]
        children = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(PROCESSES)
        ]
        outputs = [child.communicate()[0] for child in children]
        if "mail" in configuration:
            _check(Path(name) / "state")
    calls = [array.array("q", output[:-8]) for output in outputs]
    took = sorted(n for both in calls for n in both[:ERRORS])
    on_a_core = sorted(n for both in calls for n in both[ERRORS:])
    cells = [took[int(len(took) * q)] / 1000 for q in (0.5, 0.99, 0.999)]
    largest = max(int.from_bytes(output[-8:], sys.byteorder) for output in outputs) / 1024
    return Found(*cells, on_a_core[int(len(on_a_core) * 0.99)] / 1000, largest)


def _check(directory: Path) -> None:
    """Nothing is lost: what is not stored yet waits in shared memory for the next process."""
    state = State(directory)
    with state.transaction() as connection:
        stored = connection.execute(
            "SELECT sum(n) FROM counts WHERE handler = 'mail' AND field = 'accepted'"
        ).fetchone()[0]
        letters = connection.execute("SELECT count(*) FROM mail_letters").fetchone()[0]
    state.close()
    assert stored == PROCESSES * ERRORS, stored
    print(f"    {stored:,} errors accepted, {letters} mail composed", flush=True)


def run_storm(port: int) -> list[Found]:
    """Each configuration once, one after the other, in a storm that two cores can bear."""
    return [run(configuration, port, STORM // PROCESSES) for configuration in CONFIGURATIONS]


def run_side_by_side(port: int) -> list[Found]:
    """Each configuration once, at the same time, as fast as can be."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, CONFIGURATIONS, [port] * len(CONFIGURATIONS)))


def main() -> None:
    """Print the tables."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:  # accepts, and never says a word
        port = silent.getsockname()[1]
        _print(f"{STORM:,} errors a second", [run_storm(port) for _ in range(ROUNDS)])
        _print("as fast as can be", [run_side_by_side(port) for _ in range(ROUNDS)])


def _print(title: str, found: list[list[Found]]) -> None:
    print(f"{title:28}{'median':>9}{'p99':>9}{'p99.9':>9}{'p99 on a core':>15}{'largest':>10}")
    for name, rounds in zip(CONFIGURATIONS, zip(*found, strict=True), strict=True):
        median = Found(*map(statistics.median, zip(*rounds, strict=True)))
        print(f"    {name:24}{median.median:9.0f}{median.p99:9.0f}{median.p999:9.0f}", end="")
        print(f"{median.p99_on_a_core:15.0f}{median.largest:6.0f} MiB")
    ratios = [f"{both.p99 / alone.p99:.2f}" for alone, both in found]
    print(f"    p99 with mail, as a multiple of that without, in each round: {', '.join(ratios)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--rate", type=int)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.directory, given.port, ERRORS, given.rate)
    else:
        main()
