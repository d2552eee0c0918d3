"""Formatters, filters and handlers as ``dictConfig`` makes them, but without touching what runs."""

import contextlib
import copy
import graphlib
import inspect
import logging
import logging.config
from collections.abc import Mapping
from typing import Any, cast

from visigate_logging.config.load import dotted
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import faults_of

__all__ = ["Built", "build_order", "whole_story"]

_REST = ("formatter", "level", "filters", ".")
_OUR_OWN = ("visigate_logging", "visigate.uncaught")


class Built(logging.config.DictConfigurator):
    """What a configuration makes: attached to no logger, without names, and with no file opened that stdlib opens.

    Args:
        values: the configuration, without the ``visigate:`` section; it is not changed.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(copy.deepcopy(dict(values)))
        self.handlers: dict[str, logging.Handler] = {}
        self.made: list[logging.Handler] = []  # in the order of creation, also those that could not be finished
        self._to_open: list[logging.FileHandler] = []

    def all(self) -> "Built":
        """Make everything.

        Raises:
            ConfigurationError: something could not be made; what had been made is closed.
        """
        try:
            for section in ("formatters", "filters"):
                for name in self.config.get(section) or ():
                    self.one(section, name)
            for name in build_order(self.config.get("handlers") or {}):
                self.one("handlers", name)
        except BaseException:
            self.close()
            raise
        return self

    def one(self, section: str, name: str) -> Any:
        """Make one formatter, filter or handler; what it refers to has been made before.

        Raises:
            ConfigurationError: it could not be made; ``key`` is the full path.
        """
        make = getattr(self, f"configure_{section.removesuffix('s')}")
        try:
            result = make(self.config[section][name])
        except ConfigurationError as error:
            first, *others = [
                ConfigurationError(dotted(fault.path), fault.told()) for fault in faults_of(error, (section, name))
            ]
            raise ConfigurationError(first.key, first.problem, others) from error
        except Exception as error:
            raise ConfigurationError(f"{section}.{name}", whole_story(error)) from error
        self.config[section][name] = result
        if section == "handlers":
            self.handlers[name] = result
        return result

    def configure_handler(self, config: Any) -> logging.Handler:
        """Make a handler; one that cannot be finished is known as well, so that it is closed."""
        rest = {name: config.pop(name) for name in _REST if name in config}
        opens = self._put_off_opening(config)
        handler = super().configure_handler(config)
        self.made.append(handler)
        if opens:
            self._to_open.append(cast(logging.FileHandler, handler))
        if rest.get("formatter"):
            handler.setFormatter(self.config["formatters"][rest["formatter"]])
        if rest.get("level") is not None:
            handler.setLevel(rest["level"])
        self.add_filters(handler, rest.get("filters") or ())
        for name, value in (rest.get(".") or {}).items():
            setattr(handler, name, value)
        return cast(logging.Handler, handler)

    def _put_off_opening(self, config: Any) -> bool:
        """Whether the handler would open a file: mode ``w`` would empty it while the old handler still writes."""
        factory = config.get("()") or config.get("class")
        if isinstance(factory, str):
            factory = self.resolve(factory)
        if not (isinstance(factory, type) and issubclass(factory, logging.FileHandler)):
            return False
        if "delay" not in inspect.signature(factory).parameters or config.get("delay"):
            return False
        config["delay"] = True
        return True

    def open(self) -> None:
        """Open the files of the standard library's handlers that want that at once.

        Raises:
            OSError: one cannot be opened.
        """
        for handler in self._to_open:
            handler.acquire()
            try:
                if handler.stream is None:
                    handler.stream = handler._open()
            finally:
                handler.release()

    def put_on_loggers(self) -> None:
        """Change the loggers as ``dictConfig`` does at its end; those of this package are never disabled."""
        named = self.config.get("loggers") or {}
        existing = sorted(logging.root.manager.loggerDict)
        below = tuple(f"{name}." for name in named if name in existing)
        others = [n for n in existing if n not in named and (n.startswith(below) or not n.startswith(_OUR_OWN))]
        for name in named:
            self.configure_logger(name, named[name])
        logging.config._handle_existing_loggers(  # type: ignore[attr-defined]  # as dictConfig does
            others, [n for n in others if n.startswith(below)], self.config.get("disable_existing_loggers", True)
        )
        if self.config.get("root"):
            self.configure_root(self.config["root"])

    def close(self) -> None:
        """Close what was made, without a word."""
        for handler in reversed(self.made):
            with contextlib.suppress(Exception):
                handler.close()


def build_order(handlers: Mapping[str, Any]) -> list[str]:
    """The names of handlers, each after those that it hands records to."""
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name in sorted(handlers):
        given = handlers[name] if isinstance(handlers[name], Mapping) else {}
        others = [given.get("target"), *(given["handlers"] if isinstance(given.get("handlers"), list) else ())]
        sorter.add(name, *(other for other in others if isinstance(other, str) and other in handlers))
    try:
        return list(sorter.static_order())
    except graphlib.CycleError as error:
        circle = error.args[1]
        raise ConfigurationError(
            f"handlers.{circle[0]}", f"hand records to each other: {' -> '.join(circle)}"
        ) from None


def whole_story(error: BaseException) -> str:
    """What an exception says, with what caused it."""
    text = str(error) or type(error).__name__
    cause = error.__cause__
    return f"{text}: {whole_story(cause)}" if cause is not None and str(cause) not in text else text
