"""What happens while apprise hands a message over: what a service answers, and what libraries would log of it."""

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

_CALLS = {"get", "post", "put", "patch", "delete", "head", "request"}
_LOGGERS = (("apprise.logger", "logger"), ("urllib3.connectionpool", "log"))
_seen = threading.local()


@dataclass(slots=True)
class Seen:
    """What became of one message, as far as the calls of `requests` and apprise's own words tell."""

    responses: list[Any] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def observe(module: ModuleType) -> None:
    """Have the calls of ``requests`` in a plugin's module noted; those of the application's own modules are not."""
    requests = getattr(module, "requests", None)
    if requests is not None and not isinstance(requests, _Requests):
        module.requests = _Requests(requests)  # type: ignore[attr-defined]  # looked for just now


class _Requests:
    """Stands for ``requests`` in a plugin's module: notes what came back, for a thread that wants to know."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        return _noting(found) if name in _CALLS else found


def _noting(call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:
        seen: Seen | None = getattr(_seen, "now", None)
        try:
            response = call(*args, **options)
        except Exception as error:
            if seen is not None:
                seen.errors.append(error)
            raise
        if seen is not None:
            seen.responses.append(response)
        return response

    return noted


class _Silent(logging.Filter):
    """Keeps what libraries say of a message from the log: it shows the address. The warnings are kept for us."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record has nothing to do with us."""
        seen: Seen | None = getattr(_seen, "now", None)
        if seen is not None and record.levelno >= logging.WARNING:
            seen.words.append(record.getMessage())
        return seen is None


_silent = _Silent()


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Note what happens in this thread, and keep it from the log."""
    for module, name in _LOGGERS:
        if logger := getattr(sys.modules.get(module), name, None):
            logger.addFilter(_silent)  # once, whatever the number of calls
    before = getattr(_seen, "now", None)
    _seen.now = now = Seen()
    try:
        yield now
    finally:
        _seen.now = before
