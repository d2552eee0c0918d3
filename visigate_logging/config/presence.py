"""What the other processes of the host can see of this one: which configuration it runs, and what it has reported.

In the ``processes`` folder of the state directory each process has a file, which it keeps locked while it lives, so
that the system itself says who is gone (https://man7.org/linux/man-pages/man2/flock.2.html). The package's own last
messages are in ``messages.jsonl`` and, older, in ``messages.jsonl.1``.
"""

import contextlib
import fcntl
import logging
import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.config.objects import Object
from visigate_logging.detail.masking import sanitiser
from visigate_logging.host.clock import utc_text
from visigate_logging.host.files import make_directory, open_safely, opened_directory
from visigate_logging.host.forks import ForkAware, watch_forks
from visigate_logging.host.json_lines import JsonLines

__all__ = ["Presence", "last_messages", "present", "state_directories"]

_LARGEST = 65_536
_DEFAULT_NAME = "state"

MAX_TOLD = 8192
"""Bytes of a message, or of the facts, that are told."""


def state_directories(objects: Iterable[Object]) -> list[Path]:
    """Where the handlers of a configuration keep what the processes of the host share, the first one named first."""
    found: dict[Path, None] = {}
    for made in objects:
        if parameter := made.parameters.get("state_dir"):
            given = made.given.get("state_dir") or parameter.default
            if given is None and isinstance(made.given.get("filename"), str):
                given = Path(made.given["filename"]).parent / _DEFAULT_NAME
            if isinstance(given, str | Path):
                found[Path(os.path.abspath(given))] = None
    return list(found)


class Presence(ForkAware, logging.Handler):
    """What others see of the process; as a handler it keeps the package's own messages.

    Args:
        directory: a state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self._facts: dict[str, Any] = {}
        self._fd: int | None = None
        watch_forks(self)

    def tell(self, **facts: Any) -> None:
        """Change what others see; that the card cannot be written is no reason to stop."""
        self._facts |= sanitiser(MAX_TOLD).value(facts)
        with contextlib.suppress(OSError):
            self._write()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message of the package."""
        try:
            line = {"time": utc_text(record.created), "pid": record.process, "level": record.levelname}
            _messages(self.directory).append({**line, "message": sanitiser(MAX_TOLD).text(record.getMessage())})
        except OSError:  # the handlers say that the card cannot be written; a traceback for each message helps nobody
            pass
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Be seen no more."""
        if self._fd is not None:
            self._path().unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = None
        super().close()

    def after_fork_in_child(self) -> None:
        """The child is seen as a process of its own; what it has inherited is the parent's."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self.tell()

    def _path(self) -> Path:
        return self.directory / "processes" / f"{os.getpid()}.json"

    def _write(self) -> None:
        name = Path(sys.argv[0] or "python").name
        text = orjson.dumps({"pid": os.getpid(), "name": name, **self._facts}) + b"\n"
        if self._fd is None:
            self._fd = self._begin(text)
        os.ftruncate(self._fd, os.pwrite(self._fd, text, 0))

    def _begin(self, text: bytes) -> int:
        path = self._path()
        new = path.with_suffix(".new")
        make_directory(path.parent)
        with opened_directory(path.parent) as folder:
            for name in os.listdir(folder):
                if name == new.name or (name.endswith(".json") and _read(path.with_name(name)) is None):
                    with contextlib.suppress(FileNotFoundError):  # of one that is gone
                        os.unlink(name, dir_fd=folder)
            # Locked before it has its name: a file that is not locked is taken for that of a process that is gone.
            fd = open_safely(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(fd, text, 0)
            os.rename(new.name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        return fd


def present(directory: Path, config: Path | None = None) -> list[Mapping[str, Any]]:
    """The living processes that tell of themselves in a state directory; only those with a configuration file."""
    found = (_read(path) for path in sorted((directory / "processes").glob("*.json")))
    wanted = None if config is None else os.path.realpath(config)
    return [f for f in found if f is not None and wanted in (None, os.path.realpath(f.get("path", "")))]


def last_messages(directory: Path, most: int = 20) -> list[Mapping[str, Any]]:
    """The package's own last messages, the oldest first."""
    return list(deque(_messages(directory).read(), most))


def _messages(directory: Path) -> JsonLines:
    return JsonLines(directory / "messages.jsonl", max_bytes=_LARGEST)


def _read(path: Path) -> Mapping[str, Any] | None:
    """What a process tells; None when it is gone."""
    with contextlib.suppress(OSError, orjson.JSONDecodeError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            facts: Mapping[str, Any] = orjson.loads(file.readline())
            return facts
    return None
