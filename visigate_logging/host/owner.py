"""Whose a directory is, and how root does there no more than its owner could."""

import os
from pathlib import Path

from visigate_logging.host.files import opened_directory

__all__ = ["become_owner_of", "strays"]


def become_owner_of(directory: Path) -> int | None:
    """As root, be for good the owner of a directory, or of what will be above it when it is not there.

    What is planted there leads nowhere then where its owner could not go himself, and what is made there is his.

    Returns:
        The number of the user that this process now is; None when nothing has changed.

    Raises:
        OSError: it cannot be found out whose it is.
    """
    if os.geteuid() != 0:
        return None
    place = directory.absolute()
    while not os.path.lexists(place):
        place = place.parent
    with opened_directory(place) as fd:
        found = os.fstat(fd)
    if found.st_uid == 0:
        return None
    user, group = _login(found.st_uid, found.st_gid)
    os.setgroups(os.getgrouplist(user, group) if user else [group])
    os.setgid(group)
    os.setuid(found.st_uid)
    return found.st_uid


def strays(directory: Path) -> list[Path]:
    """What is in a directory, at any depth, and belongs to another user than it: its owner may be kept from using it."""
    if not directory.is_dir():
        return []
    owner = directory.stat().st_uid
    return [
        Path(folder, name)
        for folder, folders, files in os.walk(directory)
        for name in [*folders, *files]
        if _owner(os.path.join(folder, name), owner) != owner
    ]


def _owner(path: str, when_gone: int) -> int:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return when_gone


def _login(uid: int, gid: int) -> tuple[str, int]:
    """The user's name and own group; a number without a name has the directory's group."""
    import pwd

    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return "", gid
    return known.pw_name, known.pw_gid
