"""The files of a database: what belongs to it, who may work on it, and a copy of it put aside."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import BusyError
from visigate_logging.host import HostLock
from visigate_logging.host.files import write_atomically
from visigate_logging.host.sync import force

SPARE = 1.1  # free space wanted, as a multiple of what is going to be written
WAIT = 2.0  # how long a lock of another process is waited for, seconds
SIBLINGS = ("", "-wal", "-shm", "-journal")
UNFINISHED = ".partial"
NOTE = "restore.json"  # in the folder of the files put aside: what was going to be done
KEPT = 5  # copies of a damaged database that are kept, the last ones
LOCK = ".visigate.lock"  # our own, and not the folder itself, which every user can lock who can open it
CHANGES = "changes.jsonl"  # in the folder of the files put aside: what differs from the backup
BLOCK, OVERLAP = 1 << 20, 256

_open_to_the_end: list[int] = []


def sibling(database: Path, suffix: str) -> Path:
    """Return the file beside a database that SQLite calls ``-wal``, ``-shm`` or ``-journal``."""
    return database.with_name(database.name + suffix)


def all_of(database: Path) -> list[Path]:
    """Return the paths of a database and of what may stand beside it."""
    return [sibling(database, suffix) for suffix in SIBLINGS]


def is_void(database: Path) -> bool:
    """Return whether there is nothing: SQLite deletes the ``-wal`` of such a file, so open it with care."""
    return not database.exists() or database.stat().st_size == 0


def size(database: Path) -> int:
    """Bytes of a database and the files that belong to it."""
    return sum(path.stat().st_size for path in all_of(database) if path.exists())


def too_little_space(folder: Path, size: int) -> str:
    """Return how much is free and how much is needed to write so many bytes; empty when there is enough."""
    free, needed = shutil.disk_usage(folder).free, SPARE * size
    return f"{free} bytes are free and {needed:.0f} are needed" if free < needed else ""


def read_through(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file of a database, in blocks that overlap so that no word is cut."""
    if not path.exists():
        return
    descriptor, offset = _opened(path), 0
    while block := os.pread(descriptor, BLOCK, offset):
        yield block
        offset += BLOCK - OVERLAP


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """One recovery or backup at a time in a folder; released when the process ends, however it ends.

    Raises:
        BusyError: another one is at work for longer than some seconds.
        FileNotFoundError: there is no such folder; a lock does not make one.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    with HostLock(folder / LOCK).tried(WAIT) as is_ours:
        if not is_ours:
            raise BusyError(f"another recovery or backup is at work in {folder}")
        yield


def put_aside(database: Path, folder: Path, note: Mapping[str, Any]) -> None:
    """Copy a database and the files that belong to it into a new folder, whole or not at all.

    Args:
        database: its files may be missing.
        folder: the new one.
        note: what is going to be done, for the next start if this one is interrupted.
    """
    partial = folder.with_name(f"{folder.name}{UNFINISHED}")
    partial.mkdir(0o700)  # whoever may not read the database may not read its copy
    for path in all_of(database):
        with suppress(FileNotFoundError):
            source = _opened(path)
            with open(source, "rb", closefd=False) as file, (partial / path.name).open("wb") as copy:
                shutil.copyfileobj(file, copy, BLOCK)
            sync(partial / path.name)
    write_atomically(partial / NOTE, json.dumps(note).encode())
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    sync(folder.parent)


def _opened(path: Path) -> int:
    """Return a descriptor that stays open: closing it would drop the locks of a connection that is open."""
    _open_to_the_end.append(os.open(path, os.O_RDONLY))
    return _open_to_the_end[-1]


def earlier(database: Path, event_id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield what recoveries of the same error have put aside before, and their notes."""
    for path in database.parent.glob(f"{database.name}.damaged-*/{NOTE}"):
        with suppress(OSError, ValueError):
            note = json.loads(path.read_text("utf-8"))
            if event_id and note.get("event_id") == event_id:
                yield path.parent, note


def remove_unfinished(database: Path) -> None:
    """Remove what a recovery that was killed had begun to put aside."""
    for partial in database.parent.glob(f"{database.name}.damaged-*{UNFINISHED}"):
        shutil.rmtree(partial)


def remove_old(database: Path) -> None:
    """Remove what has been put aside before the last KEPT times."""
    for note in sorted(database.parent.glob(f"{database.name}.damaged-*/{NOTE}"))[:-KEPT]:
        shutil.rmtree(note.parent)


def sync(path: Path) -> None:
    """Make a closed file's contents, or a folder's names, last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        force(descriptor)
    finally:
        os.close(descriptor)
