"""What every handler of this package must do: a list of cases, each with the sentence that explains it.

In the manner of Go's ``testing/slogtest``. A test module of a handler runs them all::

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_conformance(case, tmp_path):
        case.run(lambda: JsonFileHandler(tmp_path / "details.jsonl"))

The factory gives a new handler whose files are its test's own; each handler it gives is closed by the case.
"""

import gc
import logging
import logging.handlers
import os
import pickle
import queue
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["CASES", "Case", "CountingHandler", "Factory"]


class CountingHandler(Protocol):
    """What the cases ask of a handler beside what `logging.Handler` has."""

    level: int

    def counts(self) -> dict[str, Any]: ...
    def handle(self, record: logging.LogRecord) -> bool: ...
    def setFormatter(self, fmt: logging.Formatter | None) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


Factory = Callable[[], CountingHandler]


class Case:
    """One rule and how it is checked."""

    def __init__(self, sentence: str, check: Callable[[CountingHandler], None]) -> None:
        self.sentence = sentence
        self._check = check

    def __str__(self) -> str:
        return self._check.__name__

    def run(self, factory: Factory) -> None:
        """Check the rule with a new handler; a failure is explained by the sentence."""
        handler = factory()
        try:
            self._check(handler)
            _assert_sums(handler)
        except AssertionError as error:
            error.add_note(f"The rule: {self.sentence}")
            raise
        finally:
            handler.close()


CASES: list[Case] = []


def _case(sentence: str) -> Callable[[Callable[[CountingHandler], None]], None]:
    return lambda check: CASES.append(Case(sentence, check))


def _assert_sums(handler: CountingHandler) -> None:
    counts = handler.counts()
    assert min(counts["accepted"], counts["delivered"], counts["folded"], counts["pending"]) >= 0, counts
    ended = counts["delivered"] + counts["folded"] + sum(counts["dropped"].values())
    assert counts["accepted"] == ended + counts["pending"], counts


def _error() -> Exception:
    try:
        raise ConnectionRefusedError(111, "Connection refused")
    except ConnectionRefusedError as error:
        return error


def _record(message: object = "no picture", *args: object, error: BaseException | None = None, **extra: Any) -> Any:
    error = error or _error()
    record = logging.LogRecord(
        "gate.camera", logging.ERROR, __file__, 1, message, args, (type(error), error, error.__traceback__)
    )
    record.__dict__.update(extra)
    return record


@contextmanager
def _logger(handler: Any) -> Iterator[logging.Logger]:
    logger = logging.Logger("gate.camera")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


class _HostileError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text for you")

    __repr__ = __str__


@_case("emit never raises, whatever the record holds")
def hostile_records(handler: CountingHandler) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    hostile = [
        _record(error=_HostileError()),
        _record(_HostileError()),
        _record("%s", _HostileError()),
        _record("%d %d", "too few"),
        _record("\ud800 surrogate \0 nul \n newline"),
        _record("extra", value=float("nan"), cycle=cycle, big=1 << 80, keys={(1, 2): {1: object()}}, text="\udfff"),
        _record("x" * 10_000_000),
        _record({"a": "mapping"}),
        logging.makeLogRecord({"levelno": logging.ERROR, "exc_info": (None, None, None)}),
        logging.makeLogRecord({"levelno": logging.ERROR, "exc_info": True, "levelname": None}),
    ]
    for record in hostile:
        handler.handle(record)


@_case("emit never raises, whatever the formatter does")
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
            handler.handle(_record("%d", "not a number"))
    finally:
        logging.raiseExceptions = before


@_case("emit never raises, however little of the stack is left")
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
                handler.handle(_record())
            except RecursionError as error:
                # Handler.handle itself may find no room; what comes out of emit is a fault.
                names = [f.tb_frame.f_code.co_name for f in _frames(error)]
                if "emit" in names:
                    problems.append(names)
            raise

    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        down()
    except RecursionError:
        pass
    finally:
        logging.raiseExceptions = before
    handler.handle(_record())
    assert not problems


def _frames(error: BaseException) -> Iterator[Any]:
    tb = error.__traceback__
    while tb is not None:
        yield tb
        tb = tb.tb_next


@_case("the record is left as it was for the handlers that come after")
def record_is_left(handler: CountingHandler) -> None:
    record = _record("lane %d", 3, camera="north")
    before = {k: v for k, v in record.__dict__.items() if not k.startswith("_")}
    handler.handle(record)
    after = {k: v for k, v in record.__dict__.items() if not k.startswith("_")}
    # What logging's own formatters add as well.
    for name in ("message", "asctime", "exc_text"):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before


