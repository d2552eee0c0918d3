"""How a handler ends: closed, forked, replaced, shut down."""

import logging
import threading
import time

from tests.handlers.conformance.case import CountingHandler, assert_sums, case, error_record, in_child


@case("a child forked while other threads log goes on logging, counts from zero and ends")
def forks(handler: CountingHandler) -> None:
    stop = threading.Event()

    def storm() -> None:
        while not stop.is_set():
            handler.handle(error_record("storm"))

    running = [threading.Thread(target=storm) for _ in range(2)]
    for thread in running:
        thread.start()
    try:
        for _ in range(5):
            assert in_child(lambda: _child_logs(handler)) == 0
    finally:
        stop.set()
        for thread in running:
            thread.join()


def _child_logs(handler: CountingHandler) -> bool:
    begun = handler.counts()["accepted"]
    handler.handle(error_record("from the child"))
    handler.close()
    assert_sums(handler)
    return begun == 0 and handler.counts()["accepted"] <= 1


@case("a closed handler can be closed again, and a record that comes later does no harm")
def close(handler: CountingHandler) -> None:
    handler.handle(error_record())
    handler.close()
    handler.close()
    handler.handle(error_record("late"))
    handler.flush()
    handler.close()


@case("a handler that was closed, as a second dictConfig closes all, and is still used does its work again")
def used_after_close(handler: CountingHandler) -> None:
    handler.handle(error_record())
    handler.close()
    before = handler.counts()
    handler.handle(error_record("again"))
    handler.flush()
    after = handler.counts()
    assert after["dropped"] == before["dropped"]
    assert after["accepted"] - before["accepted"] in {0, 1}


@case("logging.shutdown, which holds the handler's lock, is not held up")
def shutdown(handler: CountingHandler) -> None:
    for _ in range(10):
        handler.handle(error_record())
    begun = time.monotonic()
    logging.shutdown([lambda: handler])
    assert time.monotonic() - begun < 1.5


@case("what the handler itself has to report never makes it fail or recurse")
def own_reports(handler: CountingHandler) -> None:
    report = logging.getLogger("visigate_logging")
    report.addHandler(handler)
    try:
        for name in ("visigate_logging", "visigate_logging.recovery"):
            logging.getLogger(name).error("a report", exc_info=ConnectionRefusedError(111, "Connection refused"))
    finally:
        report.removeHandler(handler)
