"""Configurations as others write them pass the check, and have the effect that ``dictConfig`` gives them.

right_files.txt has them one after another, in the style of what is found in public repositories.
"""

import logging
import logging.config
from pathlib import Path

import pytest
import yaml

from visigate_logging.cli import main
from visigate_logging.config import attached
from visigate_logging.config.apply import configure
from visigate_logging.config.load import read

FILE = Path(__file__).with_name("right_files.txt")
CORPUS = dict(case.split("\n", 1) for case in FILE.read_text("utf-8").split("=== ")[1:])


@pytest.fixture(autouse=True)
def bare_logging():
    """Loggers as in a new process, before and after."""
    root, manager = logging.getLogger(), logging.root.manager
    states = (root.handlers[:], root.filters[:], root.level, dict(logging._handlers), dict(manager.loggerDict))
    forget()
    yield
    forget()
    root.handlers, root.filters = states[0], states[1]
    root.setLevel(states[2])
    logging._handlers.update(states[3])
    manager.loggerDict.update(states[4])


def forget():
    root, manager = logging.getLogger(), logging.root.manager
    for handler in [h for h in list(logging._handlers.values()) if h is not None]:
        if not type(handler).__module__.startswith("_pytest"):
            handler.close()
    root.handlers, root.filters = [], []
    root.setLevel(logging.WARNING)
    for name in [n for n in manager.loggerDict if not n.startswith("visigate_logging")]:
        del manager.loggerDict[name]


def effect():
    """What loggers and handlers are, as plain data."""
    loggers = {"root": logging.getLogger()}
    loggers |= {
        n: v
        for n, v in logging.root.manager.loggerDict.items()
        if isinstance(v, logging.Logger) and not n.startswith("visigate_logging")
    }
    return {
        name: (
            logger.level,
            logger.propagate,
            bool(logger.disabled),
            [described(handler) for handler in logger.handlers if handler is not attached.TAKES_ALL],
            [type(found) for found in logger.filters],
        )
        for name, logger in loggers.items()
    }


def described(handler):
    formatter = handler.formatter
    text = (type(formatter), getattr(formatter, "_fmt", None), getattr(formatter, "datefmt", None))
    options = {
        name: value
        for name, value in vars(handler).items()
        if name not in ("filters", "buffer", "rolloverAt", "dev", "ino") and name[0] != "_"
        if isinstance(value, str | int | float | bool | tuple | list)
    }
    return type(handler), handler.name, handler.level, text, [type(found) for found in handler.filters], options


def filled(path):
    """The values that ``dictConfig`` is given, with what comes from the environment."""
    source = read(path)
    return source.values if source.replaced else yaml.safe_load(path.read_text())


@pytest.mark.parametrize("name", CORPUS)
def test_a_right_configuration_passes_and_has_the_same_effect(write, name, capsys):
    path = write(CORPUS[name])
    path.chmod(0o600)
    assert main(["check", "--strict", str(path)]) == 0, capsys.readouterr().out
    forget()
    logging.getLogger("before.all")
    logging.config.dictConfig(filled(path))
    expected = effect()
    forget()
    logging.getLogger("before.all")
    configure(path)
    assert effect() == expected


def test_there_are_sixty_right_ones():
    assert len(CORPUS) >= 60
