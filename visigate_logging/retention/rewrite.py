"""Writing the files of a log anew without some of what is in them, while others write and read."""

import contextlib
import errno
import gzip
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from visigate_logging.host import HostLock
from visigate_logging.host.directories import rename, sync_directory
from visigate_logging.host.files import open_safely
from visigate_logging.host.log_files import log_files
from visigate_logging.host.sync import force

Change = Callable[[bytes], bytes]
"""What becomes of a line: the same, another, or nothing."""
LATE = 0.5
"""Seconds that a writer may take from looking where a file is to writing into it."""
LOCK_TIMEOUT = 30.0


def rotation_lock(log: Path) -> HostLock:
    """Return the lock under which the files of a log are renamed; writers that do not get it write on."""
    path = log.with_name(f".{log.name}.lock")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600  # who else writes the log has made it so
    return HostLock(path, mode)


def rewrite_log(log: Path, change: Change, *, timeout: float = LOCK_TIMEOUT) -> list[Path]:
    """Write the files of a log anew; what is written meanwhile is lost to nobody.

    The file that is being written to is rotated first.

    Args:
        log: the file that is written to.
        change: what becomes of each line.
        timeout: seconds that somebody else who is at it is waited for.

    Returns:
        The files that have changed.

    Raises:
        OSError: a file cannot be written; each is as it was, or done.
        TimeoutError: somebody else is at it.
    """
    with rotation_lock(log).tried(timeout) as is_ours:
        if not is_ours:
            raise TimeoutError(errno.ETIMEDOUT, "its files are being rotated or rewritten by somebody else", str(log))
        paths = [file.path for file in log_files(log) if _concerns(file.path, change)]
        if log in paths:
            _put_aside(log)
            time.sleep(LATE)
            paths = [file.path for file in log_files(log) if file.path != log and _concerns(file.path, change)]
        for path in reversed(paths):
            write_anew(path, change)
    return paths


def _put_aside(log: Path) -> None:
    """Rotate the file that is written to, and remove none: what is one too many goes with the next rotation."""
    names = [log]
    while os.path.lexists(names[-1]):
        names.append(log.with_name(f"{log.name}.{len(names)}"))
    for number in range(len(names) - 1, 0, -1):
        rename(names[number - 1], names[number].name)


def _concerns(path: Path, change: Change) -> bool:
    with _opened(path) as file:
        return any(change(line) != line for line in file)


def write_anew(path: Path, change: Change) -> None:
    """Put the changed lines of a file in its place at once, or remove it when none is left.

    What a late writer appends after the file was read is carried over as well; who writes still later sees that the
    file has no name any more, and writes into the one that the log's path names.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    with open(path, "rb") as source:
        like = os.fstat(source.fileno())
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        fd = open_safely(temporary, flags, stat.S_IMODE(like.st_mode), like=like)
        try:
            with open(fd, "wb") as file:
                if path.suffix == ".gz":
                    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                        packed.writelines(map(change, gzip.GzipFile(fileobj=source)))
                else:
                    file.writelines(map(change, source))
                file.flush()
                force(fd)
                rename(temporary, path.name)
                if path.suffix != ".gz":
                    file.writelines(map(change, source))  # from where it was read to
                    file.flush()
                    force(fd)
            if not path.stat().st_size:
                path.unlink()
        finally:
            temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        yield cast(IO[bytes], file)
