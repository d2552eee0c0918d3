"""ForwardHandler costs its caller nothing, and does what every handler must."""

import logging
import subprocess
import sys
import time

import pytest

from tests.forward.servers import HANG, free_port
from tests.handlers.conformance import CASES
from tests.waiting import wait_until
from visigate_logging import ForwardHandler, JsonFileHandler

# It counts the records of the log, whoever has written them, and none that it is given: it reads nothing of those.
COUNTING = {"forks", "passing", "passing_filters", "interrupted_by_signals", "interrupted_by_threads"}
OF_FORWARDING = [case for case in CASES if str(case) not in COUNTING]


@pytest.fixture
def logger(tmp_path, sink):
    made = logging.Logger("gate")
    made.addHandler(JsonFileHandler(tmp_path / "details.jsonl"))
    made.addHandler(handler(tmp_path, sink))
    yield made
    for one in made.handlers:
        one.close()


def handler(tmp_path, sink, **options):
    target = {"http": {"url": sink.url, "timeout": 5}}
    made = ForwardHandler(target, tmp_path / "details.jsonl", state_dir=tmp_path / "state", **options)
    made.name = "forward"
    return made


def received(sink):
    return [line["message"] for request in sink.requests for line in request.lines]


@pytest.mark.parametrize("case", OF_FORWARDING, ids=str)
def test_it_does_what_every_handler_must(case, tmp_path):
    target = {"http": {"url": f"http://127.0.0.1:{free_port()}"}}
    case.run(lambda: ForwardHandler(target, tmp_path / "details.jsonl", state_dir=tmp_path / "state"))


def test_what_is_logged_arrives(logger, sink):
    logger.error("first")
    logger.critical("second")
    wait_until(lambda: sorted(received(sink)) == ["first", "second"])


def test_what_another_process_logs_arrives_as_well(tmp_path, logger, sink):
    logger.error("ours")
    wait_until(lambda: received(sink) == ["ours"])
    code = "import sys, logging, visigate_logging as v; l = logging.Logger('x'); h = v.JsonFileHandler(sys.argv[1])"
    code += "; l.addHandler(h); l.error('theirs'); h.close()"
    subprocess.run([sys.executable, "-c", code, tmp_path / "details.jsonl"], check=True)
    wait_until(lambda: received(sink) == ["ours", "theirs"])


def test_what_is_logged_right_behind_what_was_sent_is_sent_at_the_end_too(tmp_path, sink):
    logger = logging.Logger("gate")
    logger.addHandler(JsonFileHandler(tmp_path / "details.jsonl"))
    logger.addHandler(handler(tmp_path, sink, max_per_minute=300))  # so that the next is due after 0.2 s
    logger.error("first")
    assert logger.handlers[1].wait(20)
    logger.error("second")
    for one in logger.handlers:
        one.close()
    assert received(sink) == ["first", "second"]


def test_at_the_end_of_a_process_what_it_logged_last_is_sent(logger, sink):
    for n in range(30):
        logger.error("%d", n)
    for one in logger.handlers:
        one.close()
    assert received(sink) == [str(n) for n in range(30)]


def test_a_server_that_says_nothing_holds_up_neither_callers_nor_the_end(logger, sink):
    sink.answer = lambda request: HANG
    logger.error("one")
    wait_until(lambda: sink.connections)
    begun = time.monotonic()
    logger.error("two")
    logger.handlers[1].close()
    assert time.monotonic() - begun < 4  # 2 s for the thread, which is still waiting


def test_without_a_target_it_is_off_and_has_no_thread_and_no_files(tmp_path):
    made = ForwardHandler(log=tmp_path / "details.jsonl", state_dir=tmp_path / "state")
    made.name = "forward"
    made.handle(logging.makeLogRecord({}))
    assert "give target" in made.off
    assert made.counts()["accepted"] == 0
    assert not [*tmp_path.iterdir()]
    made.close()


def test_a_new_handler_of_the_same_name_goes_on_while_the_old_one_still_waits_for_the_server(tmp_path, sink):
    details = JsonFileHandler(tmp_path / "details.jsonl")
    old = handler(tmp_path, sink)
    details.handle(logging.makeLogRecord({"msg": "one", "levelno": 40, "levelname": "ERROR"}))
    old.handle(logging.makeLogRecord({}))
    old.wait(10)
    new = handler(tmp_path, sink)
    old.close()
    details.handle(logging.makeLogRecord({"msg": "two", "levelno": 40, "levelname": "ERROR"}))
    assert new.wait(10)
    wait_until(lambda: received(sink) == ["one", "two"])
    new.close()
    details.close()
