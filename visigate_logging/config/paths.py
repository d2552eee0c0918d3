"""Whether a file could be written, and who would have to do what."""

import logging
import os
import stat
import typing
from pathlib import Path
from typing import Any

from visigate_logging.config.objects import Object
from visigate_logging.config.signature import Parameter
from visigate_logging.config.source import WARNING, Source, is_reference


def check_paths(source: Source, made: Object, user: str | None) -> None:
    """Note files and directories of an object that a user could not write."""
    for parameter, value in made.arguments():
        if not isinstance(value, str) or not is_path(parameter) or is_reference(value):
            continue
        key = (*made.key, parameter.name)
        if value.startswith("~"):
            source.add(key, "~ is not expanded: write the path out", WARNING)
        is_directory = parameter.name.endswith("_dir")
        problem = obstacle(value, user, directory=is_directory, makes_parents=not made.makes(logging.FileHandler))
        if problem:
            source.add(key, problem)


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


def is_path(parameter: Parameter) -> bool:
    """Return whether a parameter is a path."""
    kinds: tuple[Any, ...] = (parameter.kind, *typing.get_args(parameter.kind))
    return parameter.name == "filename" or os.PathLike in {typing.get_origin(kind) or kind for kind in kinds}


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
