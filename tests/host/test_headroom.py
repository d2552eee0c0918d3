"""Near the recursion limit an error is told as fully as by the standard library, on a stack of another thread."""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from visigate_logging import JsonFileHandler
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import headroom
from visigate_logging.host.headroom import caller_exception, caller_frame, caller_thread, with_headroom


@pytest.fixture(autouse=True)
def a_busy_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headroom, "_PATIENCE", 60)


@pytest.fixture(autouse=True)
def the_limit_is_what_it_was() -> Iterator[None]:
    before = sys.getrecursionlimit()
    yield
    assert sys.getrecursionlimit() == before


def deep(left: int, act: Callable[[], str]) -> str:
    """Call something with a number of frames left."""

    def down() -> str:
        try:
            sys._getframe(sys.getrecursionlimit() - left)
        except ValueError:
            return down()
        return act()

    return down()


def test_where_there_is_no_room_at_all_the_limit_is_met_in_a_frame_with_a_name() -> None:
    met = []
    for left in range(1, 40):
        try:
            deep(left, lambda: with_headroom(str) or "")
        except RecursionError as error:
            entry = error.__traceback__
            while entry and entry.tb_next:
                entry = entry.tb_next
            met.append(entry and entry.tb_frame.f_code.co_filename)
    assert met
    assert "<string>" not in met  # as a named tuple's: it would be taken for the application's


def raised(error: BaseException) -> logging.LogRecord:
    return logging.LogRecord("gate", 40, __file__, 1, "m", None, (type(error), error, error.__traceback__))


def by_standard_library(record: logging.LogRecord) -> str:
    return logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]


def by_us(record: logging.LogRecord) -> str:
    return ErrorDetail.from_record(record).traceback.removesuffix("\n")


def nested(levels: int) -> BaseException:
    error: BaseException = ValueError("innermost")
    for _ in range(levels):
        error = BaseExceptionGroup("g", [error])
    return error


@pytest.mark.parametrize("error", [ValueError("x"), nested(5), nested(150)], ids=["plain", "groups", "many groups"])
def test_the_text_is_full_wherever_the_standard_library_gives_it(error: BaseException) -> None:
    expected = by_standard_library(raised(error))

    def told(left: int, by: Callable[[logging.LogRecord], str]) -> str:
        try:
            return deep(left, lambda: by(raised(error)))
        except RecursionError:
            return ""

    tried = [left for left in range(8, 80, 4) if told(left, by_standard_library) == expected]
    assert tried
    assert [left for left in tried if told(left, by_us) != expected] == []


def test_a_description_that_recurses_for_ever_still_ends() -> None:
    class EndlessError(Exception):
        def __str__(self) -> str:
            return str(self)

    assert "<exception str() failed>" in deep(60, lambda: by_us(raised(EndlessError())))


def test_the_limit_is_the_application_s_alone() -> None:
    before = sys.getrecursionlimit()
    assert deep(60, lambda: str(with_headroom(sys.getrecursionlimit))) == str(before)


def test_what_the_work_returns_and_raises_is_its_caller_s() -> None:
    assert deep(60, lambda: with_headroom(str, 5) or "") == "5"
    with pytest.raises(KeyError):
        deep(60, lambda: with_headroom(_raise, KeyError) or "")
    with pytest.raises(KeyboardInterrupt):
        deep(60, lambda: with_headroom(_raise, KeyboardInterrupt) or "")


def _raise(kind: type[BaseException]) -> str:
    raise kind


def test_what_interrupts_the_wait_begins_no_wait_of_its_own() -> None:
    ran_in: list[int | None] = []
    interrupted = threading.Event()

    def interrupt(_signal: int, _frame: object) -> None:
        ran_in.append(with_headroom(threading.get_ident))
        interrupted.set()

    def work() -> bool:
        os.kill(os.getpid(), signal.SIGUSR1)
        return interrupted.wait(30)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        assert deep(60, lambda: str(with_headroom(work))) == "True"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ran_in == [threading.get_ident()]


def test_where_no_thread_may_start_the_caller_works_for_itself_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(headroom, "must_stay_alone", lambda: True)
    assert deep(60, lambda: with_headroom(lambda: with_headroom(str, 5)) or "") == "5"
    assert headroom._callers == {}


def test_work_that_needs_a_lock_of_its_caller_s_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headroom, "_PATIENCE", 0.1)
    lock, done = threading.RLock(), threading.Event()

    def work() -> bool:
        with lock:
            done.set()
        return True

    def act() -> str:
        with lock:
            return str(with_headroom(work))

    assert deep(60, act) == "None"
    assert done.wait(10)


def test_the_work_knows_whose_it_is() -> None:
    def work() -> bool:
        frame = caller_frame()
        while frame is not None and frame.f_code.co_name != "act":
            frame = frame.f_back
        return frame is not None and caller_thread() == ours and type(caller_exception()) is OSError

    def act() -> str:
        try:
            raise OSError
        except OSError:
            return str(with_headroom(work))

    ours = threading.get_ident()
    assert (act(), deep(60, act)) == ("True", "True")


def test_an_error_logged_near_the_limit_is_taken_up_like_any_other(tmp_path: Path) -> None:
    handler = JsonFileHandler(tmp_path / "details.jsonl")
    logger = logging.Logger("gate")
    logger.addHandler(handler)

    def act() -> str:
        try:
            raise OSError("no such camera")
        except OSError as e:
            logger.error(f"failed: {e}")
        return ""

    deep(40, act)
    handler.close()
    told = json.loads((tmp_path / "details.jsonl").read_text())
    assert (told["error_type"], told["handled"]) == ("OSError", True)


def test_a_record_is_whole_wherever_the_standard_library_writes_it(tmp_path: Path) -> None:
    handlers = {"ours": JsonFileHandler(tmp_path / "details.jsonl"), "theirs": logging.FileHandler(tmp_path / "log")}
    told: dict[str, list[int]] = {name: [] for name in handlers}
    limit, before, logging.raiseExceptions = sys.getrecursionlimit(), logging.raiseExceptions, False
    try:
        sys.setrecursionlimit(200)  # for short tracebacks
        for left in range(8, 60):
            for name, handler in handlers.items():
                logger = logging.Logger("gate")
                logger.addHandler(handler)
                size = Path(handler.baseFilename).stat().st_size

                def act(logger: logging.Logger = logger) -> str:
                    try:
                        raise ValueError("x")
                    except ValueError:
                        logger.exception("failed")
                    return ""

                with contextlib.suppress(RecursionError):
                    deep(left, act)
                text = Path(handler.baseFilename).read_bytes()[size:]
                if b"ValueError: x" in text:
                    told[name].append(left)
    finally:
        sys.setrecursionlimit(limit)
        logging.raiseExceptions = before
        for handler in handlers.values():
            handler.close()
    assert told["theirs"]
    assert set(told["theirs"]) <= set(told["ours"])
