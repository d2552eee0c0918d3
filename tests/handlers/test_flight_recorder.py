"""The moments before an error: kept in memory, told by the next error, masked, and never kept alive."""

import gc
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.handlers.lines import read
from visigate_logging import FlightRecorder, JsonFileHandler
from visigate_logging.detail import breadcrumbs, context


@pytest.fixture
def log(tmp_path: Path) -> Iterator[logging.Logger]:
    logger = logging.Logger("gate", logging.DEBUG)
    recorder = FlightRecorder()
    file = JsonFileHandler(tmp_path / "d.jsonl")
    file.setLevel(logging.ERROR)
    logger.handlers = [recorder, file]
    yield logger
    recorder.close()
    file.close()


def crumbs(tmp_path: Path, number: int = -1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(tmp_path / "d.jsonl")[0][number]["breadcrumbs"]
    return found


def messages(tmp_path: Path, number: int = -1) -> list[str]:
    return [crumb["message"] for crumb in crumbs(tmp_path, number)]


def test_an_error_carries_what_was_logged_before_it_oldest_first(log: logging.Logger, tmp_path: Path) -> None:
    log.debug("too low")
    log.info("opened %s", "entrance", extra={"camera": "entrance", "image": object()})
    log.warning("slow: %(seconds)d s", {"seconds": 3})
    log.error("failed")
    first, second = crumbs(tmp_path)
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "gate", "opened entrance")
    assert first["additional_info"] == {"camera": "entrance"}
    assert second["message"] == "slow: 3 s"
    assert first["age"] >= second["age"] >= 0
    assert first["timestamp"] < read(tmp_path / "d.jsonl")[0][0]["timestamp"]


def test_as_many_are_kept_as_it_has_room_for_and_no_longer_than_its_time(
    log: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.handlers[0].close()
    log.handlers[0] = FlightRecorder(capacity=3, max_age=10)
    for number in range(9):
        log.info("number %d", number)
    log.error("failed")
    assert messages(tmp_path) == ["number 7", "number 8"]  # the error itself is the third
    later = breadcrumbs.time.monotonic() + 11
    monkeypatch.setattr(breadcrumbs.time, "monotonic", lambda: later)
    log.error("failed later")
    assert messages(tmp_path) == []


def test_what_the_own_thread_logged_is_marked(log: logging.Logger, tmp_path: Path) -> None:
    thread = threading.Thread(target=log.info, args=("elsewhere",))
    thread.start()
    thread.join()
    log.info("here")
    log.error("failed")
    assert [(c["message"], c["own"]) for c in crumbs(tmp_path)] == [("elsewhere", False), ("here", True)]


def test_secrets_are_masked_in_messages_and_in_what_came_with_them(log: logging.Logger, tmp_path: Path) -> None:
    log.info("open %s", "rtsp://admin:hunter2@cam/1", extra={"password": "hunter2"})
    log.error("failed")
    assert "hunter2" not in (tmp_path / "d.jsonl").read_text()
    assert messages(tmp_path) == ["open rtsp://***@cam/1"]


class Image:
    """A heavy object."""

    def __str__(self) -> str:
        return "an image"


def test_an_object_is_put_into_words_at_once_and_not_kept_alive(log: logging.Logger, tmp_path: Path) -> None:
    image, array = Image(), np.zeros((4000, 4000), np.uint8)
    watches = [weakref.ref(image), weakref.ref(array)]
    log.info("grabbed %s, %s and %s", image, array, [array, "x" * 5000], extra={"image": image})
    log.info({"event": "grabbed", "image": array})  # type: ignore[arg-type]
    log.info("y" * 5000)
    del image, array
    gc.collect()
    assert [watch() for watch in watches] == [None, None]
    log.error("failed")
    first, second, third = messages(tmp_path)
    assert first.startswith("grabbed an image, <ndarray of uint8, shape (4000, 4000)> and ['<ndarray of uint8")
    assert second == "{'event': 'grabbed', 'image': '<ndarray of uint8, shape (4000, 4000)>'}"
    assert max(map(len, (first, second, third))) <= breadcrumbs.MAX_SHOWN + 1


class Hostile:
    """An argument that raises when it is formatted."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_that_does_not_fit_its_arguments_is_kept_all_the_same(log: logging.Logger, tmp_path: Path) -> None:
    log.info("one %s", "two", "three")  # noqa: PLE1205 -- what users do
    log.info("four %d", Hostile())
    log.info("five %s", Hostile())
    log.error("failed")
    first, second, third = messages(tmp_path)
    assert first.startswith("one %s")
    assert second.startswith("four %d")
    assert third == "five <exception str() failed>"


def test_all_messages_together_are_bounded_the_newest_first(log: logging.Logger, tmp_path: Path) -> None:
    for number in range(40):
        log.info("%d %s", number, "x" * 280)
    log.error("failed")
    assert sum(map(len, messages(tmp_path))) < breadcrumbs.MAX_ALL + 300
    assert messages(tmp_path)[-1].startswith("39")


def test_in_a_storm_the_surroundings_are_told_at_the_first_errors_and_at_each_doubling(
    log: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.info("before")
    for _ in range(20):
        log.error("storm")
    told = [n for n, record in enumerate(read(tmp_path / "d.jsonl")[0], 1) if record["breadcrumbs"]]
    assert told == [1, 2, 4, 8, 16]
    later = context.time.monotonic() + context.REST
    monkeypatch.setattr(context.time, "monotonic", lambda: later)
    log.error("storm")
    log.error("storm")
    assert [bool(r["breadcrumbs"]) for r in read(tmp_path / "d.jsonl")[0][-2:]] == [True, False]


def test_a_handler_that_is_replaced_leaves_what_it_has_kept(log: logging.Logger, tmp_path: Path) -> None:
    log.info("before")
    successor = FlightRecorder(capacity=5)
    successor.inherit(log.handlers[0])
    log.handlers[0].close()
    log.handlers[0] = successor
    log.info("after")
    log.error("failed")
    successor.close()
    assert messages(tmp_path) == ["before", "after"]


def test_a_handler_that_is_closed_is_told_of_no_more(log: logging.Logger, tmp_path: Path) -> None:
    log.info("before")
    log.handlers[0].close()
    log.error("failed")
    assert messages(tmp_path) == []


def test_a_forked_child_tells_nothing_of_what_its_parent_logged(log: logging.Logger, tmp_path: Path) -> None:
    log.info("in the parent")
    child = os.fork()
    if not child:
        log.info("in the child")
        log.error("failed")
        os._exit(0)
    os.waitpid(child, 0)
    assert messages(tmp_path) == ["in the child"]


def test_a_filter_keeps_records_out(log: logging.Logger, tmp_path: Path) -> None:
    log.handlers[0].addFilter(lambda record: "noise" not in record.msg)
    log.info("noise")
    log.info("signal")
    log.error("failed")
    assert messages(tmp_path) == ["signal"]
