"""Where the interpreter leaves the stacks of all threads when native code ends it, or somebody else does."""

import contextlib
import faulthandler
import os
import signal
import threading
from pathlib import Path

from visigate_logging.lifecycle.dumps import MOST_BYTES, Stack, read_dumps
from visigate_logging.lifecycle.held import HeldFile, unlink

__all__ = ["StackDump", "give_up"]

# As they are before anything of ours stands in their place.
_enable, _disable = faulthandler.enable, faulthandler.disable
_ours = False


class StackDump:
    """A file that `faulthandler` writes to; one a process.

    An application that has armed it itself keeps it. So does a signal handler that it has set for SIGTERM: only where
    that ends the process by default, and so without a goodbye, its coming is noted, and the process ends as it would.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # of this process, when somebody has closed its descriptor
            unlink(path)
        self._file = HeldFile(path, os.O_APPEND)
        self._expects = False
        self._arm()

    @property
    def is_held(self) -> bool:
        """Whether what is written still goes there."""
        return self._file.is_held

    def _arm(self) -> None:
        global _ours  # noqa: PLW0603 -- the interpreter has one
        if _ours or not faulthandler.is_enabled():
            _enable(file=self._file.fd, all_threads=True)
            _ours = True
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            faulthandler.register(signal.SIGTERM, file=self._file.fd, all_threads=False, chain=True)

    def expect_within(self, seconds: float) -> None:
        """Have all stacks left here when this is not called again in time: somebody holds the interpreter.

        An application that uses the interpreter's one timer for itself is in the way of that.

        Args:
            seconds: until then.
        """
        if self._file.is_held:
            faulthandler.dump_traceback_later(seconds, file=self._file.fd)
            self._expects = True

    def expect_nothing(self) -> None:
        """Have no stacks left any more."""
        if self._expects:
            faulthandler.cancel_dump_traceback_later()
            self._expects = False

    def take_timeout(self) -> tuple[Stack, ...]:
        """Return the stacks that were left since the last time, and begin the file anew."""
        if not self._expects or not self._file.is_held or not os.fstat(self._file.fd).st_size:
            return ()
        self.expect_nothing()  # it may be writing just now
        dumps = read_dumps(os.pread(self._file.fd, MOST_BYTES, 0))
        os.ftruncate(self._file.fd, 0)
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        found = next((dump.stacks for dump in reversed(dumps) if dump.timeout), ())
        named = (stack._replace(name=names.get(stack.ident, "")) for stack in found)
        return tuple(sorted(named, key=_own_last))

    def close(self) -> None:
        """Disarm, and remove the file."""
        self.expect_nothing()
        if _ours:
            give_up()
            _disable()
        faulthandler.unregister(signal.SIGTERM)
        with contextlib.suppress(OSError):
            unlink(self._file.path)
        self._file.close()

    def leave(self) -> None:
        """Let go of the file: the next one takes its place."""
        self._file.close()


def give_up() -> None:
    """Leave `faulthandler` alone from now on: the application has armed it itself."""
    global _ours  # noqa: PLW0603 -- as above
    _ours = False


def _own_last(stack: Stack) -> tuple[bool, bool]:
    """The main thread first, and the one that looks last."""
    return threading.get_ident() == stack.ident, stack.ident != threading.main_thread().ident
