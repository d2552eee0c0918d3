"""Files that are written whole or not at all, and nowhere else than meant.

A command may be run by root in a directory that is the gate's, where a name may be a link to a file of root's,
planted beforehand or in this very moment. So the directory is opened once, and all that follows is relative to it
(https://man7.org/linux/man-pages/man2/openat.2.html); a link counts for root only if root has made it.
"""

import contextlib
import errno
import operator
import os
import stat
from collections.abc import Callable

from visigate_logging.host.directories import is_root, opened_directory, refused
from visigate_logging.host.sync import force


def open_safely(
    path: str | os.PathLike[str], flags: int, mode: int = 0o640, *, like: os.stat_result | None = None
) -> int:
    """Return a descriptor of a file, made with exactly these permissions when the flags say that it may be made.

    Args:
        path: the file.
        flags: as for `os.open`.
        mode: permissions of a new file.
        like: whose owner and group it gets when root makes it; by default those of its directory.

    Raises:
        PermissionError: it is a link, or a file, that somebody else has put there, and this is root or the directory
            is one where everybody may do so.
        OSError: it cannot be opened.
    """
    folder, name = os.path.split(os.path.abspath(path))
    flags |= os.O_CLOEXEC
    with opened_directory(folder) as directory:
        place = os.fstat(directory)
        if flags & os.O_CREAT:
            with contextlib.suppress(FileExistsError):
                return _make(name, flags, mode, directory, like or place)
        if _is_anybodys(place):
            return _open_own(name, flags & ~os.O_CREAT, directory, place, os.fspath(path))
        try:
            return os.open(name, flags, mode, dir_fd=directory)
        except OSError as error:
            error.filename = os.fspath(path)  # the name alone would not say where
            raise


def write_atomically(
    path: str | os.PathLike[str], content: bytes, *, mode: int = 0o640, like: os.stat_result | None = None
) -> None:
    """Give a file a content at once and durably: nobody reads half of it, and a power cut leaves the old or the new.

    Args:
        path: the file; a link of this name is replaced, not followed.
        content: all of it.
        mode: its permissions.
        like: whose owner, group and permissions it gets instead; by default what root makes belongs to the owner of
            the file that it replaces, or of the directory.

    Raises:
        PermissionError: it cannot be given to its owner.
        OSError: it cannot be written; what was there is untouched.
    """
    folder, name = os.path.split(os.path.abspath(path))
    with opened_directory(folder) as directory:
        new = f".{name}.{os.urandom(8).hex()}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        # Readable for nobody else until it has its owner: it may hold passwords.
        first_mode = mode if like is None else 0o600
        fd = _make(new, flags, first_mode, directory, like or _owner_of(name, directory), strict=like is not None)
        try:
            with os.fdopen(fd, "wb") as file:
                if like is not None:
                    os.fchmod(fd, stat.S_IMODE(like.st_mode) & 0o777)
                file.write(content)
                file.flush()
                force(fd)
            os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):  # interrupted right after it was renamed
                os.unlink(new, dir_fd=directory)
            raise
        force(directory)


identity: Callable[[os.stat_result], tuple[int, int]] = operator.itemgetter(stat.ST_DEV, stat.ST_INO)
"""Return what tells a file from every other of the host: device and inode."""


def is_still(fd: int, known: tuple[int, int]) -> bool:
    """Return whether a descriptor is still of its file: whoever has closed it may have passed on its number.

    `os.closerange` does, as daemons call it; the next file that anybody opens, a database, then has the number. To be
    asked right before it is used. What is closed and opened again in the microseconds between is not seen.
    """
    try:
        return identity(os.fstat(fd)) == known
    except OSError:
        return False


def close_own(fd: int, known: tuple[int, int]) -> None:
    """Close a descriptor, unless somebody has: to close what has its number now would drop the locks on that file."""
    if is_still(fd, known):
        os.close(fd)


def _is_anybodys(place: os.stat_result) -> bool:
    """Return whether somebody whom we need not trust may have put what is in a directory."""
    if is_root():
        return place.st_uid != 0 or bool(place.st_mode & 0o022)
    return bool(place.st_mode & 0o002)


def _make(name: str, flags: int, mode: int, directory: int, owner: os.stat_result, *, strict: bool = False) -> int:
    fd = os.open(name, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        found = os.fstat(fd)
        if (found.st_uid, found.st_gid) != (owner.st_uid, owner.st_gid) and (strict or is_root()):
            os.fchown(fd, owner.st_uid, owner.st_gid)
        with contextlib.suppress(OSError):  # a file system without permissions
            os.fchmod(fd, mode)  # past the umask
    except BaseException:
        os.close(fd)
        os.unlink(name, dir_fd=directory)
        raise
    return fd


def _owner_of(name: str, directory: int) -> os.stat_result:
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):
            return found
    return os.fstat(directory)


def _open_own(name: str, flags: int, directory: int, place: os.stat_result, path: str) -> int:
    """Open what is no link, and belongs to nobody who could have meant harm with it."""
    try:
        fd = os.open(name, flags | os.O_NOFOLLOW, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refused(path, "is a link") from None
        raise
    found = os.fstat(fd)
    # For root a second name for a file of its own is as good as a link to it.
    linked = is_root() and found.st_nlink > 1
    if linked or found.st_uid not in {0, os.geteuid(), place.st_uid}:
        os.close(fd)
        raise refused(path, "belongs to somebody else")
    return fd
