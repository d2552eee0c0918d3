"""Whether a file could be written, and who would have to do what."""

import os
import stat
from pathlib import Path

__all__ = ["obstacle", "user_name"]


def obstacle(path: str, user: str | None = None, *, directory: bool = False, makes_parents: bool = True) -> str:
    """What keeps a user from writing a file, or files in a directory; empty when nothing does.

    Args:
        path: relative ones are below the working directory.
        user: name of a user; default the one who asks.
        directory: files are to be written in it; else it is a file itself.
        makes_parents: whether missing directories are made.
    """
    if "\0" in path:
        return f"{path!r} cannot be a path"
    place = Path(os.path.abspath(path))
    try:
        found = next(p for p in (place, *place.parents) if p.exists())
    except OSError as error:
        return f"{error.filename} cannot be looked into: {error.strerror}"
    if found == place:
        if found.is_dir() != directory:
            return f"{place} is {'a file, but a directory' if directory else 'a directory, but a file'} is wanted"
    elif not found.is_dir():
        return f"{found} is a file, but would have to be a directory"
    elif found != place.parent and not makes_parents:
        return f"the directory {place.parent} does not exist, and nothing makes it: mkdir -p {place.parent}"
    if _may_write(found, user):
        return ""
    return (
        f"{user or user_name()} cannot write to {found}, which is {_owner(found)}'s with mode "
        f"{stat.S_IMODE(found.stat().st_mode):04o}: sudo chown {user or user_name()} {found}"
    )


def user_name() -> str:
    """Name of the user who runs this process."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def _may_write(path: Path, user: str | None) -> bool:
    wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
    if user is None:
        return os.access(path, wanted)
    import pwd

    entry = pwd.getpwnam(user)
    status = path.stat()
    if status.st_uid == entry.pw_uid:
        mode = status.st_mode >> 6
    elif status.st_gid in os.getgrouplist(user, entry.pw_gid):
        mode = status.st_mode >> 3
    else:
        mode = status.st_mode
    return entry.pw_uid == 0 or mode & wanted == wanted
