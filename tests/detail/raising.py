"""Exceptions of every shape, raised for real."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any


def caught(action: Callable[..., Any], *args: Any) -> BaseException:
    """What an action raises."""
    try:
        action(*args)
    except BaseException as error:
        return error
    raise AssertionError(f"{action} raised nothing")


def through(error: BaseException, frames: int = 1) -> BaseException:
    """The exception, raised through that many calls."""

    def raise_it(left: int) -> None:
        if left:
            raise_it(left - 1)
        raise error

    return caught(raise_it, frames)


def run(source: str, filename: str = "<string>", call: str = "", **names: Any) -> BaseException:
    """What source raises that is compiled under a file's name."""
    namespace = {"__name__": "made", **names}

    def execute() -> None:
        exec(compile(source, filename, "exec"), namespace)
        if call:
            eval(call, namespace)

    return caught(execute)


@contextmanager
def imported(directory: Path, name: str, source: str) -> Iterator[ModuleType]:
    """A module made of source, for as long as the context lasts."""
    (directory / f"{name}.py").write_text(source, "utf-8")
    sys.path.insert(0, str(directory))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        yield __import__(name)
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(str(directory))
        sys.modules.pop(name, None)


def by_hand(error: BaseException, instruction: int, line: int) -> BaseException:
    """The exception with a traceback that nobody raised."""
    frame = sys._getframe()
    return error.with_traceback(TracebackType(error.__traceback__, frame, instruction, line))


class FalsyError(Exception):
    """False as a condition."""

    def __bool__(self) -> bool:
        return False


class UnprintableError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class OddModuleError(Exception):
    """Its class has a module that is no text."""


OddModuleError.__module__ = 17  # type: ignore[assignment]


class Outer:
    """Holds a class, whose qualified name is then longer than its name."""

    class InnerError(Exception):
        """An exception inside a class."""


class HostileError(Exception):
    """Raises another whenever it is looked at."""

    def __str__(self) -> str:
        raise ArithmeticError

    def __repr__(self) -> str:
        raise ArithmeticError

    def __bool__(self) -> bool:
        raise ArithmeticError

    @property
    def __notes__(self) -> Any:
        raise ArithmeticError

    @property
    def fingerprint(self) -> Any:
        raise ArithmeticError

    @property
    def sqlite_errorname(self) -> Any:
        raise ArithmeticError


class HostileLinksError(Exception):
    """Cannot be asked for what led to it."""

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise ArithmeticError


class LiarError(Exception):
    """Says that it is of another class."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return OSError
