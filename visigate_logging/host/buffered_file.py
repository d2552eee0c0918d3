"""A shared file, with a buffer in memory for the lines that it does not take.

The disk is full, the file system read-only, the directory gone: lines wait in memory, within bounds, and are written
in their order once that is possible. What had to be dropped is counted.
"""

import errno
import os
import threading
from collections import deque

from visigate_logging.host import CountSheet
from visigate_logging.host.files import close_own, identity, is_still
from visigate_logging.host.settlement import reason_of
from visigate_logging.host.shared_file import SharedFile
from visigate_logging.host.sync import force

NOT_WRITABLE = "file not writable"
"""The reason under which dropped lines are counted."""


class BufferedFile:
    """Lines for a file, each counted once: delivered, waiting in memory, or dropped. For use by many threads.

    Args:
        file: where the lines go.
        counts: the sheet they are counted on.
        buffer_bytes: bytes of lines that are kept while they cannot be written.
        syncs: whether `sync` forces to the medium what was written.
    """

    def __init__(self, file: SharedFile, counts: CountSheet, buffer_bytes: int, *, syncs: bool = True) -> None:
        self.file = file
        self._counts = counts
        self._buffer_bytes = buffer_bytes
        self._syncs = syncs
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Begin anew, in a forked child: what is kept in memory is the parent's to write."""
        self.trouble: OSError | None = None
        """Why the last line could not be written."""
        self.sync_error: OSError | None = None
        """Why the last sync could not be done."""
        self.is_dirty = False
        """Whether something was written since the last sync."""
        self._lock = threading.RLock()
        self._busy = False
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self.file.forget()

    @property
    def keeps_lines(self) -> bool:
        """Whether lines wait in memory."""
        return bool(self._kept)

    def open(self) -> None:
        """Open the file now rather than with the first line; what hinders it is the trouble from then on."""
        try:
            self.file.open()
        except OSError as error:
            self.trouble = error

    def write(self, line: bytes = b"") -> None:
        """Write what is kept, oldest first, then the line; what cannot be written is kept."""
        with self._lock:
            if self._busy:  # a signal handler or a destructor logs in the middle of its own thread's write
                self._write_aside(line)
                return
            self._busy = True
            is_counted = not line
            try:
                if self._kept:
                    self._write_kept()
                is_written = bool(line) and not self._kept and self._append(self.file, line)
                is_counted = True
                if is_written:
                    self._counts.at_once += 1
                elif line:
                    self._keep(line)
            except BaseException as error:
                if not is_counted:
                    self._counts.accept()
                    self._counts.drop(reason_of(error))
                raise
            finally:
                self._busy = False

    def put(self, line: bytes) -> None:
        """Append a line behind those that wait, or not at all.

        Raises:
            OSError: it is not in the file.
        """
        with self._lock:
            self._write_kept()
            if self._kept or not self._append(self.file, line):
                raise self.trouble or OSError("lines before it wait in memory")
            self._counts.at_once += 1

    def _write_kept(self) -> None:
        while self._kept and self._append(self.file, self._kept[0]):
            self._counts.deliver()
            self._kept_bytes -= len(self._kept.popleft())

    def inherit(self, other: "BufferedFile") -> None:
        """Take the lines that wait in another, to write them before those that wait here; none is dropped for it."""
        with other._lock:
            lines, other._kept, other._kept_bytes = other._kept, deque(), 0
            other._counts.hand_over(len(lines))
        with self._lock:
            self._counts.accept(len(lines))
            self._kept.extendleft(reversed(lines))
            self._kept_bytes += sum(map(len, lines))

    def _write_aside(self, line: bytes) -> None:
        aside = self.file.aside()
        if line and self._append(aside, line):
            self._counts.at_once += 1
        elif line:
            self._keep(line)
        aside.close()

    def _append(self, file: SharedFile, line: bytes) -> bool:
        try:
            file.append(line)
        except OSError as error:
            self.trouble = error
            return False
        self.trouble = None
        self.is_dirty = True
        return True

    def _keep(self, line: bytes) -> None:
        self._counts.accept()
        if self._kept_bytes + len(line) > self._buffer_bytes:
            self._counts.drop(NOT_WRITABLE)
        else:
            self._kept.append(line)
            self._kept_bytes += len(line)

    def sync(self) -> None:
        """Force to the medium what was written since the last time."""
        with self._lock:
            taken = [(fd, identity(os.fstat(fd))) for fd in self.file.unsynced()]
            self.is_dirty = False
        trouble = None
        for fd, known in taken:
            try:
                if self._syncs and is_still(fd, known):
                    force(fd)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a device or a pipe, which has nothing to sync
                    trouble = error
            finally:
                close_own(fd, known)
        self.sync_error = trouble

    def finish(self) -> int:
        """Write and sync what is left, and close the file, which the next line opens again.

        Returns:
            The number of lines that had to be given up.
        """
        with self._lock:
            if self._busy:  # the write that this interrupts comes here at its end
                return 0
            self.write()
            lost = len(self._kept)
            if lost:
                self._counts.drop(NOT_WRITABLE, lost)
            self._kept.clear()
            self._kept_bytes = 0
            if self.is_dirty:
                self.sync()
            self.file.close()
        return lost
