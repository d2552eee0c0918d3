"""Where the details are, when nobody says."""

import os
from pathlib import Path

from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError

__all__ = ["find_log"]

DEFAULT = Path("logs/errors/details.jsonl")
HANDLER = "visigate_logging.JsonFileHandler"


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
    """The ``filename`` of the JSON-file handler; a file that cannot be read as such says nothing."""
    try:
        handlers = read(path).values["handlers"].values()
        return next((h["filename"] for h in handlers if HANDLER in (h.get("class"), h.get("()"))), None)
    except (ConfigurationError, LookupError, TypeError, AttributeError):
        return None
