"""The same exception, logged again on its way, is one error; raised again it is another."""

import asyncio
import contextlib
import gc
import json
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from visigate_logging import JsonFileHandler
from visigate_logging.detail import repeats
from visigate_logging.detail.record import ErrorDetail


class Keeper(logging.Handler):
    """Keeps details, as a handler does that tells of errors."""

    def __init__(self) -> None:
        super().__init__()
        self.details: list[ErrorDetail] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.details.append(ErrorDetail.from_record(record))


keeper = Keeper()
log = logging.Logger("gate")
log.addHandler(keeper)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    keeper.details.clear()


def numbers() -> list[int | None]:
    """For each record the number of the one that it repeats."""
    ids = [d.event_id for d in keeper.details]
    return [ids.index(d.repeats) if d.repeats else None for d in keeper.details]


def fail(error: BaseException | None = None) -> None:
    raise error or ConnectionRefusedError(111, "Connection refused")


@contextlib.contextmanager
def session() -> Iterator[None]:
    try:
        yield
    except Exception as e:
        log.error(f"session is rolled back: {e}")
        raise


def tell(e: BaseException) -> None:
    log.error(f"told by a helper: {e}")


def again(e: BaseException) -> None:
    log.error("%s", e)
    raise e


def in_one_block() -> None:
    try:
        fail()
    except OSError as e:
        for _ in range(2):
            log.error(f"cannot connect: {e}")
        log.exception("cannot connect")
        log.error("%s", e)
        tell(e)


def on_the_way_up(*, by_name: bool = False) -> None:
    def inner() -> None:
        try:
            fail()
        except OSError as e:
            log.error(f"inner: {e}")
            if by_name:
                raise e
            raise

    try:
        inner()
    except OSError as e:
        log.error(f"middle: {e}")
        try:
            raise e
        except OSError:
            log.exception("outer")


def in_a_context_manager() -> None:
    try:
        with session(), session():
            fail()
    except OSError as e:
        log.error(f"cannot store: {e}")


def by_a_helper_that_raises_it_again() -> None:
    try:
        try:
            fail()
        except OSError as e:
            again(e)
    except OSError:
        log.exception("cannot connect")


def in_a_helper_that_catches_it_again() -> None:
    def helper(e: BaseException) -> None:
        try:
            raise e
        except OSError:
            log.exception("caught once more")

    try:
        fail()
    except OSError as e:
        log.exception("caught")
        helper(e)
        log.exception("caught")


def in_finally() -> None:
    try:
        try:
            fail()
        finally:
            log.error("cleaning up")
    except OSError as e:
        log.error(f"cannot connect: {e}")


def in_a_task() -> None:
    async def inner() -> None:
        try:
            await asyncio.sleep(0)
            fail()
        except OSError as e:
            log.error(f"inner: {e}")
            await asyncio.sleep(0)
            raise

    async def outer() -> None:
        try:
            await inner()
        except OSError as e:
            log.error(f"outer: {e}")

    asyncio.run(outer())


@pytest.mark.parametrize(
    "program",
    [
        in_one_block,
        on_the_way_up,
        lambda: on_the_way_up(by_name=True),
        in_a_context_manager,
        by_a_helper_that_raises_it_again,
        in_a_helper_that_catches_it_again,
        in_finally,
        in_a_task,
    ],
)
def test_the_reports_of_one_exception_on_its_way_repeat_the_first(program: Callable[[], None]) -> None:
    for _ in range(2):
        keeper.details.clear()
        program()
        assert len(keeper.details) > 1
        assert numbers() == [None] + [0] * (len(keeper.details) - 1)


SINGLETON = ValueError("there is only one of it")


def raised_in_a_loop() -> None:
    for _ in range(3):
        try:
            raise SINGLETON
        except ValueError as e:
            log.error(f"failed: {e}")


def raised_by_a_function() -> None:
    for _ in range(3):
        try:
            fail(SINGLETON)
        except ValueError as e:
            log.error(f"failed: {e}")


def caught_by_a_function() -> None:
    def once() -> None:
        try:
            raise SINGLETON
        except ValueError as e:
            log.error(f"failed: {e}")

    once()
    once()
    once()


def inside_another_handler() -> None:
    try:
        raise KeyError
    except KeyError:
        raised_in_a_loop()


def from_a_future() -> None:
    future: Future[None] = Future()
    future.set_exception(ValueError("stored"))
    for _ in range(3):
        try:
            future.result()
        except ValueError as e:
            log.error(f"failed: {e}")


def kept_for_later() -> None:
    kept: list[Exception] = []
    for _ in range(3):
        try:
            raise kept[0] if kept else ValueError("kept for later")
        except ValueError as e:
            kept[:] = [e]
            log.exception("failed")


def in_two_threads() -> None:
    def call() -> None:
        try:
            raise SINGLETON
        except ValueError as e:
            log.error(f"failed: {e}")

    for _ in range(3):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()


def equal_but_others() -> None:
    for _ in range(3):
        try:
            int("x")
        except ValueError as e:
            log.error(f"failed: {e}")


@pytest.mark.parametrize(
    "program",
    [
        raised_in_a_loop,
        raised_by_a_function,
        caught_by_a_function,
        inside_another_handler,
        from_a_future,
        kept_for_later,
        in_two_threads,
        equal_but_others,
    ],
)
def test_an_exception_that_is_raised_again_is_a_new_error(program: Callable[[], None]) -> None:
    program()
    assert numbers() == [None] * 3


def test_a_less_severe_report_is_not_one_that_counts() -> None:
    try:
        fail()
    except OSError:
        log.warning("will be tried again", exc_info=True)
        log.error("cannot connect", exc_info=True)
        log.critical("the gate is closed", exc_info=True)
        log.error("cannot connect", exc_info=True)
    assert numbers() == [None, None, None, 2]


def test_nothing_repeats_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        fail()
    except OSError:
        log.exception("first")
        log.exception("second")
        monkeypatch.setattr(repeats, "LONGEST", -1.0)
        log.exception("much later")
    assert numbers() == [None, 0, None]


def test_a_report_does_not_keep_the_exception_or_its_frames_alive() -> None:
    class Image:
        pass

    def grab() -> "weakref.ref[Image]":
        image = Image()
        try:
            fail()
        except OSError as e:
            log.error(f"cannot grab: {e}")
            e.__traceback__ = None
        return weakref.ref(image)

    gone = grab()
    gc.collect()
    assert gone() is None


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_file_that_has_not_got_the_first_report_takes_the_second_as_the_first(tmp_path: Path) -> None:
    handlers = [JsonFileHandler(tmp_path / name) for name in ("all.jsonl", "later.jsonl")]
    logger, later = logging.Logger("gate"), logging.Logger("gate.later")
    logger.addHandler(handlers[0])
    for handler in handlers:
        later.addHandler(handler)
    try:
        fail()
    except OSError as e:
        logger.error(f"cannot connect: {e}")
        later.exception("cannot connect")
        later.error("%s", e)
    for handler in handlers:
        handler.close()
    first, *others = lines(tmp_path / "all.jsonl")
    assert [o["repeats"] for o in others] == [first["event_id"]] * 2
    second, third = lines(tmp_path / "later.jsonl")
    assert (second["repeats"], third["repeats"]) == ("", first["event_id"])
