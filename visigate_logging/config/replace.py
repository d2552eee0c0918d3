"""What a configuration makes takes the place of what runs, or nothing changes at all."""

import contextlib
import functools
import logging
import logging.config
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from visigate_logging.config.attached import attached, keep_libraries_quiet, lost
from visigate_logging.config.build import Built, whole_story
from visigate_logging.config.presence import Messages
from visigate_logging.config.reports import report
from visigate_logging.config.source import Source, refuse
from visigate_logging.config.swap import stopped
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import faults_of

LONGEST = 1.0
"""Seconds that a caller waits for old handlers to be closed; one that needs longer is closed behind its back."""
_STATE = ("handlers", "filters", "level", "propagate", "disabled")


def replace(source: Source, values: Mapping[str, Any], before: Built | None) -> Built:
    """Build what is new, swap it in, then flush and close the old.

    Args:
        source: the file, for the places of what is wrong.
        values: the configuration without the ``visigate:`` section.
        before: what the last call has made.

    Raises:
        ConfigurationError: something could not be made; nothing has changed.
    """
    built = Built(values)
    try:
        built.all()
        built.try_formatters()
        with _as_before_on_failure():
            old = _in_use()
            for name, handler in built.handlers.items():
                handler.set_name(name)
            beside = attached(_loggers())
            with stopped():
                built.open()
                _take_away(before)
                built.put_on_loggers()
                keep_libraries_quiet(_loggers())
    except Exception as error:
        built.close()
        wrong = error if isinstance(error, ConfigurationError) else ConfigurationError("handlers", whole_story(error))
        for fault in faults_of(wrong):
            source.add_fault(fault)
        raise refuse(source, source.errors) from error
    _retire(old, built)
    for name in lost(beside, before.made if before is not None else ()):
        text = "%s, which the application had attached, is replaced by what the configuration names"
        logging.getLogger("visigate_logging.config").warning(text, name)
    return built


def set_levels(values: Mapping[str, Any]) -> None:
    """Change what ``incremental: true`` may: levels, and whether loggers propagate.

    Raises:
        ConfigurationError: a handler is not known; nothing has changed.
    """
    known: Mapping[str, logging.Handler] = logging._handlers  # type: ignore[attr-defined]  # as dictConfig does
    for name in values.get("handlers") or {}:
        if name not in known:
            raise ConfigurationError(f"handlers.{name}", f"no such handler runs; there are {', '.join(known)}")
    logging.config.dictConfig(dict(values))


def _loggers() -> list[logging.Logger]:
    found = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in found if isinstance(logger, logging.Logger))]


@contextlib.contextmanager
def _as_before_on_failure() -> Iterator[None]:
    """Put loggers and the names of handlers back when the body raises."""
    names = dict(logging._handlers)  # type: ignore[attr-defined]  # as dictConfig does
    states = {logger: {name: getattr(logger, name) for name in _STATE} for logger in _loggers()}
    try:
        yield
    except BaseException:
        logging._handlers.update(names)  # type: ignore[attr-defined]  # as Handler.set_name does
        for logger, state in states.items():
            for name, value in state.items():
                setattr(logger, name, value)
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # as Logger.setLevel does
        raise


def _in_use() -> list[logging.Handler]:
    """Return all that may be out of use afterwards, in the order of creation."""
    attached = {id(h) for logger in _loggers() for h in logger.handlers}
    named = {id(h) for h in logging._handlers.values()}  # type: ignore[attr-defined]  # as dictConfig does
    alive = [ref() for ref in logging._handlerList]  # type: ignore[attr-defined]  # as dictConfig does
    return [h for h in alive if h is not None and id(h) in attached | named]


# complex: handlers, filters, level and propagation of each logger
def _take_away(before: Built | None) -> None:
    """Take from loggers what the last configuration has put there, where ``dictConfig`` would leave it.

    So a change has the same effect as a new start with the changed file. Lists are not changed, but replaced: a
    call that is stuck in a handler goes on with its own.
    """
    for logger in _loggers():
        logger.handlers, logger.filters = logger.handlers[:], logger.filters[:]
    if before is None:
        return
    filters = {id(f) for f in (before.config.get("filters") or {}).values()}
    given = {logging.getLogger(name): own for name, own in (before.config.get("loggers") or {}).items()}
    for logger, own in (given | {logging.root: before.config.get("root") or {}}).items():
        logger.handlers = [h for h in logger.handlers if h not in before.made]
        logger.filters = [f for f in logger.filters if id(f) not in filters]
        if own.get("level") is not None:
            logger.setLevel(logging.WARNING if logger is logging.root else logging.NOTSET)
        if own.get("propagate") is not None:
            logger.propagate = True


def _retire(old: Sequence[logging.Handler], built: Built) -> None:
    """Hand on, flush and close what no logger uses any more, those that hand records to others first."""
    used = {id(h) for logger in _loggers() for h in logger.handlers} | {id(h) for h in built.made}
    unused = [h for h in reversed(old) if id(h) not in used and not isinstance(h, Messages)]
    for handler in unused:
        _hand_on(handler, built.handlers.get(handler.name or ""))
    # A thread: a recovery that runs is given some seconds to end, for which nobody else is to wait.
    _in_threads(LONGEST, [functools.partial(_close, unused)] if unused else ())


def _hand_on(handler: logging.Handler, successor: logging.Handler | None) -> None:
    if successor is not None:
        vars(handler)["_name"] = None  # closing would take it out of the register, where the successor is
    if inherit := getattr(successor, "inherit", None):
        _try(inherit, handler)


def _close(handlers: Sequence[logging.Handler]) -> None:
    for handler in handlers:
        if getattr(handler, "flushOnClose", True):
            _try(handler.flush)
    _in_threads(None, [handler.close for handler in handlers])


def _in_threads(longest: float | None, acts: Iterable[Callable[[], object]]) -> None:
    for thread in [_started(act) for act in acts]:
        if thread is not None:
            thread.join(longest)


def _started(act: Callable[[], object]) -> threading.Thread | None:
    """Do something in a thread of its own, or, where the system gives none any more, here."""
    thread = threading.Thread(target=_try, args=(act,), name="visigate-retire", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _try(act)
        return None
    return thread


def _try(act: Callable[..., object], *args: object) -> None:
    try:
        act(*args)
    except Exception:  # noqa: BLE001 -- a handler of others may raise anything
        report(logging.ERROR, "an old handler could not be closed: %r", act, exc_info=True)
