"""Who else could change a file, or put another in its place.

A path is as safe as the weakest directory above it, and above each link on the way to it. Root can change everything
anyhow. A directory that all may write is safe with the sticky bit (``/tmp``): what is in it can then be removed by
its owner alone (https://man7.org/linux/man-pages/man1/chmod.1.html). Access lists are not looked at.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MOST_LINKS = 40
"""As the kernel, which gives up then."""


class Exposure(NamedTuple):
    """Somebody who could change a path.

    Args:
        path: the file or directory that lets them.
        who: in words, such as ``every user``.
        cure: the command that ends it.
        is_group: it is the members of a group that somebody has allowed it: perhaps on purpose.
    """

    path: Path
    who: str
    cure: str
    is_group: bool = False


def trusted_users(user: str | None = None) -> frozenset[int]:
    """Return who may change what a user's processes act on: root, that user, and who has become root by sudo.

    Args:
        user: a name; default the user of this process.
    """
    if user is not None:
        import pwd

        return frozenset({0, pwd.getpwnam(user).pw_uid})
    behind_sudo = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return frozenset({0, os.geteuid(), *([int(behind_sudo)] if behind_sudo.isdecimal() else [])})


def exposure(path: str | os.PathLike[str], trusted: frozenset[int]) -> Exposure | None:
    """Return who else could change a file or directory, or None; of what does not exist, where it would be made.

    Args:
        path: relative ones are below the working directory.
        trusted: numbers of users who may.
    """
    by_group = None
    for place, status in _way_to(Path(os.path.abspath(path))):
        found = _of_one(place, status, trusted)
        if found is not None and not found.is_group:
            return found
        by_group = by_group or found
    return by_group


def _way_to(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield each directory and link that is passed on the way to a path, and what is there; ends where nothing is."""
    rest, place, links = list(reversed(path.parts[1:])), Path(path.anchor), 0
    yield place, os.lstat(place)
    while rest:
        part = rest.pop()
        place = place.parent if part == ".." else place / part
        try:
            status = os.lstat(place)
            yield place, status
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = Path(os.readlink(place))
                rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)
                place = Path(target.anchor) if target.is_absolute() else place.parent
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        if links > _MOST_LINKS:
            return


def _of_one(path: Path, status: os.stat_result, trusted: frozenset[int]) -> Exposure | None:
    if status.st_uid not in trusted:
        owner = _user_name(status.st_uid)
        flag = "-h " if stat.S_ISLNK(status.st_mode) else ""
        return Exposure(path, f"{owner}, whose it is", f"sudo chown {flag}{_user_name(max(trusted))} {path}")
    if stat.S_ISLNK(status.st_mode):  # its permissions mean nothing
        return None
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not is_sticky:
        return Exposure(path, "every user", f"chmod o-w {path}")
    if status.st_mode & stat.S_IWGRP and not is_sticky:
        others = _members(status.st_gid, trusted)
        if others:
            return Exposure(path, f"{', '.join(others)} of its group", f"chmod g-w {path}", is_group=True)
    return None


def _members(group: int, trusted: frozenset[int]) -> list[str]:
    """Return the names of a group's members who are not trusted; a group of one's own has none."""
    import grp
    import pwd

    if group == 0:
        return []
    try:
        named = grp.getgrgid(group).gr_mem
    except KeyError:
        named = []
    users = [user for user in pwd.getpwall() if user.pw_gid == group or user.pw_name in named]
    return sorted(user.pw_name for user in users if user.pw_uid not in trusted)


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
