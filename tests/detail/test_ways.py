"""However the same exception is told, it is of one type, category and group."""

import contextlib
import logging
import logging.handlers
import multiprocessing
import queue
import sqlite3
import subprocess
import sys
import traceback
import urllib.error
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import loguru
import pytest
import structlog

from visigate_logging import TextFormatter
from visigate_logging.detail.classification import Classifier
from visigate_logging.detail.lookup import class_named
from visigate_logging.detail.record import ErrorDetail

details: list[ErrorDetail] = []
classifier = Classifier(
    [
        {"exceptions": ["OSError"], "category": "network"},
        {"exceptions": ["sqlite3.DatabaseError"], "category": "database"},
        {"exceptions": ["LookupError"], "causes": True, "category": "lookup"},
    ]
)


class Collect(logging.Handler):
    """Describes records."""

    def emit(self, record: logging.LogRecord) -> None:
        details.append(ErrorDetail.from_record(record))


log = logging.Logger("gate")
collect = Collect()
collect.addFilter(classifier)
log.addHandler(collect)


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    details.clear()


def behind_queue(formatter: logging.Formatter | None, tell: Callable[[logging.Logger], None]) -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(waiting)
    handler.setFormatter(formatter)
    logger = logging.Logger("gate")
    logger.addHandler(handler)
    tell(logger)
    collect.handle(waiting.get())


def behind_filter(tell: Callable[[logging.Logger], None]) -> None:
    """As behind_queue, with a classifier before the queue."""
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger = logging.Logger("gate")
    logger.addFilter(classifier)
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    tell(logger)
    collect.handle(waiting.get())


def bound(*processors: Any) -> Any:
    return structlog.wrap_logger(log, processors=processors, wrapper_class=structlog.stdlib.BoundLogger)


