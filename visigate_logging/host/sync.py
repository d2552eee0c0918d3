"""Forcing to the medium what is to outlive a power cut: in one way, and nowhere else."""

import os
import stat


def force(fd: int) -> None:
    """Force a file to the medium, all that it takes to read it; or the names in a directory.

    Raises:
        OSError: it cannot be forced; what was written may be lost.
    """
    # To fdatasync a directory is nothing that POSIX speaks of; macOS has none.
    data_only = None if stat.S_ISDIR(os.fstat(fd).st_mode) else getattr(os, "fdatasync", None)
    (data_only or os.fsync)(fd)
