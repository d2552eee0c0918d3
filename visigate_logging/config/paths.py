"""Files that a configuration names: whether they can be written, and whether nobody else can change them."""

import logging
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from visigate_logging.config.objects import Object
from visigate_logging.config.source import ERROR, WARNING, Source
from visigate_logging.host.trust import exposure, trusted_users
from visigate_logging.options.faults import KeyPath


def check_paths(source: Source, made: Object, user: str | None) -> None:
    """Note files and directories of an object that a user could not write."""
    for key, path, is_directory in made.paths():
        if path.startswith("~"):
            source.add(key, "~ is not expanded: write the path out", WARNING)
        makes_parents = not made.makes(logging.FileHandler)
        if problem := obstacle(path, user, directory=is_directory, makes_parents=makes_parents):
            source.add(key, problem)


def check_trust(source: Source, objects: Iterable[Object], user: str | None) -> None:
    """Note who else could change the file, directories of logs and state, and the programs of steps.

    Args:
        source: the file.
        objects: what it makes.
        user: whom the application runs as; default the user of this process, for whom root is told by the file.
    """
    if not source.path.exists():
        return
    trusted = trusted_users(user)
    if user is None and os.geteuid() == 0 and not source.is_to_run:
        trusted |= {os.stat(source.path).st_uid}  # root looks at a file that is for its owner's application
    for key, path, what in ((), str(source.path), "this file"), *_to_trust(objects):
        found = exposure(path, trusted)
        if found is not None:
            place = "it" if str(found.path) == os.path.abspath(path) else found.path
            text = f"{what} can be changed by {found.who}, through {place}: {found.cure}"
            source.add(key, text, WARNING if found.is_group else ERROR)


# complex: paths and programs of each object
def _to_trust(objects: Iterable[Object]) -> Iterator[tuple[KeyPath, str, str]]:
    for made in objects:
        for key, path, is_directory in made.paths():
            if "\0" not in path:
                yield key, path if is_directory else os.path.dirname(path) or ".", "what is in this directory"
        for key, program in made.texts() if made.is_ours else ():
            found = shutil.which(program) if key[-2:-1] == ("argv",) else None
            if found is not None and (key[-1] == 0 or os.path.isabs(program)):
                yield key, found, "this program"


# complex: one obstacle after the other
def obstacle(path: str, user: str | None = None, *, directory: bool = False, makes_parents: bool = True) -> str:
    """Return what keeps a user from writing a file, or files in a directory; empty when nothing does.

    A file system that is read-only for the moment does not: errors of the card are what handlers are there for.

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
    if wrong := _wrong_kind(place, found, directory=directory):
        return wrong
    if found not in (place, place.parent) and not makes_parents:
        return f"the directory {place.parent} does not exist, and nothing makes it: mkdir -p {place.parent}"
    try:
        if _may_write(found, user) or os.statvfs(found).f_flag & os.ST_RDONLY:
            return ""
    except FileNotFoundError:  # rotated away in between: it could be written then
        return ""
    return (
        f"{user or user_name()} cannot write to {found}, which is {_owner(found)}'s with mode "
        f"{stat.S_IMODE(found.stat().st_mode):04o}: sudo chown {user or user_name()} {found}"
    )


def user_name() -> str:
    """Return the name of the user who runs this process."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _wrong_kind(place: Path, found: Path, *, directory: bool) -> str:
    if found != place:
        return "" if found.is_dir() else f"{found} is a file, but would have to be a directory"
    if found.is_dir() != directory:
        return f"{place} is {'a file, but a directory' if directory else 'a directory, but a file'} is wanted"
    return ""


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
