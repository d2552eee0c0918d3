"""The files of a log: which there are, in which order, and their bytes."""

import gzip
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

BUFFER = 64 * 1024
LOOKS = 100
"""How often a directory is looked at anew because a rotation was in the way."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log, as it was when looked at."""

    path: Path
    dev: int
    ino: int
    size: int
    mtime_ns: int

    @property
    def gzipped(self) -> bool:
        """Whether its content is packed."""
        return self.path.suffix == ".gz"

    def open(self, buffering: int = BUFFER) -> IO[bytes]:
        """Return the records' bytes, unpacked.

        Args:
            buffering: bytes to read at once.

        Raises:
            OSError: the file cannot be opened, or another one has taken its name meanwhile.
        """
        stream: IO[bytes] = self.path.open("rb", buffering=buffering)
        if not self._is(os.fstat(stream.fileno())):
            stream.close()
            raise FileNotFoundError(f"{self.path}: rotated while it was being opened")
        return cast(IO[bytes], _Unpacked(stream)) if self.gzipped else stream

    def remove(self) -> bool:
        """Delete the file; False if it is gone, or another one has taken its name meanwhile."""
        with suppress(FileNotFoundError):
            if self._is(self.path.stat()):
                self.path.unlink()
                return True
        return False

    def _is(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) == (self.dev, self.ino)


class _Unpacked(gzip.GzipFile):
    """A gzip reader that closes the file it was given."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def log_files(log: Path) -> list[LogFile]:
    """Return the files of a log, the one being written first, then the rotated ones as their names number them."""
    for _ in range(LOOKS):
        names = os.listdir(log.parent)
        current = _look(log)
        found = _rotated(log, names)
        # A rotation meanwhile would have let us see a file twice and another not at all.
        if set(names) == set(os.listdir(log.parent)) and _inode(current) == _inode(_look(log)):
            break
    return ([current] if current else []) + found


def _rotated(log: Path, names: Sequence[str]) -> list[LogFile]:
    pattern = re.compile(re.escape(log.name) + r"(?:[.-](\d[\d-]*)|\.imported|\.kept)?(?:\.gz)?")
    found = []
    for name in names:
        if name == log.name or (name.endswith(".gz") and name.removesuffix(".gz") in names):
            continue  # the latter is still being packed
        if (match := pattern.fullmatch(name)) and (file := _look(log.parent / name)):
            found.append((_age(match[1]), name, file))
    return [file for *_, file in sorted(found, key=lambda item: item[:2])]


def _inode(file: LogFile | None) -> int | None:
    return None if file is None else file.ino


def _age(number: str | None) -> tuple[int, int]:
    """Sort key of a rotated file: ``.1`` is newer than ``.2``, but ``-20260102`` newer than ``-20260101``."""
    if number is None:
        return (0, 0)
    value = int(number.replace("-", ""))
    return (1, value) if value < 10_000_000 else (2, -value)


def _look(path: Path) -> LogFile | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # rotated away since the directory was listed
        return None
    if not os.path.isfile(path):
        return None
    return LogFile(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
