"""What ``dictConfig`` would make of each logger, worked out before anything is changed."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visigate_logging.config.build import Built
from visigate_logging.exceptions import ConfigurationError

__all__ = ["LoggerState", "plan", "set_levels"]

_OUR_OWN = ("visigate_logging", "visigate.uncaught")


@dataclass
class LoggerState:
    """What a configuration decides about a logger."""

    handlers: list[logging.Handler]
    filters: list[Any]
    level: int
    propagate: bool
    disabled: bool

    @classmethod
    def of(cls, logger: logging.Logger) -> "LoggerState":
        """The state of a logger as it is."""
        return cls(logger.handlers[:], logger.filters[:], logger.level, logger.propagate, logger.disabled)

    def changes(self, logger: logging.Logger) -> bool:
        """Whether records would take another way."""
        return self.handlers != logger.handlers or self.propagate != logger.propagate

    def put_on(self, logger: logging.Logger) -> None:
        """Give a logger this state; the caches of the logging module are the caller's to clear."""
        logger.handlers = self.handlers
        logger.filters = self.filters
        logger.level = self.level
        logger.propagate = self.propagate
        logger.disabled = self.disabled


def plan(built: Built, before: Built | None) -> dict[logging.Logger, LoggerState]:
    """The state that each logger is to have.

    Where ``dictConfig`` would leave on a logger what an earlier configuration has put there, it is taken away
    first, so that a change has the same effect as a new start with the changed file.

    Args:
        built: the new configuration.
        before: the one that runs, if it is known.
    """
    named: Mapping[str, Any] = built.config.get("loggers") or {}
    known = set(logging.root.manager.loggerDict)
    existing = {name: logger for name, logger in _loggers() if name not in named}
    states = {logger: LoggerState.of(logger) for logger in (logging.root, *(found for _, found in _loggers()))}
    if before is not None:
        _take_away(before, states)
    disable = bool(built.config.get("disable_existing_loggers", True))
    for name, logger in existing.items():
        if any(name.startswith(f"{other}.") for other in known.intersection(named)):
            states[logger].level, states[logger].handlers, states[logger].propagate = logging.NOTSET, [], True
        elif not name.startswith(_OUR_OWN):
            states[logger].disabled = disable
    for name, config in named.items():
        logger = logging.getLogger(name)
        state = states.setdefault(logger, LoggerState.of(logger))
        _set(state, config, built)
        state.disabled = False
        state.propagate = config.get("propagate", state.propagate)
    if built.config.get("root"):
        _set(states[logging.root], built.config["root"], built)
    return states


def set_levels(values: Mapping[str, Any]) -> None:
    """What ``incremental: true`` may change: levels, and whether loggers propagate; all of it or nothing.

    Raises:
        ConfigurationError: a handler is not known.
    """
    handlers, loggers = values.get("handlers") or {}, values.get("loggers") or {}
    known: Mapping[str, logging.Handler] = logging._handlers  # type: ignore[attr-defined]  # as dictConfig does
    for name in handlers:
        if name not in known:
            raise ConfigurationError(f"handlers.{name}", f"no such handler runs; there are {', '.join(known)}")
    for name, config in handlers.items():
        if config.get("level"):
            known[name].setLevel(config["level"])
    for name, config in {**loggers, "root": values.get("root") or {}}.items():
        logger = logging.getLogger(name)
        if config.get("level") is not None:
            logger.setLevel(config["level"])
        if logger is not logging.root:
            logger.disabled = False
            logger.propagate = config.get("propagate", logger.propagate)


def _loggers() -> Iterator[tuple[str, logging.Logger]]:
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield name, logger


def _take_away(before: Built, states: Mapping[logging.Logger, LoggerState]) -> None:
    given = {logging.getLogger(name): config for name, config in (before.config.get("loggers") or {}).items()}
    given[logging.root] = before.config.get("root") or {}
    filters = {id(f) for f in (before.config.get("filters") or {}).values()}
    for logger, state in states.items():
        config = given.get(logger)
        if config is None:
            continue
        state.handlers = [h for h in state.handlers if h not in before.made]
        state.filters = [f for f in state.filters if id(f) not in filters]
        if config.get("level") is not None:
            state.level = logging.WARNING if logger is logging.root else logging.NOTSET
        if config.get("propagate") is not None:
            state.propagate = True


def _set(state: LoggerState, config: Mapping[str, Any], built: Built) -> None:
    if config.get("level") is not None:
        state.level = logging._checkLevel(config["level"])  # type: ignore[attr-defined]  # as dictConfig does
    state.handlers = list(dict.fromkeys(built.config["handlers"][name] for name in config.get("handlers") or ()))
    state.filters += [f for f in built.filters_of(config.get("filters")) if f not in state.filters]
