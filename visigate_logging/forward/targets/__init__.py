"""The targets that records can be forwarded to: one file each, and one line here.

To add one: write a dataclass that follows :class:`~visigate_logging.forward.targets.base.Target`, and name it below.
One that is not part of this package is named by its dotted path.
"""

import importlib
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, cast

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.targets.base import Target
from visigate_logging.forward.targets.http import Http
from visigate_logging.forward.targets.otlp import Otlp
from visigate_logging.forward.targets.sentry import Sentry
from visigate_logging.options import build, possible

__all__ = ["TARGETS", "read_target"]

TARGETS: dict[str, type[Target]] = {"http": Http, "otlp": Otlp, "sentry": Sentry}


def read_target(value: Any) -> Target | None:
    """Return the target that a configuration names, as ``{name: {option: value}}``; None for none.

    Raises:
        ValueError: it is no target, or its options cannot be.
    """
    if value is None or isinstance(value, Target):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError("is not one target with its options, as {sentry: {dsn: …}}")
    ((name, options),) = value.items()
    try:
        kind = _named(str(name))
    except ValueError as error:
        raise ConfigurationError(str(name), str(error)) from error
    return build(kind, options, str(name))


def _named(name: str) -> type[Target]:
    if name in TARGETS:
        return TARGETS[name]
    home, _, attribute = name.rpartition(".")
    if not home:
        raise ValueError(f"is no target{possible(name, TARGETS)}")
    try:
        found = getattr(importlib.import_module(home), attribute)
    except Exception as error:
        raise ValueError(f"cannot be imported ({type(error).__name__}: {error})") from error
    if not (isinstance(found, type) and is_dataclass(found) and hasattr(found, "send") and hasattr(found, "most")):
        raise ValueError(f"is {found!r}, not a dataclass that follows {Target.__module__}.Target")
    return cast(type[Target], found)
