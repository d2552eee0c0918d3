"""Directories that are opened once, so that all that follows is in them and nowhere else.

A command may be run by root in a directory that is the gate's, where a name may be a link to a place of root's,
planted beforehand or in this very moment. So what is made or renamed is named relative to an opened directory
(https://man7.org/linux/man-pages/man2/openat.2.html); a link counts for root only if root has made it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.host.sync import force

_MOST_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def opened_directory(path: str | os.PathLike[str]) -> Iterator[int]:
    """Yield a descriptor of a directory; for root by no link but root's own.

    Raises:
        PermissionError: somebody else has put a link in the way.
        OSError: it cannot be opened.
    """
    fd = _open_directory(os.path.abspath(path)) if is_root() else os.open(path, _DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def make_directory(path: str | os.PathLike[str], mode: int = 0o777) -> None:
    """Make a directory, and those above it, unless they are there; what root makes belongs to the owner of the place.

    Args:
        path: the directory.
        mode: permissions, less those that the umask takes, and never more than all may read.
    """
    path = Path(path).absolute()
    if path.is_dir():
        return
    make_directory(path.parent)
    with opened_directory(path.parent) as above, contextlib.suppress(FileExistsError):
        os.mkdir(path.name, mode & 0o755, dir_fd=above)
        with contextlib.suppress(OSError):  # a file system that cannot
            force(above)  # what is made durable in it would go with it
        if is_root():
            place = os.fstat(above)
            os.chown(path.name, place.st_uid, place.st_gid, dir_fd=above, follow_symlinks=False)


def rename(path: str | os.PathLike[str], name: str) -> None:
    """Give a file or directory another name in the same directory; what has that name is replaced.

    Raises:
        OSError: it cannot be.
    """
    folder, old = os.path.split(os.path.abspath(path))
    with opened_directory(folder) as directory:
        os.rename(old, name, src_dir_fd=directory, dst_dir_fd=directory)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Let a power cut not take back what was made, renamed or removed in a directory."""
    with opened_directory(path) as directory:
        force(directory)


def followed(path: str | os.PathLike[str]) -> Path:
    """Return where a path leads, if it is a link; for root by no link but root's own.

    Raises:
        PermissionError: somebody else has put a link there.
    """
    found = Path(path).absolute()
    for _ in range(_MOST_LINKS):
        with opened_directory(found.parent) as directory:
            try:
                status = os.stat(found.name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return found
            if not stat.S_ISLNK(status.st_mode):
                return found
            if is_root() and status.st_uid:
                raise refused(str(found), "is a link that is not root's")
            found = Path(os.path.abspath(found.parent / os.readlink(found.name, dir_fd=directory)))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def is_root() -> bool:
    """Return whether this process may do everything."""
    return os.geteuid() == 0


def _open_directory(path: str) -> int:
    """Open a directory step by step, as root."""
    fd, parts, links = os.open("/", _DIRECTORY), [*reversed(Path(path).parts[1:])], 0
    while parts:
        name = parts.pop()
        try:
            child = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            try:
                if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                    raise
                link = os.stat(name, dir_fd=fd, follow_symlinks=False)
                links += 1
                if not stat.S_ISLNK(link.st_mode) or links > _MOST_LINKS:
                    raise
                if link.st_uid:
                    raise refused(path, f"leads through the link {name}, which is not root's") from None
                target = Path(os.readlink(name, dir_fd=fd))
                parts += reversed(target.parts)
                child = os.open("/", _DIRECTORY) if target.is_absolute() else os.dup(fd)
            finally:
                os.close(fd)
        else:
            os.close(fd)
        fd = child
    return fd


def refused(path: str, why: str) -> PermissionError:
    """Return the error that says why something is not used that somebody else may have planted."""
    return PermissionError(errno.EPERM, f"{why}, and is not trusted here; remove it, or run this as its owner", path)
