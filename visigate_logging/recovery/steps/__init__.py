"""The steps that a recovery procedure can be made of: one file each, named as in the configuration.

To add one: write a dataclass that follows :class:`~visigate_logging.recovery.steps.base.Step` into a module here. One
that is not part of this package is named by its dotted path, or by an entry point of the group
``visigate_logging.steps``.
"""

import importlib
from dataclasses import is_dataclass
from functools import cache
from typing import cast

from visigate_logging.options.discovery import dataclasses_in
from visigate_logging.recovery.steps.base import Step

ENTRY_POINTS = "visigate_logging.steps"


def _is_step(found: object) -> bool:
    return isinstance(found, type) and Step in found.__mro__ and found is not Step and is_dataclass(found)


STEPS: dict[str, type[Step]]


def __getattr__(name: str) -> dict[str, type[Step]]:
    """Return ``STEPS``, imported when asked for: who keeps books of recoveries needs the protocol alone (PEP 562)."""
    if name == "STEPS":
        return _steps()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _steps() -> dict[str, type[Step]]:
    return dataclasses_in(__name__, __path__, _is_step)


def step_named(name: str) -> type[Step]:
    """Return the step that a configuration names.

    Raises:
        ValueError: there is none, it cannot be imported, or it is not a step.
    """
    if name in _steps():
        return _steps()[name]
    try:
        found = _imported(name) if "." in name else _from_entry_point(name)
    except Exception as error:
        raise ValueError(f"cannot be imported ({type(error).__name__}: {error})") from error
    if found is None:
        raise ValueError(f"is not a step; possible are {', '.join(_steps())}, or the dotted path of one of your own")
    if not _is_step(found):
        raise ValueError(f"is {found!r}, not a dataclass that derives from {Step.__module__}.Step")
    return cast(type[Step], found)


def _imported(name: str) -> object:
    home, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(home), attribute)


def _from_entry_point(name: str) -> object:
    from importlib.metadata import entry_points  # late: only for names that are not ours

    return next((point.load() for point in entry_points(group=ENTRY_POINTS, name=name)), None)
