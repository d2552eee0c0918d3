"""What a configuration makes takes the place of what runs, or nothing changes at all."""

import logging
from collections.abc import Mapping
from typing import Any

from visigate_logging.config.build import Built, path_of, whole_story
from visigate_logging.config.load import Source, refuse
from visigate_logging.config.plan import LoggerState, plan
from visigate_logging.config.presence import Presence
from visigate_logging.config.swap import stopped
from visigate_logging.exceptions import ConfigurationError

__all__ = ["replace"]

_log = logging.getLogger("visigate_logging.config")


def replace(source: Source, values: Mapping[str, Any], before: Built | None) -> Built:
    """Build what is new, swap it in, then flush and close the old.

    Args:
        source: the file, for the places of what is wrong.
        values: the configuration without the ``visigate:`` section.
        before: what the last call has made.

    Raises:
        ConfigurationError: something could not be made; nothing has changed.
    """
    try:
        built = Built(values).all()
    except ConfigurationError as error:
        source.add(path_of(error.key), error.problem)
        raise refuse(source, source.errors) from error
    names = dict(logging._handlers)  # type: ignore[attr-defined]  # as dictConfig does
    try:
        states = plan(built, before)
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
        if id(handler) not in used and not isinstance(handler, Presence):
            try:
                if getattr(handler, "flushOnClose", True):
                    handler.flush()
                handler.close()
            except Exception:
                _log.exception("%r could not be closed", handler)
    # Closing has taken the names out of the register that the new ones have now.
    for name, handler in built.handlers.items():
        logging._handlers[name] = handler  # type: ignore[attr-defined]  # as Handler.set_name does
