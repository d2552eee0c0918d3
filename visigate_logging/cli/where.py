"""Where the details are, when nobody says."""

import os
from pathlib import Path

from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError

__all__ = ["find_log"]

DEFAULT = Path("logs/errors/details.jsonl")
HANDLERS = ("visigate_logging.JsonFileHandler", "visigate_logging.handlers.json_file.JsonFileHandler")


def find_log(directory: Path | None = None) -> Path:
    """The details file: ``VISIGATE_LOG``, else what ``logging.yaml`` names, else where it is by default.

    Args:
        directory: where ``logging.yaml`` is looked for; the working directory when not given.
    """
    if named := os.environ.get("VISIGATE_LOG"):
        return Path(named)
    directory = directory or Path()
    return directory / (_configured(directory / "logging.yaml") or DEFAULT)


def _configured(path: Path) -> str | None:
    """The ``filename`` of the JSON-file handler; a file that cannot be read as such says nothing.

    Classes and factories of the application are not imported: they are known by the ending of their file's name.
    """
    try:
        given = [h for h in read(path).values["handlers"].values() if isinstance(h.get("filename"), str)]
    except (ConfigurationError, LookupError, TypeError, AttributeError):
        return None
    ours = [h["filename"] for h in given if h.get("()", h.get("class")) in HANDLERS]
    return next(iter([*ours, *(h["filename"] for h in given if h["filename"].endswith(".jsonl"))]), None)
