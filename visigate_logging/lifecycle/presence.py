"""What the other processes of the host can see of this one, and that it has gone without a goodbye."""

import contextlib
import os
import secrets
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.detail.masking import sanitiser
from visigate_logging.host.clock import clock, monotonic, utc_text
from visigate_logging.host.directories import make_directory
from visigate_logging.lifecycle.locked_file import LockedFile
from visigate_logging.lifecycle.processes import FOLDER, MAX_TOLD, NEW, pid_namespace, start_ticks

_PATIENCE = 1.0


class Presence:
    """What others see of the process.

    Args:
        directory: a state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._facts: dict[str, Any] = {}
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._telling = threading.RLock()  # a signal handler may end the process in the middle
        self._is_over = False
        self._file: LockedFile | None = None
        self._last: LockedFile | None = None
        now = clock()
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._born = {
            "boot_id": now.boot_id,
            "started": now.seconds,
            "ticks": start_ticks(os.getpid()),
            "namespace": pid_namespace(),
        }

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it tells of itself."""
        return {"name": _process_name(), **self._facts}

    @property
    def path(self) -> Path | None:
        """The file that others see; None when they see nothing."""
        return self._file.path if self._file is not None else None

    @property
    def is_seen(self) -> bool:
        """Whether others see the process; not any more when somebody has closed all its descriptors."""
        return self._file is not None and self._file.is_held

    def tell(self, **facts: Any) -> None:
        """Change what others see; that the card cannot be written is no reason to stop."""
        with self._telling:
            self._facts |= facts
            with contextlib.suppress(OSError):
                if not self._is_over:
                    self._write(self._told())

    def leave(self, *, keep: bool = False) -> None:
        """Say goodbye: be seen no more.

        Args:
            keep: leave the file, with the goodbye in it: something may still happen in the process's last moments.
        """
        locked = self._telling.acquire(timeout=_PATIENCE)
        self._is_over = True
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if keep and file is not None:
                file.rewrite(self._told(said_goodbye=True))
                self._last = file  # not to be closed: others would take it for gone
            elif file is not None:
                file.close(remove=True)
        if locked:
            self._telling.release()

    def go_on(self) -> None:
        """Take back the goodbye."""
        self._is_over = False
        self.tell()

    def after_fork_in_child(self) -> None:
        """Be seen as a process of its own; what the child has inherited is the parent's."""
        inherited = self._file
        for file in filter(None, (inherited, self._last)):
            file.close()
        self._begin_afresh()
        self._facts.pop("hung", None)  # which a loop of the parent's is
        if inherited is not None:
            self.tell()

    def _told(self, **more: Any) -> bytes:
        seen = {"time": utc_text(timespec="milliseconds"), "monotonic": monotonic()}
        told = sanitiser(MAX_TOLD).value(self.facts)
        return orjson.dumps({"pid": os.getpid(), **told, **self._born, **seen, **more}) + b"\n"

    def _write(self, text: bytes) -> None:
        if self._file is not None and self._file.is_held:
            self._file.rewrite(text)
            return
        folder = self.directory / FOLDER
        make_directory(folder)
        # Locked before it has its name: a file that is not locked is taken for that of a process that is gone.
        file = LockedFile(folder / f"{self._name}{NEW}")
        file.rewrite(text)
        file.rename(f"{self._name}.json")
        before, self._file = self._file, file
        if before is not None:  # somebody has closed all descriptors, or removed the file
            before.close()


def _process_name() -> str:
    multiprocessing = sys.modules.get("multiprocessing.process")
    with contextlib.suppress(AttributeError, NameError):  # another thread imports it just now
        if multiprocessing is not None and (name := multiprocessing.current_process().name) != "MainProcess":
            return str(name)
    return Path(sys.argv[0] or "python").name
