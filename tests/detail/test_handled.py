"""A record gets the exception that its caller handles, and no other."""

import contextlib
import copy
import logging
import logging.handlers
import pickle
import sqlite3
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from tests.detail import programs, raising
from tests.detail.programs import HANDLED, NAMED, NOTHING, PASSING
from visigate_logging.detail import handled
from visigate_logging.detail.classification import Classifier
from visigate_logging.detail.handled import VARIABLE, Handled, being_handled, look_at_environment
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.handlers.recovery import RecoveryHandler


class Judge(logging.Handler):
    """Compares what a record takes up with what its call expects."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.seen = dict.fromkeys((NOTHING, HANDLED, PASSING, NAMED), 0)
        self._now = threading.local()

    def expect(self, place: str, exc: BaseException | None, is_handled: bool = True) -> None:
        self._now.expected = place, exc or sys.exception(), is_handled

    def note(self, record: logging.LogRecord) -> bool:
        record.expected = self._now.expected
        return True

    def emit(self, record: logging.LogRecord) -> None:
        place, exc, is_handled = record.expected  # type: ignore[attr-defined]
        found = being_handled(record)
        wanted = {
            NOTHING: None,
            HANDLED: Handled(exc, True),
            PASSING: Handled(exc, False),
            NAMED: Handled(exc, is_handled),
        }[place]
        self.seen[place] += 1
        if found != wanted:
            self.wrong.append(f"{place}: {found!r} instead of {wanted!r} at line {record.lineno}")


class LateJudge(Judge):
    """Gets records when a MemoryHandler is full: of them only the one that is just being logged may take up any."""

    def emit(self, record: logging.LogRecord) -> None:
        if being_handled(record) is not None:
            super().emit(record)


@contextlib.contextmanager
def judged() -> Iterator[tuple[Judge, dict[str, Any]]]:
    judge, late = Judge(), LateJudge()
    late._now = judge._now
    late.wrong = judge.wrong
    memory = logging.handlers.MemoryHandler(3, flushLevel=logging.CRITICAL, target=late, flushOnClose=False)
    loggers = {"logger": judge, "buffered": memory}
    names: dict[str, Any] = {"expect": judge.expect, "flush": memory.flush}
    for name, handler in loggers.items():
        names[name] = logging.Logger(name)
        names[name].addFilter(judge.note)
        names[name].addHandler(handler)
    try:
        yield judge, names
    finally:
        memory.close()


@pytest.mark.parametrize("is_async", [False, True], ids=["functions", "coroutines"])
def test_no_record_takes_up_an_exception_that_its_caller_did_not_handle(is_async: bool) -> None:
    seen: dict[str, int] = {}

    @settings(max_examples=60, deadline=None)
    @example(programs.EVERYTHING)
    @given(programs.statements())
    def run(block: list[programs.Statement]) -> None:
        with judged() as (judge, names):
            programs.run(block, is_async=is_async, **names)
            assert judge.wrong == []
            for place, n in judge.seen.items():
                seen[place] = seen.get(place, 0) + n

    run()
    assert all(seen[place] for place in (NOTHING, HANDLED, PASSING, NAMED)), seen  # the programs reach each


@pytest.mark.stress
@pytest.mark.parametrize("is_async", [False, True], ids=["functions", "coroutines"])
def test_of_many_programs_none_takes_up_a_wrong_one(is_async: bool) -> None:
    @settings(max_examples=5000, deadline=None)
    @given(programs.statements())
    def run(block: list[programs.Statement]) -> None:
        with judged() as (judge, names):
            programs.run(block, is_async=is_async, **names)
            assert judge.wrong == []

    run()


def found_by(log: Any, **given: Any) -> Handled | None:
    """What the record of a call takes up, made as by a logger."""
    kept: list[Handled | None] = []
    logger = logging.Logger("gate")
    logger.addFilter(lambda record: kept.append(being_handled(record)) or True)
    log(logger, **given)
    (found,) = kept
    return found


def helper(logger: Any, message: object, *args: object, **given: Any) -> None:
    logger.error(message, *args, **given)


def handling(exc: BaseException, log: Any) -> Handled | None:
    def call(logger: logging.Logger) -> None:
        try:
            raise exc
        except type(exc):
            log(logger)

    return found_by(call)


@pytest.mark.parametrize(
    ("text", "message", "is_named"),
    [
        ("camera is dark", "cannot grab: camera is dark", True),
        ("camera is dark", "camera is dark", True),
        ("camera is dark", "(camera is dark)", True),
        ("camera is dark", "ValueError('camera is dark')", True),
        ("camera is dark\n", "cannot grab: camera is dark!", True),
        ("camera is dark", "cannot grab: camera is darker; camera is dark", True),
        ("camera is dark", "cannot grab: camera is darkened", False),
        ("camera is dark", "the webcamera is dark", False),
        ("camera is dark", "cannot grab", False),
        ("too dark", "cannot grab: too dark", True),
        ("is dark", "cannot grab: is dark", False),
        ("", "cannot grab: ", False),
        ("aaaaaaaa", "a" * 100_000, False),
    ],
)
def test_a_helper_tells_of_an_exception_by_its_text_of_eight_characters_as_words(text, message, is_named) -> None:
    exc = ValueError(text)
    found = handling(exc, lambda logger: helper(logger, message))
    assert found == (Handled(exc, True) if is_named else None)


GIVEN: dict[str, Any] = {
    "an argument": lambda logger, e: helper(logger, "lost: %s", e),
    "a named argument": lambda logger, e: helper(logger, "lost: %(why)s", {"why": e}),
    "the message": helper,
    "extra": lambda logger, e: helper(logger, "lost", extra={"why": e}),
    "an event": lambda logger, e: helper(logger, {"event": "lost", "why": e}),
}


@pytest.mark.parametrize("way", GIVEN)
def test_a_helper_tells_of_an_exception_by_giving_it(way: str) -> None:
    exc = ValueError("x")
    assert handling(exc, lambda logger: GIVEN[way](logger, exc)) == Handled(exc, True)
    assert handling(exc, lambda logger: GIVEN[way](logger, ValueError("x"))) is None


def caught(logger: Any, **given: Any) -> None:
    try:
        raise KeyError("north")
    except KeyError:
        logger.error("no camera", **given)


def test_exc_info_that_is_given_is_the_last_word() -> None:
    assert isinstance(found_by(caught).exception, KeyError)  # type: ignore[union-attr]
    assert found_by(caught, exc_info=False) is None
    assert found_by(caught, exc_info=True) is None  # it has its own
    assert found_by(caught, exc_info=(None, None, None)) is None


def test_the_level_can_be_set_and_all_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def warns(logger: logging.Logger) -> None:
        try:
            raise KeyError("north")
        except KeyError:
            logger.warning("no camera")

    assert found_by(warns) is None
    monkeypatch.setenv(VARIABLE, "WARNING")
    look_at_environment()
    assert found_by(warns) is not None
    assert found_by(caught) is not None
    for off in ("false", "", "no level"):
        monkeypatch.setenv(VARIABLE, off)
        look_at_environment()
        assert found_by(caught) is None
    monkeypatch.undo()
    look_at_environment()


def wrapper(logger: logging.Logger, message: str) -> None:
    logger.error(message, stacklevel=2)


def test_the_frame_that_logs_is_the_one_that_the_record_names() -> None:
    exc = KeyError("x")
    assert handling(exc, lambda logger: logging.LoggerAdapter(logger, {}).error("lost")) is None

    def adapted(logger: logging.Logger) -> None:
        try:
            raise exc
        except KeyError:
            logging.LoggerAdapter(logger, {}).error("lost")

    def wrapped(logger: logging.Logger) -> None:
        try:
            raise exc
        except KeyError:
            wrapper(logger, "lost")

    assert found_by(adapted) == found_by(wrapped) == Handled(exc, True)


def test_a_record_keeps_what_was_decided_and_its_exc_info() -> None:
    records: list[logging.LogRecord] = []

    def call(logger: logging.Logger) -> None:
        logger.addFilter(lambda record: records.append(record) or True)
        caught(logger)

    found = found_by(call)
    (record,) = records
    assert record.exc_info is None
    assert being_handled(record) is found
    assert being_handled(copy.copy(record)) is found
    assert being_handled(pickle.loads(pickle.dumps(record))) is None  # as exc_info would be lost


@pytest.mark.parametrize("make", [raising.HostileError, raising.UnprintableError, raising.FalsyError])
def test_a_hostile_exception_is_taken_up_as_any(make: Any) -> None:
    exc = make()
    assert handling(exc, lambda logger: helper(logger, "cannot grab")) is None
    assert handling(exc, lambda logger: helper(logger, "cannot grab: %s", 1, extra={"why": exc})) == Handled(
        exc, True
    )


def test_loguru_and_structlog_tell_of_the_exception_that_their_caller_handles() -> None:
    loguru = pytest.importorskip("loguru")
    structlog = pytest.importorskip("structlog")
    kept: list[Handled | None] = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append(being_handled(record))  # type: ignore[method-assign]
    logger = logging.Logger("gate")
    logger.addHandler(handler)
    number = loguru.logger.add(handler, format="{message}")
    wrapped = [
        structlog.wrap_logger(logger, processors=[render], wrapper_class=structlog.stdlib.BoundLogger)
        for render in (structlog.stdlib.render_to_log_kwargs, structlog.processors.KeyValueRenderer())
    ]
    exc = KeyError("x")
    try:
        for log in (loguru.logger, *wrapped):
            try:
                raise exc
            except KeyError:
                log.error("lost")
            log.error("lost")
    finally:
        loguru.logger.remove(number)
    assert kept == [Handled(exc, True), None] * 3


def failing() -> None:
    raise OSError(28, "No space left on device")


def last_of_three_tries() -> OSError:
    for _ in range(3):
        try:
            failing()
        except OSError as e:
            last = e
    return last


def in_another_process() -> OSError:
    last = last_of_three_tries().with_traceback(None)
    last.__cause__ = RuntimeError('"""\nTraceback (most recent call last):\n"""')
    return last


@pytest.mark.parametrize("of", [last_of_three_tries, in_another_process])
@pytest.mark.parametrize("call", [("gave up: %s",), ("%s: %r", "camera"), ("%(e)s %(e)r",), ()], ids=str)
def test_outside_of_a_handler_the_one_raised_exception_that_a_call_gives_is_taken_up(of: Any, call: Any) -> None:
    exc = of()
    msg, *args = (*call, {"e": exc} if call == ("%(e)s %(e)r",) else exc)
    record = logging.Logger("gate").makeRecord("gate", logging.ERROR, __file__, 1, msg, tuple(args), None)
    assert being_handled(record) == Handled(exc, False)
    assert ErrorDetail.from_record(record).error_type == type(exc).__name__


def test_what_nobody_raised_or_what_is_one_of_two_or_under_the_level_is_only_a_text() -> None:
    exc = last_of_three_tries()
    for level, args in (
        (logging.ERROR, (ValueError(),)),
        (logging.ERROR, (exc, last_of_three_tries())),
        (logging.WARNING, (exc,)),
    ):
        record = logging.Logger("gate").makeRecord("gate", level, __file__, 1, "%s" * len(args), args, None)
        assert being_handled(record) is None


def test_a_helper_in_a_handler_that_gives_its_own_exception_gets_that() -> None:
    other = last_of_three_tries()
    records: list[logging.LogRecord] = []
    logger = logging.Logger("gate")

    def look(record: logging.LogRecord) -> bool:
        records.append(record)
        return being_handled(record) is None

    logger.addFilter(look)

    def report() -> None:
        logger.error("cannot write either: %s", other)

    try:
        raise KeyError("camera")
    except KeyError:
        report()
    assert [being_handled(record) for record in records] == [Handled(other, False)]


def test_outside_of_a_handler_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled, "_decide", lambda *_: pytest.fail("looked for an exception"))
    record = logging.makeLogRecord({"levelno": logging.ERROR})
    assert being_handled(record) is None
    assert handled.HANDLED_AS not in vars(record)


def test_detail_classifier_and_recovery_see_the_same_exception(tmp_path: Path) -> None:
    classifier = Classifier([{"exceptions": ["sqlite3.Error"], "category": "database", "severity": "CRITICAL"}])
    steps = [{"command": {"argv": ["true"]}}]
    recovery = RecoveryHandler({"db": {"exceptions": ["sqlite3.Error"], "steps": steps}}, state_dir=tmp_path)
    records: list[logging.LogRecord] = []
    details: list[ErrorDetail] = []
    procedures: list[Any] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)
            details.append(ErrorDetail.from_record(record))
            procedures.append(recovery.procedure_for(record))

    logger = logging.Logger("gate")
    handler = Handler()
    handler.addFilter(classifier)
    logger.addHandler(handler)
    try:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("SELECT * FROM vehicles")
    except sqlite3.Error as e:
        logger.error(f"Error getting vehicles: {e}")
        logger.exception("Error getting vehicles")
        logger.error(f"it failed\n{traceback.format_exc()}")
    recovery.close()
    told, explicit, as_text = details
    assert (told.error_type, told.category, told.severity) == ("OperationalError", "database", "CRITICAL")
    assert (told.handled, explicit.handled, as_text.handled) == (True, False, True)
    assert (told.message, as_text.message) == ("Error getting vehicles: no such table: vehicles", "it failed")
    assert {(d.fingerprint, d.traceback, d.category) for d in details} == {
        (told.fingerprint, told.traceback, "database")
    }
    assert [p[0].name for p in procedures] == ["db"] * 3
    assert records[0].exc_info is None
