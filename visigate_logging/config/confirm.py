"""Put a configuration file in its place, for good or until somebody confirms it.

Beside the file stands ``NAME.before``, which is what was there. While it is on trial, ``NAME.unconfirmed`` names the
process that waits for the confirmation, and ``NAME.earlier`` is what ``NAME.before`` was until then. When that
process has died without a word, nobody confirms any more (the connection was cut, the power failed): who reads the
file next takes what was there before, and puts it back.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from visigate_logging.config.reports import report
from visigate_logging.config.source import hash_of
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host import HostLock
from visigate_logging.host.clock import boot_id
from visigate_logging.host.directories import followed
from visigate_logging.host.files import write_atomically
from visigate_logging.host.forks import process_lives
from visigate_logging.host.lock import try_lock


def put(path: Path, content: bytes) -> None:
    """Give a file a content at once, so that nobody reads half of it; what was there stays beside it.

    Raises:
        ConfigurationError: a trial of this file is not over.
        OSError: it cannot be written, or who asks may not give it to its owner.
    """
    with _marked(path, content):
        _put(_beside(path), content)


def put_on_trial(path: Path, content: bytes, is_confirmed: Callable[[], bool]) -> bool:
    """Give a file a content for as long as ``is_confirmed`` takes, and leave it there when that says so.

    Raises:
        ConfigurationError: another trial of this file is not over, or it has this content already.
        OSError: as `put`.
    """
    with _marked(path, content):
        if path.read_bytes() == content:
            raise ConfigurationError("", f"{path} has this content already: there is nothing to try")
        _put(_beside(path), content)
        kept = False
        try:
            kept = is_confirmed()
        finally:
            if not kept:
                _go_back(path)
    return kept


def is_abandoned(path: Path) -> bool:
    """Return whether a file has what was put there on trial, and nobody confirms any more."""
    with contextlib.suppress(OSError):
        mark = _beside(path, ".unconfirmed").read_text("utf-8").split()
        if mark[:1] == [hash_of(path.read_bytes())] and _beside(path, ".before").exists():
            return not _lives(path, *mark[1:])
    return False


def _lives(path: Path, boot: str = "", pid: str = "") -> bool:
    """Return whether the process that has left a mark is there to confirm."""
    if pid:
        return boot == (boot_id() or "-") and process_lives(int(pid))
    with _beside(path, ".unconfirmed").open("rb") as mark:  # of version 0.1.0, which kept it locked
        return not try_lock(mark.fileno(), shared=True)


def before_abandoned(path: Path) -> bytes | None:
    """Return what was in a file before a trial that was abandoned: it is to run instead."""
    return _beside(path, ".before").read_bytes() if is_abandoned(path) else None


def put_back(path: Path) -> None:
    """End a trial that was abandoned, if there is one, and say so.

    Raises:
        OSError: as `put`.
    """
    if is_abandoned(path):
        _go_back(path)
        _beside(path, ".unconfirmed").unlink(missing_ok=True)
        text = "%s was not confirmed, and who would have done so is gone: it is as it was before"
        report(logging.WARNING, text, path)


@contextlib.contextmanager
def _marked(path: Path, content: bytes) -> Iterator[None]:
    """Have the mark stand while the body runs, and no other trial of the file."""
    mark = _beside(path, ".unconfirmed")
    # Beside the mark, which is for all to read.
    with HostLock(_beside(path).with_name(f".{_beside(path).name}.lock")).tried() as is_ours:
        if not is_ours:
            raise ConfigurationError("", f"{path} is on trial already; wait until that is over")
        try:
            write_atomically(mark, f"{hash_of(content)} {boot_id() or '-'} {os.getpid()}".encode(), mode=0o644)
            yield
            _beside(path, ".earlier").unlink(missing_ok=True)
        finally:
            mark.unlink(missing_ok=True)


def _put(path: Path, content: bytes) -> None:
    before = _beside(path, ".before")
    if path.exists() and path.read_bytes() != content:
        if before.exists():
            _write(_beside(path, ".earlier"), before.read_bytes(), like=path)
        _write(before, path.read_bytes(), like=path)
    _write(path, content, like=path)


def _go_back(path: Path) -> None:
    path = _beside(path)
    before, earlier = _beside(path, ".before"), _beside(path, ".earlier")
    _write(path, before.read_bytes(), like=path)
    if earlier.exists():
        _write(before, earlier.read_bytes(), like=path)
        earlier.unlink()


def _beside(path: Path, ending: str = "") -> Path:
    """Return the file itself, where a link leads to it, or one beside that."""
    return Path(f"{followed(path)}{ending}")


def _write(path: Path, content: bytes, like: Path) -> None:
    # It may hold passwords: who may not read the file may not read what becomes of it either, at no time.
    try:
        write_atomically(path, content, mode=0o644, like=like.stat() if like.exists() else None)
    except PermissionError as error:
        raise PermissionError(error.errno, f"only its owner, or root, may replace it ({error})", str(path)) from None
