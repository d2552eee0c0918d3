"""What a handler makes of records, whatever they hold and wherever they come from."""

import gc
import logging
import logging.handlers
import pickle
import queue
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

from tests.handlers.conformance.case import CountingHandler, assert_sums, case, error_record, logger_of


class _HostileError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text for you")

    __repr__ = __str__


@case("emit never raises, whatever the record holds")
def hostile_records(handler: CountingHandler) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    hostile = [
        error_record(error=_HostileError()),
        error_record(_HostileError()),
        error_record("%s", _HostileError()),
        error_record("%d %d", "too few"),
        error_record("\ud800 surrogate \0 nul \n newline"),
        error_record(
            "extra", value=float("nan"), cycle=cycle, big=1 << 80, keys={(1, 2): {1: object()}}, text="\udfff"
        ),
        error_record("x" * 10_000_000),
        error_record({"a": "mapping"}),
        logging.makeLogRecord({"levelno": logging.ERROR, "exc_info": (None, None, None)}),
        logging.makeLogRecord({"levelno": logging.ERROR, "exc_info": True, "levelname": None}),
    ]
    for record in hostile:
        handler.handle(record)


@case("emit never raises, whatever the formatter does")
def hostile_formatters(handler: CountingHandler) -> None:
    class Formatter(logging.Formatter):
        def __init__(self, outcome: object) -> None:
            super().__init__()
            self._outcome = outcome

        def format(self, record: logging.LogRecord) -> Any:
            if isinstance(self._outcome, BaseException):
                raise self._outcome
            return self._outcome

    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        for outcome in (ValueError("no"), _HostileError(), RecursionError(), MemoryError(), None, b"bytes", "\ud800"):
            handler.setFormatter(Formatter(outcome))
            handler.handle(error_record("%d", "not a number"))
    finally:
        logging.raiseExceptions = before


@case("emit never raises, however little of the stack is left")
def deep_recursion(handler: CountingHandler) -> None:
    problems, tries = [], 0

    def down() -> None:
        try:
            down()
        except RecursionError:
            nonlocal tries
            tries += 1
            if tries > 100:  # there is room again
                raise
            try:
                handler.handle(error_record())
            except RecursionError as error:
                # Handler.handle itself may find no room; what comes out of emit is a fault.
                names = [f.tb_frame.f_code.co_name for f in _frames(error)]
                if "emit" in names:
                    problems.append(names)
            raise

    before, logging.raiseExceptions = logging.raiseExceptions, False
    gc.collect()
    gc.disable()  # the finalizers of what others have left would have no room either, and pytest reports that
    try:
        down()
    except RecursionError:
        pass
    finally:
        gc.enable()
        logging.raiseExceptions = before
    handler.handle(error_record())
    assert not problems


def _frames(error: BaseException) -> Iterator[Any]:
    tb = error.__traceback__
    while tb is not None:
        yield tb
        tb = tb.tb_next


@case("the record is left as it was for the handlers that come after")
def record_is_left(handler: CountingHandler) -> None:
    record = error_record("lane %d", 3, camera="north")
    before = {k: v for k, v in record.__dict__.items() if not k.startswith("_")}
    handler.handle(record)
    after = {k: v for k, v in record.__dict__.items() if not k.startswith("_")}
    # What logging's own formatters add as well.
    for name in ("message", "asctime", "exc_text"):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before


@case("no traceback, and nothing that its frames hold, is kept alive")
def no_traceback_is_kept(handler: CountingHandler) -> None:
    class Picture:
        pass

    def fail() -> weakref.ref[Picture]:
        picture = Picture()
        gone = weakref.ref(picture)
        try:
            raise ValueError("of no use")
        except ValueError as error:
            handler.handle(error_record(error=error))
        return gone

    gone = fail()
    gc.collect()
    assert gone() is None


@case("a record that another process has sent, without its exception, is taken")
def records_from_elsewhere(handler: CountingHandler) -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logging.handlers.QueueHandler(waiting).handle(error_record())
    handler.handle(pickle.loads(pickle.dumps(waiting.get())))


@case("many threads log at once, and each of their records is accounted for")
def threads(handler: CountingHandler) -> None:
    before = handler.counts()["accepted"]

    def run() -> None:
        for n in range(100):
            handler.handle(error_record("from a thread", n=n))

    running = [threading.Thread(target=run) for _ in range(8)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        assert_sums(handler)
    assert handler.counts()["accepted"] - before in {0, 800}  # none when it does not act on such records


@case("a destructor that logs during emit neither deadlocks nor fails")
def destructors(handler: CountingHandler) -> None:
    class Loud:
        def __str__(self) -> str:
            handler.handle(error_record("from within"))
            return "loud"

        def __del__(self) -> None:
            handler.handle(error_record("from a destructor"))

    for _ in range(20):
        ring: list[Any] = [Loud()]
        ring.append(ring)
        handler.handle(error_record("%s", ring[0]))
        del ring
        gc.collect(0)


@case("a signal handler that logs during emit neither deadlocks nor fails")
def signals(handler: CountingHandler) -> None:
    caught = []

    def on_signal(_number: int, _frame: object) -> None:
        caught.append(1)
        if len(caught) == 50:  # on a busy machine each would be interrupted by the next, for good
            signal.setitimer(signal.ITIMER_REAL, 0)
        handler.handle(error_record("from a signal handler"))

    before = signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        deadline = time.monotonic() + 10
        while len(caught) < 50 and time.monotonic() < deadline:
            handler.handle(error_record("interrupted"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(caught) >= 50


@case("a record below the handler's level is none of its business")
def level(handler: CountingHandler) -> None:
    before = handler.counts()
    with logger_of(handler) as logger:
        handler.level = logging.CRITICAL
        logger.error("not for you")
    assert handler.counts() == before
