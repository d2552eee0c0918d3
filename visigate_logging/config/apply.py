"""configure: a checked file becomes the running configuration between two records, or nothing changes at all."""

import functools
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visigate_logging import hooks
from visigate_logging.config.build import Built, path_of, whole_story
from visigate_logging.config.check import check
from visigate_logging.config.load import Problem, Source, read, refuse
from visigate_logging.config.plan import LoggerState, plan, set_levels
from visigate_logging.config.settings import Settings, environment
from visigate_logging.config.swap import stopped
from visigate_logging.exceptions import ConfigurationError

__all__ = ["Applied", "configure", "running"]

_log = logging.getLogger("visigate_logging.config")
_applying = threading.RLock()
_running: "Applied | None" = None


@dataclass
class Applied:
    """A configuration that was put into effect.

    Args:
        source: the file as it was read.
        settings: its ``visigate:`` section.
        built: its handlers, filters and formatters.
        since: when, in seconds of the wall clock, for people.
    """

    source: Source
    settings: Settings
    built: Built
    since: float
    going_back: threading.Timer | None = field(default=None, repr=False)

    def confirm(self) -> bool:
        """Keep it; False when it is too late."""
        with _applying:
            timer, self.going_back = self.going_back, None
            if timer is not None:
                timer.cancel()
            return _running is self


def running() -> Applied | None:
    """The configuration that `configure` put into effect last in this process."""
    return _running


def configure(path: str | os.PathLike[str] = "logging.yaml", *, confirm: float | None = None) -> Applied:
    """Configure logging from a YAML file, or change what runs without losing a record.

    The file is what :func:`logging.config.dictConfig` takes, with a ``visigate:`` section beside it. Texts may
    come from elsewhere: ``${NAME}`` and ``${NAME:-default}`` from the environment, ``file:PATH`` from a file.
    All that is new is built beside the old; then the loggers change between two records, and the old handlers are
    flushed and closed.

    Args:
        path: the file.
        confirm: seconds after which the configuration that ran before comes back, unless ``confirm()`` of what is
            returned has been called; None keeps the new one at once.

    Raises:
        ConfigurationError: the file cannot be; what ran before goes on exactly as it was.
    """
    with _applying:
        before = _running
        if confirm is not None and before is None:
            raise ConfigurationError("", f"{path}: nothing runs yet that could come back; leave confirm out")
        applied = apply(read(path))
        if confirm is not None and before is not None:
            _go_back_unless_confirmed(applied, before, confirm)
        return applied


def apply(source: Source) -> Applied:
    """Put what was read into effect.

    Raises:
        ConfigurationError: it cannot be; what ran before goes on, and the reason has been logged.
    """
    with _applying:
        try:
            return _apply(source)
        except ConfigurationError as error:
            if _running is not None:
                _log.error("configuration %s is refused, what ran before goes on: %s", source.path, error)
            raise


def _apply(source: Source) -> Applied:
    global _running  # noqa: PLW0603 -- a process has one logging
    if errors := check(source):
        raise refuse(source, errors)
    values = dict(source.values)
    settings = Settings(**(values.pop("visigate", None) or {}))
    before = _running
    with environment(settings):
        if values.get("incremental"):
            set_levels(values)
            built = before.built if before else Built({"version": 1})
        else:
            built = _replace(source, values, before)
    _running = applied = Applied(source, settings, built, time.time())
    _hook(applied, before)
    _log.info("configuration %s %s is in effect", source.path, source.hash)
    return applied


def _replace(source: Source, values: Mapping[str, Any], before: Applied | None) -> Built:
    try:
        built = Built(values).all()
    except ConfigurationError as error:
        raise refuse(source, [Problem(source.place(path_of(error.key)), error.key, error.problem)]) from error
    names = dict(logging._handlers)  # type: ignore[attr-defined]  # as dictConfig does
    try:
        states = plan(built, before.built if before else None)
        old = _old_handlers(states)
        for name, handler in built.handlers.items():
            handler.set_name(name)
        with stopped(logger for logger, state in states.items() if state.changes(logger)):
            built.open()
            for logger, state in states.items():
                state.put_on(logger)
            logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # as Logger.setLevel does
    except Exception as error:
        built.close()
        logging._handlers.update(names)  # type: ignore[attr-defined]  # as Handler.set_name does
        raise ConfigurationError("handlers", f"{whole_story(error)} ({source.path})") from error
    _retire(old, states, built)
    return built


def _old_handlers(states: Mapping[logging.Logger, LoggerState]) -> list[logging.Handler]:
    """All that may be out of use afterwards, in the order of creation."""
    attached = {id(h) for logger in states for h in logger.handlers}
    named = {id(h) for h in logging._handlers.values()}  # type: ignore[attr-defined]  # as dictConfig does
    alive = [ref() for ref in logging._handlerList]  # type: ignore[attr-defined]  # as dictConfig does
    return [h for h in alive if h is not None and id(h) in attached | named]


def _retire(old: list[logging.Handler], states: Mapping[logging.Logger, LoggerState], built: Built) -> None:
    """Flush and close what no logger uses any more, those that hand records to others first."""
    used = {id(h) for state in states.values() for h in state.handlers} | {id(h) for h in built.made}
    for handler in reversed(old):
        if id(handler) not in used:
            try:
                if getattr(handler, "flushOnClose", True):
                    handler.flush()
                handler.close()
            except Exception:
                _log.exception("%r could not be closed", handler)
    # Closing has taken the names out of the register that the new ones have now.
    for name, handler in built.handlers.items():
        logging._handlers[name] = handler  # type: ignore[attr-defined]  # as Handler.set_name does


def _hook(applied: Applied, before: Applied | None) -> None:
    if applied.settings.hooks:
        hooks.install_hooks(functools.partial(configure, os.path.abspath(applied.source.path)))
    elif before is not None and before.settings.hooks:
        hooks.uninstall_hooks()


def _go_back_unless_confirmed(applied: Applied, before: Applied, seconds: float) -> None:
    def go_back() -> None:
        with _applying:
            if _running is applied and applied.going_back is not None:
                _log.warning("configuration %s was not confirmed within %g s", applied.source.hash, seconds)
                apply(before.source)

    applied.going_back = threading.Timer(seconds, go_back)
    applied.going_back.daemon = True
    applied.going_back.start()
