"""One logger.exception(): the full detail record beside the standard library and others.

Each contender runs in a process of its own, for some of them change ``logging`` as a whole; the rounds are taken in
turn, so that a drift of the machine's speed touches all alike. Medians of rounds, microseconds for each call.
"""

import argparse
import contextlib
import functools
import logging
import logging.handlers
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import raising

FRAMES = (1, 10, 30)
ROUNDS = 25
CALLS = 60
COLD = 60

Log = Callable[[], object]
MESSAGE, ARGUMENT = "no picture from camera %s", "entrance"


def _logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("visigate.camera")
    logger.addHandler(handler)
    return logger


def _exception(handler: logging.Handler) -> Log:
    logger = _logger(handler)
    return lambda: logger.exception(MESSAGE, ARGUMENT)


def visigate_logging(directory: Path) -> Log:
    from visigate_logging import JsonFileHandler

    return _exception(JsonFileHandler(directory / "details.jsonl", maxBytes=10 << 20, backupCount=5))


def visigate_logging_handled(directory: Path) -> Log:
    """What is handled is found by its text, by a helper: the longer of the two ways."""
    from visigate_logging import JsonFileHandler

    logger = _logger(JsonFileHandler(directory / "details.jsonl", maxBytes=10 << 20, backupCount=5))
    return lambda: logger.error(f"no picture: {sys.exception()}")


def stdlib_handled(directory: Path) -> Log:
    logger = _logger(logging.handlers.RotatingFileHandler(directory / "error.log", maxBytes=10 << 20, backupCount=5))
    return lambda: logger.error(f"no picture: {sys.exception()}")


def stdlib_text(directory: Path) -> Log:
    handler = logging.handlers.RotatingFileHandler(directory / "error.log", maxBytes=10 << 20, backupCount=5)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return _exception(handler)


def stdlib_no_traceback(directory: Path) -> Log:
    logger = _logger(logging.FileHandler(directory / "plain.log"))
    return lambda: logger.error(MESSAGE, ARGUMENT)


def loguru_serialize(directory: Path) -> Log:
    from loguru import logger

    logger.remove()
    logger.add(directory / "loguru.jsonl", serialize=True, rotation="10 MB", retention=5)
    return lambda: logger.exception("no picture from camera {}", ARGUMENT)


def structlog_orjson(directory: Path) -> Log:
    import orjson
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory((directory / "structlog.jsonl").open("ab")),
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger()
    return lambda: logger.exception(MESSAGE, camera=ARGUMENT)


def python_json_logger(directory: Path) -> Log:
    from pythonjsonlogger.orjson import OrjsonFormatter

    handler = logging.handlers.RotatingFileHandler(directory / "pjl.jsonl", maxBytes=10 << 20, backupCount=5)
    handler.setFormatter(OrjsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    return _exception(handler)


def concurrent_log_handler(directory: Path) -> Log:
    from concurrent_log_handler import ConcurrentRotatingFileHandler
    from pythonjsonlogger.orjson import OrjsonFormatter

    handler = ConcurrentRotatingFileHandler(directory / "clh.jsonl", maxBytes=10 << 20, backupCount=5)
    handler.setFormatter(OrjsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    return _exception(handler)


def sentry_sdk_file(directory: Path) -> Log:
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.transport import Transport

    class FileTransport(Transport):
        def __init__(self, options: dict[str, object]) -> None:
            super().__init__(options)
            self._file = (directory / "sentry.envelopes").open("ab", buffering=0)

        def capture_envelope(self, envelope: Envelope) -> None:
            self._file.write(envelope.serialize())

    sentry_sdk.init(dsn="http://key@localhost/1", transport=FileTransport)
    logger = logging.getLogger("visigate.camera")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return lambda: logger.exception(MESSAGE, ARGUMENT)


CONTENDERS: dict[str, Callable[[Path], Log]] = {
    "visigate_logging": visigate_logging,
    'visigate_logging, error(f"…{e}")': visigate_logging_handled,
    "stdlib RotatingFileHandler, text": stdlib_text,
    "loguru serialize": loguru_serialize,
    "structlog + orjson": structlog_orjson,
    "python-json-logger, RotatingFileHandler": python_json_logger,
    "concurrent-log-handler + orjson": concurrent_log_handler,
    "sentry-sdk, envelope to a file": sentry_sdk_file,
    'stdlib RotatingFileHandler, error(f"…{e}")': stdlib_handled,
    "stdlib FileHandler, no traceback (floor)": stdlib_no_traceback,
}
STDLIB = "stdlib RotatingFileHandler, text"


def serve(name: str, directory: Path) -> None:
    """Take rounds on standard input, ``FRAMES CALLS`` or ``cold``, and answer in microseconds for a call."""
    log = CONTENDERS[name](directory)
    sources = {frames: raising.module(directory, f"frames_{frames}", max(frames, 2)) for frames in FRAMES}
    taken: list[float] = []

    def timed(calls: int) -> None:
        started = time.perf_counter()
        for _ in range(calls):
            log()
        taken.append((time.perf_counter() - started) / calls * 1e6)

    fresh = iter(range(1_000_000))
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("cold"):
            new = raising.module(directory, f"cold_{next(fresh)}", 10)
            raising.while_raised(new, 10, lambda: timed(1))
        else:
            frames, calls = map(int, line.split())
            raising.while_raised(sources[frames], frames, functools.partial(timed, calls))
        print(taken.pop(), flush=True)


@contextlib.contextmanager
def contenders(directory: Path) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """A process for each."""
    running = {}
    for number, name in enumerate(CONTENDERS):
        own = directory / str(number)
        own.mkdir()
        running[name] = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.capture", "--serve", name, "--directory", str(own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    try:
        for process in running.values():
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def ask(process: "subprocess.Popen[str]", line: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    print(line, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory, contenders(Path(directory)) as running:
        questions = [f"{frames} {CALLS}" for frames in FRAMES] + ["cold"]
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(ROUNDS + COLD):
            for question in questions if number < ROUNDS else ["cold"]:
                for name, process in running.items():
                    found.setdefault((name, question), []).append(ask(process, question))
    print(f"{'microseconds for a call (ratio to the stdlib)':44}", *(f"{f'{f} frames':>16}" for f in FRAMES), end="")
    print(f"{'first sight, 10':>18}")
    for name in CONTENDERS:
        cells = []
        for question in questions:
            ours, stdlib = found[name, question][1:], found[STDLIB, question][1:]
            ratio = statistics.median(a / b for a, b in zip(ours, stdlib, strict=True))
            cells.append(f"{statistics.median(ours):7.0f} ({ratio:5.2f})")
        print(f"{name:44}", *(f"{c:>16}" for c in cells))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.directory)
    else:
        main()
