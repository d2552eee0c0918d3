"""Formatters, filters and handlers as ``dictConfig`` makes them, but without touching what runs."""

import contextlib
import graphlib
import logging
import logging.config
import re
from collections.abc import Mapping
from typing import Any, cast

from visigate_logging.config.formats import ANYTHING, sample_record
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import error_of, faults_of

_MOST_FIELDS = 100
"""Fields of a format that the application gives."""
_REST = ("formatter", "level", "filters", ".")
_OUR_OWN = ("visigate_logging", "visigate.uncaught")


class Built(logging.config.DictConfigurator):
    """What a configuration makes: attached to no logger, without names, and with no file opened that stdlib opens.

    Args:
        values: the configuration, without the ``visigate:`` section; it is not changed.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(_copied(values))
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
            raise error_of(faults_of(error, (section, name))) from error
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
        """Return whether the handler would open a file: mode ``w`` would empty it while the old handler still writes.

        A class with a constructor of its own may write there already, and gets what is written in the file.
        """
        factory = config.get("()") or config.get("class")
        if isinstance(factory, str):
            factory = self.resolve(factory)
        if not (isinstance(factory, type) and issubclass(factory, logging.FileHandler)):
            return False
        if factory.__init__.__module__ not in ("logging", "logging.handlers") or config.get("delay"):
            return False
        config["delay"] = True
        return True

    def try_formatters(self) -> None:
        """Format a record with each formatter, into the void.

        Raises:
            ConfigurationError: one raises; it would for each record.
        """
        for name in self.config.get("formatters") or ():
            formatter = self.config["formatters"][name]
            try:
                _format_sample(formatter)
            except Exception as error:
                problem = f"fails for a record: {type(error).__name__}: {error}"
                raise ConfigurationError(f"formatters.{name}", problem) from error

    def open(self) -> None:
        """Open the files of the standard library's handlers that want that at once.

        Raises:
            ConfigurationError: one cannot be opened.
        """
        for handler in self._to_open:
            handler.acquire()
            try:
                handler.delay = False
                if handler.stream is None:
                    handler.stream = handler._open()
            except (OSError, ValueError, LookupError) as error:
                raise ConfigurationError(
                    f"handlers.{handler.get_name()}.filename", f"cannot be opened: {error}"
                ) from error
            finally:
                handler.release()

    # complex: as dictConfig does it, in one piece
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


def _copied(value: Any) -> Any:
    """Return a copy of mappings and lists; what is in them, such as a filter that is an object, stays the same."""
    if type(value) is dict:
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if type(value) is list else value


def _format_sample(formatter: Any) -> None:
    """Format a record; what the format names beside a record's own attributes, the application or a filter gives."""
    record = sample_record()
    for _ in range(_MOST_FIELDS):
        try:
            formatter.format(record)
        except (KeyError, ValueError) as error:
            missing = re.search(r"(?:not found in record: |^)'(.+)'$", str(error))
            if missing is None or hasattr(record, missing[1]):
                raise
            setattr(record, missing[1], ANYTHING)
        else:
            return


def build_order(handlers: Mapping[str, Any]) -> list[str]:
    """Return the names of handlers, each after those that it hands records to."""
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
    """Return what an exception says, with what caused it."""
    text = str(error) or type(error).__name__
    cause = error.__cause__
    return f"{text}: {whole_story(cause)}" if cause is not None and str(cause) not in text else text
