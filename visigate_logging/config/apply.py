"""configure: ``dictConfig`` from a file, and the ``visigate:`` section."""

import functools
import logging.config
import os
from dataclasses import dataclass, fields
from typing import Any

from visigate_logging import hooks
from visigate_logging.config.load import read, refuse
from visigate_logging.exceptions import ConfigurationError

__all__ = ["Settings", "configure"]


@dataclass(frozen=True)
class Settings:
    """The ``visigate:`` section, which is about the installation as a whole.

    Args:
        service: name of the application; children inherit it as ``VISIGATE_SERVICE``.
        release: its version; children inherit it as ``VISIGATE_RELEASE``.
        hooks: log what nobody caught, as `install_hooks` does.
    """

    service: str = ""
    release: str = ""
    hooks: bool = False


def configure(path: str | os.PathLike[str] = "logging.yaml") -> None:
    """Configure logging from a YAML file.

    The file is what :func:`logging.config.dictConfig` takes, with a ``visigate:`` section beside it. Texts may
    come from elsewhere: ``${NAME}`` and ``${NAME:-default}`` from the environment, ``file:PATH`` from a file.

    Args:
        path: the file.

    Raises:
        ConfigurationError: the file cannot be; the running configuration is not touched.
    """
    source = read(path)
    if source.problems:
        raise refuse(source, source.problems)
    values = source.values
    settings = _settings(values.pop("visigate", None) or {})
    for name, value in (("VISIGATE_SERVICE", settings.service), ("VISIGATE_RELEASE", settings.release)):
        if value:
            os.environ[name] = value
    try:
        logging.config.dictConfig(values)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise ConfigurationError("", f"{path}: {_whole_story(error)}") from error
    if settings.hooks:
        hooks.install_hooks(functools.partial(configure, os.path.abspath(path)))


def _settings(given: Any) -> Settings:
    if not isinstance(given, dict):
        raise ConfigurationError("visigate", f"a mapping is wanted, met {given!r}")
    known = {f.name: f.type for f in fields(Settings)}
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"visigate.{name}", f"is not known; possible are {', '.join(known)}")
        if not isinstance(value, known[name]):  # type: ignore[arg-type]  # plain classes all
            raise ConfigurationError(f"visigate.{name}", f"{value!r} is no {known[name]}")
    return Settings(**given)


def _whole_story(error: BaseException) -> str:
    cause = error.__cause__
    return f"{error}: {_whole_story(cause)}" if cause is not None else str(error)
