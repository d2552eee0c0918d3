"""Living beside what the application and its libraries have attached to loggers by themselves."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any

Attached = tuple[logging.Logger, logging.Handler]

_OWN_STREAMS = {"flask.logging": "default_handler", "werkzeug._internal": "_ColorStreamHandler"}
"""What these libraries attach where they find no handler for their level: it shows all that is secret in clear."""

TAKES_ALL = logging.NullHandler()
"""Takes all levels, and does nothing: with it on the root logger no library finds that its level has no handler."""


def attached(loggers: Iterable[logging.Logger]) -> list[Attached]:
    """Return what is attached to some loggers now."""
    return [(logger, handler) for logger in loggers for handler in logger.handlers]


def keep_libraries_quiet(loggers: Iterable[logging.Logger]) -> None:
    """Have Flask and werkzeug attach no stream of their own, and take those away that they have attached before.

    They do so (``flask.logging.create_logger``, ``werkzeug._internal._log``) when a logger's effective level is below
    that of all handlers on the way to the root.
    """
    if not logging.root.handlers:  # the configuration leaves the root logger alone
        return
    for logger, handler in attached(loggers):
        if any(_is(handler, kind) for kind in _streams()):
            logger.handlers = [h for h in logger.handlers if h is not handler]
    if all(handler.level > logging.DEBUG for handler in logging.root.handlers):
        logging.root.handlers = [*logging.root.handlers, TAKES_ALL]


def lost(before: Iterable[Attached], made: Iterable[logging.Handler]) -> Iterator[str]:
    """Name the handlers that records do not reach any more, and that no configuration has made.

    Args:
        before: what was attached.
        made: by this package: it names them itself.
    """
    ours = {id(handler) for handler in made}
    for logger, handler in before:
        known = id(handler) in ours or any(_is(handler, kind) for kind in (logging.NullHandler, *_streams()))
        if handler not in logger.handlers and not known:
            yield f"{_told(handler)} of logger {logger.name}"


def _streams() -> list[Any]:
    return [getattr(sys.modules[m], name, None) for m, name in _OWN_STREAMS.items() if m in sys.modules]


def _is(handler: logging.Handler, kind: Any) -> bool:
    return handler is kind or (isinstance(kind, type) and isinstance(handler, kind))


def _told(handler: logging.Handler) -> str:
    where = getattr(handler, "baseFilename", None) or getattr(getattr(handler, "stream", None), "name", None)
    return f"{type(handler).__name__} ({where})" if where else type(handler).__name__