as_event = bound(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
formatted = bound(structlog.processors.format_exc_info, structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
as_json = bound(structlog.processors.format_exc_info, structlog.processors.JSONRenderer())


def by_loguru(tell: Callable[[], object]) -> None:
    number = loguru.logger.add(collect)
    try:
        tell()
    finally:
        loguru.logger.remove(number)


WAYS: dict[str, Callable[[BaseException], object]] = {
    "exception": lambda e: log.exception("it failed"),
    "f-string": lambda e: log.error(f"it failed: {e}"),
    "argument": lambda e: log.error("it failed: %s", e),
    "format_exc": lambda e: log.error(traceback.format_exc()),
    "format_exc behind words": lambda e: log.error(f"Traceback: {traceback.format_exc()}"),
    "format_exc on lines of its own": lambda e: log.error("It failed\n%s", traceback.format_exc()),
    "a warning with format_exc": lambda e: log.warning(f"Traceback: {traceback.format_exc()}"),
    "a warning with format_exc alone": lambda e: log.warning(traceback.format_exc()),
    "format_exc without what is handled": lambda e: log.error(f"failed: {traceback.format_exc()}", exc_info=False),
    "queue": lambda e: behind_queue(None, lambda logger: logger.exception("it failed")),
    "queue, format_exc": lambda e: behind_queue(None, lambda logger: logger.error(traceback.format_exc())),
    "queue with our formatter": lambda e: behind_queue(
        TextFormatter(), lambda logger: logger.error("failed: %s", e, extra={"e": e})
    ),
    "queue behind our filter": lambda e: behind_filter(lambda logger: logger.error("failed: %s", e, extra={"e": e})),
    "structlog": lambda e: as_event.exception("it failed"),
    "structlog, given": lambda e: as_event.error("it failed", exc_info=e),
    "structlog, formatted": lambda e: formatted.exception("it failed"),
    "structlog, JSON": lambda e: as_json.exception("it failed"),
    "loguru": lambda e: by_loguru(lambda: loguru.logger.exception("it failed")),
    "loguru, f-string": lambda e: by_loguru(lambda: loguru.logger.error(f"it failed: {e}")),
}


BY_TEXT = {"f-string", "loguru, f-string"}
"""Told by a helper, which only names it."""


class Camera:
    """Has a class and a function inside others."""

    class DarkError(LookupError):
        """No picture."""

    def grab(self) -> None:
        def read() -> None:
            raise Camera.DarkError("no light at 14:03:11")

        read()


def query() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("SELECT * FROM vehicles")


def connect() -> None:
    try:
        {}["north"]
    except KeyError as e:
        raise ConnectionRefusedError(111, "Connection refused") from e


def recurse(depth: int = 0) -> None:
    recurse(depth + 1)


def program() -> None:
    subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)


def fetch() -> None:
    raise urllib.error.HTTPError("http://gate.local/", 503, "Service Unavailable", None, None)  # type: ignore[arg-type]


def local() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("known here alone")


def misspelt() -> None:
    details.apend(1)  # type: ignore[attr-defined]


FAULTS: dict[str, Callable[[], object]] = {
    "sqlite": query,
    "nested class and function": Camera().grab,
    "cause": connect,
    "recursion": recurse,
    "exit status": program,
    "HTTP status": fetch,
    "local class": local,
    "suggestion": misspelt,
    "library": lambda: logging.getLogger(5),  # type: ignore[arg-type]
    "no text": lambda: next(iter(())),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_exception_told_in_each_way_is_one_group(fault: str) -> None:
    told: dict[str, tuple[Any, ...]] = {}
    try:
        FAULTS[fault]()
    except Exception as e:
        for way, tell in WAYS.items():
            if way in BY_TEXT and not str(e):
                continue
            details.clear()
            tell(e)
            (detail,) = details
            told[way] = (
                detail.error_type,
                detail.category,
                detail.fingerprint,
                detail.culprit,
                detail.file,
                detail.line,
            )
    assert {way: facts for way, facts in told.items() if facts != told["exception"]} == {}


@pytest.mark.parametrize("way", ["executor", "pool"])
def test_what_a_process_pool_brings_is_of_the_group_that_it_has_in_the_worker(way: str) -> None:
    try:
        connect()
    except OSError:
        log.exception("here")
    context = multiprocessing.get_context("spawn")
    try:
        if way == "executor":
            with ProcessPoolExecutor(1, context) as executor:
                executor.submit(connect).result()
        else:
            with context.Pool(1) as pool:
                pool.apply(connect)
    except OSError as e:
        log.error(f"in the pool: {e}")
    here, there = details
    assert (there.fingerprint, there.error_type, there.category) == (here.fingerprint, here.error_type, here.category)
    assert (there.culprit, there.line) == (here.culprit, here.line)
    assert "RemoteTraceback" in there.traceback


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("ValueError", ValueError),
        ("sqlite3.OperationalError", sqlite3.OperationalError),
        (f"{__name__}.Camera.DarkError", Camera.DarkError),
    ],
)
def test_a_class_that_is_loaded_is_found_by_its_name(name: str, known: type) -> None:
    assert class_named(name) is known


@pytest.mark.parametrize(
    "name", ["no.such.Error", "f.<locals>.Gone", "os.getcwd", "sys.modules", "", "a..b", "typing.Any"]
)
def test_one_that_is_not_stands_for_itself_and_imports_nothing(name: str) -> None:
    before = set(sys.modules)
    kind = class_named(name)
    assert issubclass(kind, Exception)
    assert kind.__name__ == name.rpartition(".")[2]
    assert set(sys.modules) == before


def test_a_source_that_is_not_the_one_that_ran_gives_plain_names() -> None:
    text = (
        f'Traceback (most recent call last):\n  File "{__file__}", line 3, in grab\n    not the line\nKeyError: 1\n'
    )
    log.error(text)
    assert details[0].culprit == f"{__name__} in grab"


def test_functions_are_found_without_running_their_module(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "gate_module.py"
    source.write_text("raise SystemExit\n\nclass Gate:\n    def open(self):\n        self.motor.run()\n", "utf-8")
    log.error(
        f'Traceback (most recent call last):\n  File "{source}", line 5, in open\n    self.motor.run()\nKeyError: 1\n'
    )
    assert details[0].culprit == "gate_module in Gate.open"
