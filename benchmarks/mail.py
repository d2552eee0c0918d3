"""100,000 errors of 20 groups from 4 processes while the mail server hangs: what the callers notice.

Each configuration is run in turn, several times, and its calls are pooled: microseconds for one
``logger.exception()`` at full speed, and the memory that the processes end with.
"""

import argparse
import array
import logging
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from visigate_logging.state import State

PROCESSES, ERRORS, GROUPS, ROUNDS = 4, 25_000, 20, 3
CONFIGURATIONS = ("details", "details and mail", "mail")


def serve(configuration: str, directory: Path, port: int, errors: int) -> None:
    """Log in one process; the durations in nanoseconds go to standard output."""
    from visigate_logging.handlers.json_file import JsonFileHandler
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    logger = logging.Logger("visigate.camera")
    if "details" in configuration:
        logger.addHandler(JsonFileHandler(directory / "details.jsonl", maxBytes=10 << 20, backupCount=5))
    if "mail" in configuration:
        options = {"severity": "ERROR", "state_dir": directory / "state", "timeout": 5.0}
        logger.addHandler(ThrottledSMTPHandler(["127.0.0.1", port], "gate@example.org", ["a@example.org"], **options))
    groups = [_raising(n) for n in range(GROUPS)]
    took = array.array("q", bytes(8 * errors))
    for n in range(errors):
        try:
            groups[n % GROUPS](10)
        except RuntimeError:
            begun = time.perf_counter_ns()
            logger.exception("no picture from camera %s", n)
            took[n] = time.perf_counter_ns() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.buffer.write(took.tobytes() + memory.to_bytes(8, sys.byteorder))
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


def run(configuration: str, port: int) -> tuple[list[int], int]:
    """All durations, and the largest process in KiB."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.mail", "--serve", configuration]
        command += ["--directory", name, "--port", str(port)]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        outputs = [child.communicate()[0] for child in children]
        if "mail" in configuration:
            _check(Path(name) / "state")
    took: list[int] = []
    for output in outputs:
        took += array.array("q", output[:-8])
    return took, max(int.from_bytes(output[-8:], sys.byteorder) for output in outputs)


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


def main() -> None:
    """Print the table."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:  # accepts, and never says a word
        port = silent.getsockname()[1]
        found: dict[str, list[list[int]]] = {name: [] for name in CONFIGURATIONS}
        memory = dict.fromkeys(CONFIGURATIONS, 0)
        for _ in range(ROUNDS):
            for name in CONFIGURATIONS:
                took, largest = run(name, port)
                found[name].append(sorted(took))
                memory[name] = max(memory[name], largest)
    print(f"{'microseconds for a call':24}{'median':>10}{'p99':>10}{'p99.9':>10}{'largest process':>20}")
    for name, rounds in found.items():
        cells = [statistics.median(r[int(len(r) * q)] for r in rounds) / 1000 for q in (0.5, 0.99, 0.999)]
        print(f"{name:24}", *(f"{c:9.0f}" for c in cells), f"{memory[name] / 1024:15.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.directory, given.port, ERRORS)
    else:
        main()
