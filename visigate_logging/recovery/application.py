"""Functions of the application, which a configuration names as ``package.module:function``."""

import importlib
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["call", "find"]


def find(path: str) -> Callable[[dict[str, Any]], Any]:
    """The function.

    Raises:
        ValueError: it cannot be reached, or not be called.
    """
    home, _, name = path.partition(":")
    try:
        found = importlib.import_module(home)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ValueError(
            f"{path!r} cannot be reached ({type(error).__name__}: {error}); use module:function"
        ) from error
    if not callable(found):
        raise ValueError(f"{path!r} is {found!r}, which cannot be called")  # noqa: TRY004 -- a wrong value
    return found


def call(function: Callable[[], Any], name: str, timeout: float) -> Any:
    """What the function returns; it runs in a thread of its own, which cannot be ended when it takes too long.

    Raises:
        TimeoutError: it has not come back within ``timeout`` seconds.
        Exception: what it raised.
    """
    result: list[Any] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            result.append(function())
        except Exception as error:  # handed to whoever waits
            raised.append(error)

    thread = threading.Thread(target=run, name=f"visigate-recovery-{name}", daemon=True)
    thread.start()
    thread.join(timeout)
    if raised:
        raise raised[0]
    if not result:
        raise TimeoutError(f"{name} has not come back within {timeout:g} s")
    return result[0]
