"""What comes from outside in the middle of a handler's work: exits, cancellations, descriptors that are gone."""

import asyncio
import io
import logging
import os
import sys
import threading
from typing import Any

from tests.handlers.conformance.case import CountingHandler, assert_sums, case, error_record, in_child
from tests.handlers.interrupting import Interrupted, in_time

PASSING = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
OFTEN = 40


def _raiser(error: BaseException) -> Any:
    class HostileError(ConnectionRefusedError):
        def __str__(self) -> str:
            raise error

        __repr__ = __str__

    return HostileError(111, "refused")


@case("what is no Exception reaches the application, and its record is counted as dropped")
def passing(handler: CountingHandler) -> None:
    for kind in PASSING:
        hostile = _raiser(kind())
        assert not _is_written(handler, error_record(hostile), kind)
        assert not _is_written(handler, error_record("%s", hostile), kind)
        _is_written(handler, error_record(error=hostile), kind)  # traceback, of the standard library, keeps it
    assert _is_written(handler, error_record("the next"), KeyboardInterrupt)
    assert handler.counts()["accepted"] == 3 * len(PASSING) + 1


def _is_written(handler: CountingHandler, record: Any, kind: type[BaseException]) -> bool:
    before = handler.counts()["dropped"].get("interrupted", 0)
    try:
        handler.handle(record)
    except kind:
        assert handler.counts()["dropped"] == {"interrupted": before + 1}
        return False
    assert handler.counts()["dropped"].get("interrupted", 0) == before
    return True


@case("what a filter lets through that is no Exception is counted as well")
def passing_filters(handler: Any) -> None:
    def refuse(_record: object) -> bool:
        raise KeyboardInterrupt

    handler.addFilter(refuse)
    try:
        handler.handle(error_record())
    except KeyboardInterrupt:
        handler.removeFilter(refuse)
    assert handler.counts()["dropped"] == {"interrupted": 1}


def _interrupted_at_random(handler: Any, way: str) -> None:
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None  # what arrives in a destructor gets no further
    try:
        interrupted = Interrupted(handler, OFTEN)
        interrupted.log()
        getattr(interrupted, way)()
    finally:
        sys.unraisablehook = before
    assert interrupted.caught >= 0.8 * OFTEN
    assert_sums(handler)
    begun = handler.counts()
    assert in_time(interrupted.log)  # in another thread: no lock is held
    assert in_time(handler.flush)
    after = handler.counts()
    assert after["accepted"] == begun["accepted"] + 1
    assert after["dropped"] == begun["dropped"]


@case("interrupted by a signal handler at a random moment, it goes on, and its counts hold")
def interrupted_by_signals(handler: CountingHandler) -> None:
    _interrupted_at_random(handler, "by_signal")


@case("interrupted by another thread at a random moment, it goes on, and its counts hold")
def interrupted_by_threads(handler: CountingHandler) -> None:
    _interrupted_at_random(handler, "by_thread")


@case("nothing is written to what has got the number of a descriptor that somebody has closed")
def robbed(handler: CountingHandler) -> None:
    handler.handle(error_record())
    assert in_child(lambda: _is_unhurt_by_us(handler)) == 0


def _is_unhurt_by_us(handler: CountingHandler) -> bool:
    sys.stderr = io.StringIO()  # pytest's own file has a number as well
    logging.getLogger("visigate_logging").propagate = False
    for n in range(10):
        handler.handle(error_record("before"))
        threading.Event().wait(0.01 * n)  # for the handler's own threads, to be at different places
        os.closerange(3, 128)
        theirs = [os.memfd_create("theirs") for _ in range(64)]
        handler.handle(error_record("after"))
        handler.flush()
        if n == 9:
            handler.close()
        if any(os.fstat(fd).st_size for fd in theirs):  # which fails, where we have closed it
            return False
    return True