@_case("no traceback, and nothing that its frames hold, is kept alive")
def no_traceback_is_kept(handler: CountingHandler) -> None:
    class Picture:
        pass

    def fail() -> weakref.ref[Picture]:
        picture = Picture()
        gone = weakref.ref(picture)
        try:
            raise ValueError("of no use")
        except ValueError as error:
            handler.handle(_record(error=error))
        return gone

    gone = fail()
    gc.collect()
    assert gone() is None


@_case("a record that another process has sent, without its exception, is taken")
def records_from_elsewhere(handler: CountingHandler) -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logging.handlers.QueueHandler(waiting).handle(_record())
    handler.handle(pickle.loads(pickle.dumps(waiting.get())))


@_case("many threads log at once, and each of their records is accounted for")
def threads(handler: CountingHandler) -> None:
    before = handler.counts()["accepted"]

    def run() -> None:
        for n in range(100):
            handler.handle(_record("from a thread", n=n))

    running = [threading.Thread(target=run) for _ in range(8)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        _assert_sums(handler)
    assert handler.counts()["accepted"] - before in {0, 800}  # none when it does not act on such records


@_case("a destructor that logs during emit neither deadlocks nor fails")
def destructors(handler: CountingHandler) -> None:
    class Loud:
        def __str__(self) -> str:
            handler.handle(_record("from within"))
            return "loud"

        def __del__(self) -> None:
            handler.handle(_record("from a destructor"))

    for _ in range(20):
        ring: list[Any] = [Loud()]
        ring.append(ring)
        handler.handle(_record("%s", ring[0]))
        del ring
        gc.collect(0)


@_case("a signal handler that logs during emit neither deadlocks nor fails")
def signals(handler: CountingHandler) -> None:
    caught = []

    def on_signal(_number: int, _frame: object) -> None:
        caught.append(1)
        handler.handle(_record("from a signal handler"))

    before = signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        deadline = time.monotonic() + 10
        while len(caught) < 50 and time.monotonic() < deadline:
            handler.handle(_record("interrupted"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(caught) >= 50


@_case("a child forked while other threads log goes on logging, counts from zero and ends")
def forks(handler: CountingHandler) -> None:
    stop = threading.Event()

    def storm() -> None:
        while not stop.is_set():
            handler.handle(_record("storm"))

    running = [threading.Thread(target=storm) for _ in range(2)]
    for thread in running:
        thread.start()
    try:
        for _ in range(5):
            assert _in_child(lambda: _child_logs(handler)) == 0
    finally:
        stop.set()
        for thread in running:
            thread.join()


def _child_logs(handler: CountingHandler) -> bool:
    begun = handler.counts()["accepted"]
    handler.handle(_record("from the child"))
    handler.close()
    _assert_sums(handler)
    return begun == 0 and handler.counts()["accepted"] <= 1


def _in_child(body: Callable[[], bool]) -> int:
    """Exit code of a forked child: 0 when the body was true, 14 (SIGALRM) when it hung."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(30)
            code = 0 if body() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@_case("a record below the handler's level is none of its business")
def level(handler: CountingHandler) -> None:
    before = handler.counts()
    with _logger(handler) as logger:
        handler.level = logging.CRITICAL
        logger.error("not for you")
    assert handler.counts() == before


@_case("a closed handler can be closed again, and a record that comes later does no harm")
def close(handler: CountingHandler) -> None:
    handler.handle(_record())
    handler.close()
    handler.close()
    handler.handle(_record("late"))
    handler.flush()
    handler.close()


@_case("a handler that was closed, as a second dictConfig closes all, and is still used does its work again")
def used_after_close(handler: CountingHandler) -> None:
    handler.handle(_record())
    handler.close()
    before = handler.counts()
    handler.handle(_record("again"))
    handler.flush()
    after = handler.counts()
    assert after["dropped"] == before["dropped"]
    assert after["accepted"] - before["accepted"] in {0, 1}


@_case("logging.shutdown, which holds the handler's lock, is not held up")
def shutdown(handler: CountingHandler) -> None:
    for _ in range(10):
        handler.handle(_record())
    begun = time.monotonic()
    logging.shutdown([lambda: handler])
    assert time.monotonic() - begun < 1.5


@_case("what the handler itself has to report never makes it fail or recurse")
def own_reports(handler: CountingHandler) -> None:
    report = logging.getLogger("visigate_logging")
    report.addHandler(handler)
    try:
        for name in ("visigate_logging", "visigate_logging.recovery"):
            logging.getLogger(name).error("a report", exc_info=_error())
    finally:
        report.removeHandler(handler)
