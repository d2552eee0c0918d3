"""Global state of logging is put back after each test."""

import logging
import threading
from collections.abc import Iterator

import hypothesis
import pytest

from visigate_logging.detail import masking

# How long a case takes decides nothing. `make stress` takes the second.
hypothesis.settings.register_profile("gate", deadline=None, max_examples=40)
hypothesis.settings.register_profile("stress", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("gate")


@pytest.fixture(autouse=True)
def ended_threads() -> Iterator[None]:
    """Wait until the package's threads end that a test has started; it fails when nobody has ended them."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("visigate-") and thread.name != "visigate-upkeep":
            thread.join(20)
            assert not thread.is_alive(), f"{thread.name} runs on: close what has started it"


@pytest.fixture(autouse=True)
def restore_logging(ended_threads: None) -> Iterator[None]:
    """Give each test the logging it found, and close what it left open."""
    root = logging.getLogger()
    secret = masking._keys, masking._pseudonyms
    handlers, level, disabled = root.handlers[:], root.level, logging.root.manager.disable
    known = dict(logging.root.manager.loggerDict)
    levels = {logger: logger.level for logger in known.values() if isinstance(logger, logging.Logger)}
    yield
    masking._put(*secret)
    for logger in [root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers[:]:
                if logger is not root or handler not in handlers:
                    logger.removeHandler(handler)
                    handler.close()
            logger.setLevel(levels.get(logger, logging.NOTSET))
            logger.filters.clear()
            logger.disabled = False
            logger.propagate = True
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(disabled)
    logging.root.manager.loggerDict.clear()
    logging.root.manager.loggerDict.update(known)


@pytest.fixture
def thread_errors() -> Iterator[list[threading.ExceptHookArgs]]:
    """Errors that ended a thread while the test ran."""
    seen: list[threading.ExceptHookArgs] = []
    before, threading.excepthook = threading.excepthook, seen.append
    yield seen
    threading.excepthook = before
