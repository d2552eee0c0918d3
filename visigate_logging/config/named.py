"""What a configuration names in the world outside: exceptions, variables, files, programs."""

import builtins
import importlib
import importlib.util
import os
import shutil
import sys
from types import ModuleType
from typing import Any

from visigate_logging.config.objects import Object
from visigate_logging.config.source import ERROR, WARNING, Source
from visigate_logging.options import meant
from visigate_logging.options.faults import KeyPath

_SURE = 0.88
"""How alike two names must be, from 0 to 1, for one to be taken for a slip of the pen."""


def check_named(source: Source, made: Object) -> None:
    """Note exceptions of the standard library that it has not; nothing else is imported."""
    for key, name in made.texts() if made.is_ours else ():
        home, _, word = name.rpartition(".")
        if "exceptions" in key[-2:] and home.partition(".")[0] in sys.stdlib_module_names:
            _check_class(source, key, home, word, ERROR)


def look_around(source: Source, made: Object) -> None:
    """Note what else is not there, or not here: that need be no mistake."""
    for key, text in made.texts() if made.is_ours else ():
        if "exceptions" in key[-2:]:
            _look_at_exception(source, key, text)
        else:
            _look_at_text(source, key, text)


# complex: one case a line
def _look_at_exception(source: Source, key: KeyPath, name: str) -> None:
    home, _, word = name.rpartition(".")
    if not home:
        known = {n for n, v in vars(builtins).items() if _is_exception(v)}
        if name not in known and (guess := meant(name, known, _SURE)):
            source.add(key, f"{name} is no exception of Python's{guess}", WARNING)
        return
    top = home.partition(".")[0]
    if top in sys.modules or importlib.util.find_spec(top) is not None:
        if top not in sys.stdlib_module_names:
            _check_class(source, key, home, word, WARNING)
    elif guess := meant(top, {n for n in sys.stdlib_module_names if not top.startswith(n)}, _SURE):
        # A library that is not installed is no mistake: rules are for what may be met. A slip of the pen is one, but
        # not a name that goes on where a module of Python's ends: urllib3, pickle5.
        source.add(key, f"there is no module {top}{guess}", WARNING)


def _check_class(source: Source, key: KeyPath, home: str, word: str, severity: str) -> None:
    try:
        module: ModuleType = importlib.import_module(home)
    except Exception as error:  # noqa: BLE001 -- what is imported may raise anything
        known = [f"{home.rpartition('.')[0]}.{n}".lstrip(".") for n in sys.stdlib_module_names]
        source.add(key, f"{home} cannot be imported: {error}{meant(home, known, _SURE)}", severity)
        return
    if not _is_exception(getattr(module, word, None)):
        names = [name for name, value in vars(module).items() if _is_exception(value)]
        source.add(key, f"{home} has no exception {word}{meant(word, names)}", severity)


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _look_at_text(source: Source, key: KeyPath, text: str) -> None:
    last = str(key[-1])
    if last.endswith("_env") and not os.environ.get(text):
        source.add(key, "the environment has no such variable here", WARNING)
    elif last.endswith("_file"):
        try:
            os.stat(text)
        except FileNotFoundError:
            source.add(key, f"there is no file {os.path.abspath(text)}", WARNING)
        except (OSError, ValueError):  # not for who asks to see, or refused by who opens it
            pass
    elif key[-2:] == ("argv", 0) and shutil.which(text) is None:
        source.add(key, f"there is no program {text} here", WARNING)
