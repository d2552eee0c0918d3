"""Where the processes of the host meet, and what this package has last said there.

The package's own last messages are in ``messages.jsonl`` of the state directory and, older, in ``messages.jsonl.1``.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from visigate_logging.config.objects import Object
from visigate_logging.detail.masking import sanitiser
from visigate_logging.host.clock import utc_text
from visigate_logging.host.json_lines import JsonLines

_LARGEST = 65_536
_DEFAULT_NAME = "state"

MAX_TOLD = 8192
"""Bytes of a message that are told."""


def state_directories(objects: Iterable[Object]) -> list[Path]:
    """Return where handlers keep what the processes of the host share, the first one named first."""
    found: dict[Path, None] = {}
    for made in objects:
        if parameter := made.parameters.get("state_dir"):
            given = made.given.get("state_dir") or parameter.default
            if given is None and isinstance(made.given.get("filename"), str):
                given = Path(made.given["filename"]).parent / _DEFAULT_NAME
            if isinstance(given, str | Path):
                found[Path(os.path.abspath(given))] = None
    return list(found)


class Messages(logging.Handler):
    """Keeps the package's own messages.

    Args:
        directory: a state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message of the package."""
        try:
            line = {"time": utc_text(record.created), "pid": record.process, "level": record.levelname}
            _messages(self.directory).append({**line, "message": sanitiser(MAX_TOLD).text(record.getMessage())})
        except OSError:  # the handlers say that the card cannot be written; a traceback for each message helps nobody
            pass
        except Exception:  # noqa: BLE001 -- emit raises nothing
            self.handleError(record)


def last_messages(directory: Path, most: int = 20) -> list[Mapping[str, Any]]:
    """Return the package's own last messages, the oldest first."""
    return list(deque(_messages(directory).read(), most))


def _messages(directory: Path) -> JsonLines:
    return JsonLines(directory / "messages.jsonl", max_bytes=_LARGEST)
