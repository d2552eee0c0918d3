"""Whose a directory is, and how root does there no more than its owner could."""

import errno
import os
from pathlib import Path

from visigate_logging.host.directories import opened_directory


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
    if not os.access(os.__file__, os.R_OK):  # as in a virtual environment below /root: modules could not be imported
        text = f"user {found.st_uid}, who owns {place}, may not read it; install this package where they may"
        raise PermissionError(errno.EACCES, text, os.path.dirname(os.__file__))
    return found.st_uid


def made_by_root(directory: Path, *patterns: str) -> list[Path]:
    """Files of root's in a directory that is not: its owner may be kept from using them."""
    if not directory.is_dir() or directory.stat().st_uid == 0:
        return []
    found = {path for pattern in patterns for path in directory.glob(pattern)}
    return sorted(path for path in found if os.path.lexists(path) and path.lstat().st_uid == 0)


def _login(uid: int, gid: int) -> tuple[str, int]:
    """Return the user's name and own group; a number without a name has the directory's group."""
    import pwd

    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return "", gid
    return known.pw_name, known.pw_gid
