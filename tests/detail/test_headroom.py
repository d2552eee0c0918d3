"""Near the recursion limit an error is told as fully as by the standard library."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from visigate_logging.detail.headroom import ROOM, with_headroom
from visigate_logging.detail.record import ErrorDetail


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


def test_what_the_application_sets_meanwhile_is_left() -> None:
    before = sys.getrecursionlimit()

    def act() -> str:
        with_headroom(lambda: sys.setrecursionlimit(before + 7))
        return ""

    deep(60, act)
    assert sys.getrecursionlimit() == before + 7
    sys.setrecursionlimit(before)


def test_only_one_thread_raises_the_limit_and_none_waits() -> None:
    seen: list[int] = []

    def within() -> None:
        seen.append(sys.getrecursionlimit())
        if len(seen) == 1:
            other = threading.Thread(target=lambda: deep(60, lambda: str(with_headroom(within))))
            other.start()
            other.join()

    before = sys.getrecursionlimit()
    deep(60, lambda: str(with_headroom(within)))
    assert seen == [before + ROOM] * 2
