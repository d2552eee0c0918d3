"""What stands around an error: the cost of keeping it, of telling it the first time, and in a storm.

Contenders take turns in one process, in CPU time of the thread; medians of rounds, microseconds for each call.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import raising
from visigate_logging import DetailFormatter, FlightRecorder, JsonFileHandler
from visigate_logging.detail import context

ROUNDS = 15
CALLS = 1000
"""Errors of a storm; those of its group that get all, the 1st, 2nd, 4th, 8th …, are among them."""


def _logger(*handlers: logging.Handler) -> logging.Logger:
    logger = logging.Logger("visigate.camera", logging.INFO)
    logger.handlers = [*handlers]
    return logger


def _file(path: Path, *, tells_locals: bool) -> JsonFileHandler:
    handler = JsonFileHandler(path, maxBytes=10 << 20, backupCount=5)
    handler.setFormatter(DetailFormatter(locals=tells_locals))
    return handler


def _per_call(act: Callable[[], object], calls: int) -> float:
    started = time.thread_time()
    for _ in range(calls):
        act()
    return (time.thread_time() - started) / calls * 1e6


def _row(name: str, taken: list[float], base: list[float]) -> None:
    ratio = statistics.median(a / b for a, b in zip(taken, base, strict=True))
    print(f"{name:58} {statistics.median(taken):8.1f} {ratio:6.2f}")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory:
        source = raising.module(Path(directory), "around", 10)
        found: dict[str, list[float]] = {}
        null, recorder = logging.NullHandler(), FlightRecorder()
        plain = _logger(_file(Path(directory, "plain.jsonl"), tells_locals=False))
        full = _logger(FlightRecorder(), _file(Path(directory, "full.jsonl"), tells_locals=True))
        for number in range(60):
            full.info("frame %d of camera %s", number, "entrance")

        def exception(name: str, logger: logging.Logger, *, is_first: bool) -> None:
            def act() -> None:
                if is_first:
                    context._counts.clear()
                logger.exception("no picture from camera %s", "entrance")

            raising.while_raised(source, 10, lambda: found.setdefault(name, []).append(_per_call(act, CALLS)))

        for _ in range(ROUNDS):
            for name, handler in (("logger.info, NullHandler", null), ("logger.info, FlightRecorder", recorder)):
                info = _logger(handler).info
                found.setdefault(name, []).append(_per_call(lambda info=info: info("frame %d of %s", 7, "x"), 1000))  # type: ignore[misc]
            for group in context._counts:  # as if there had been so many that none gets anything
                context._counts[group] = (2**40 + 1, time.monotonic())
            exception("without", plain, is_first=False)
            exception("first of a group", full, is_first=True)
            context._counts.clear()
            exception("in a storm", full, is_first=False)
    names = [*found]
    print(f"{'microseconds for a call (CPU), and ratio':58}")
    for name in names[:2]:
        _row(name, found[name], found[names[0]])
    _row("logger.exception, 10 frames, nothing around it", found["without"], found["without"])
    _row("logger.exception, all around it, first of a group", found["first of a group"], found["without"])
    _row("logger.exception, all around it, in a storm of 1000", found["in a storm"], found["without"])


if __name__ == "__main__":
    main()
