"""A rule that every handler keeps, and what the checks of rules have in common."""

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = [
    "CASES",
    "Case",
    "CountingHandler",
    "Factory",
    "assert_sums",
    "case",
    "error_record",
    "in_child",
    "logger_of",
]


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
            assert_sums(handler)
        except AssertionError as error:
            error.add_note(f"The rule: {self.sentence}")
            raise
        finally:
            handler.close()


CASES: list[Case] = []


def case(sentence: str) -> Callable[[Callable[[CountingHandler], None]], None]:
    """Make a case of the function that checks a rule."""
    return lambda check: CASES.append(Case(sentence, check))


def assert_sums(handler: CountingHandler) -> None:
    """Fail unless each record that was accepted is in exactly one count."""
    counts = handler.counts()
    assert min(counts["accepted"], counts["delivered"], counts["folded"], counts["pending"]) >= 0, counts
    ended = counts["delivered"] + counts["folded"] + sum(counts["dropped"].values())
    assert counts["accepted"] == ended + counts["pending"], counts


def _error() -> Exception:
    try:
        raise ConnectionRefusedError(111, "Connection refused")
    except ConnectionRefusedError as error:
        return error


def error_record(
    message: object = "no picture", *args: object, error: BaseException | None = None, **extra: Any
) -> Any:
    """Return a log record of an error, by default of a refused connection."""
    error = error or _error()
    made = logging.LogRecord(
        "gate.camera", logging.ERROR, __file__, 1, message, args, (type(error), error, error.__traceback__)
    )
    made.__dict__.update(extra)
    return made


@contextmanager
def logger_of(handler: Any) -> Iterator[logging.Logger]:
    """Give a logger that has this handler alone."""
    logger = logging.Logger("gate.camera")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def in_child(body: Callable[[], bool]) -> int:
    """Return the exit code of a forked child: 0 when the body was true, 14 (SIGALRM) when it hung."""
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
