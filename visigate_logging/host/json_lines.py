"""A small file of JSON lines that many processes append to: what happened, for people and programs to look up."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.host.shared_file import SharedFile


class JsonLines:
    """Mappings, one a line; with the line that would be too much, the file becomes ``NAME.1``, and the old one goes.

    It is opened for each line, as these are rare: nothing has to be watched over forks.

    Args:
        path: the file; its directory is made when absent.
        max_bytes: size of each of the two files at most.
        syncs: whether `append` waits until the medium has the line.
    """

    def __init__(self, path: Path, *, max_bytes: int, syncs: bool = False) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._syncs = syncs

    def append(self, line: Mapping[str, Any]) -> None:
        """Append a line, whole; values that JSON has not become text.

        Raises:
            OSError: it cannot be written.
        """
        text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
        file = SharedFile(self.path, max_bytes=self._max_bytes, backups=1)
        try:
            file.append(text)
            if self._syncs:
                file.sync()
        finally:
            file.close()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the lines, the oldest first; what a power cut has torn is passed over."""
        for path in self._files():
            with suppress(OSError), path.open("rb") as file:
                for line in file:
                    with suppress(ValueError):
                        found = orjson.loads(line)
                        if isinstance(found, dict):
                            yield found

    def contain(self, text: bytes) -> bool:
        """Return whether a line has this text in it."""
        for path in reversed(self._files()):  # one that is put aside meanwhile is found under its other name
            with suppress(OSError):
                if text in path.read_bytes():
                    return True
        return False

    def _files(self) -> list[Path]:
        """Return those that are files: to open a pipe could wait for ever."""
        return [path for path in (Path(f"{self.path}.1"), self.path) if path.is_file()]
