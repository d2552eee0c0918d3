"""Functions of the application, which a configuration names as ``package.module:function``."""

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

_missing: ContextVar[list[str] | None] = ContextVar("missing", default=None)


@contextlib.contextmanager
def missing_allowed() -> Iterator[list[str]]:
    """Let the body read a configuration whose functions cannot be reached; what it says of each is yielded."""
    said: list[str] = []
    token = _missing.set(said)
    try:
        yield said
    finally:
        _missing.reset(token)


def find(path: str) -> Callable[[dict[str, Any]], Any]:
    """Return the function.

    Raises:
        ValueError: it cannot be reached, or not be called.
    """
    home, _, name = path.partition(":")
    try:
        found = importlib.import_module(home)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        text = f"{path!r} cannot be reached ({type(error).__name__}: {error}); use module:function"
        said = _missing.get()
        if said is None:
            raise ValueError(text) from error
        said.append(text)
        return _absent
    if not callable(found):
        raise ValueError(f"{path!r} is {found!r}, which cannot be called")
    return found


def _absent(_context: dict[str, Any]) -> Any:
    """Stand for a function that cannot be reached."""
    raise LookupError


def call(function: Callable[[], Any], name: str, timeout: float) -> Any:
    """Return what the function returns; it runs in a thread of its own, which cannot be ended when it takes too long.

    Raises:
        TimeoutError: it has not come back within ``timeout`` seconds.
        Exception: what it raised.
    """
    result: list[Any] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            result.append(function())
        except Exception as error:  # noqa: BLE001 -- handed to whoever waits
            raised.append(error)

    thread = threading.Thread(target=run, name=f"visigate-recovery-{name}", daemon=True)
    thread.start()
    thread.join(timeout)
    if raised:
        raise raised[0]
    if not result:
        raise TimeoutError(f"{name} has not come back within {timeout:g} s")
    return result[0]
