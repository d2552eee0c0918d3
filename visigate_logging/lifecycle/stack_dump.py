"""Where the interpreter leaves the stacks of all threads when native code ends it, or somebody else does."""

import contextlib
import faulthandler
import os
import signal
import threading
from pathlib import Path

from visigate_logging.host.forks import ForkAware, watch_forks
from visigate_logging.lifecycle.dumps import MOST_BYTES, Stack, read_dumps
from visigate_logging.lifecycle.locked_file import LockedFile

# As they are before anything of ours stands in their place.
_enable, _disable = faulthandler.enable, faulthandler.disable
_ours = False
_PATIENCE = 1.0


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
        self._file = LockedFile(path, os.O_APPEND)
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
            _timer.start(seconds, self._file.fd)

    def expect_nothing(self) -> None:
        """Have no stacks left any more."""
        _timer.stop()

    def take_timeout(self) -> tuple[Stack, ...]:
        """Return the stacks that were left since the last time, and begin the file anew."""
        if not _timer.is_on or not self._file.size:
            return ()
        self.expect_nothing()  # it may be writing just now
        dumps = read_dumps(self._file.take(MOST_BYTES))
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        found = next((dump.stacks for dump in reversed(dumps) if dump.timeout), ())
        named = (stack._replace(name=names.get(stack.ident, "")) for stack in found)
        return tuple(sorted(named, key=_own_last))

    def close(self) -> None:
        """Disarm, and remove the file."""
        self.leave(remove=True)

    def leave(self, *, remove: bool = False) -> None:
        """Disarm, and let go of the file: another takes its place, or its descriptor is somebody else's by now.

        Args:
            remove: remove it.
        """
        self.expect_nothing()
        if _ours:
            give_up()
            _disable()
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # else it undoes what the application set
            faulthandler.unregister(signal.SIGTERM)
        with contextlib.suppress(OSError):
            self._file.close(remove=remove)


class _Timer(ForkAware):
    """The interpreter's one timer, which belongs to a process.

    A child that was forked while it ran waits for ever when it touches it, with the interpreter's lock: it is for the
    end of a thread that the child has not. So it is stopped over each fork; over one that Python does not see it
    cannot be, and the child then lets it be.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pid = 0
        watch_forks(self)

    @property
    def is_on(self) -> bool:
        """Whether this process has started it."""
        return self._pid == os.getpid()

    def start(self, seconds: float, fd: int) -> None:
        """Start it, or start it anew."""
        with self._lock:
            if self._pid in (0, os.getpid()):
                faulthandler.dump_traceback_later(seconds, file=fd)
                self._pid = os.getpid()

    def stop(self) -> None:
        """Stop it."""
        with self._lock:
            if self.is_on:
                faulthandler.cancel_dump_traceback_later()
                self._pid = 0

    def before_fork(self) -> None:
        """Stop it, and let nobody start it meanwhile."""
        if self._lock.acquire(timeout=_PATIENCE):  # who stops it just now may wait for the disk, and no fork for him
            self.stop()

    def after_fork_in_parent(self) -> None:
        """Let it be started again."""
        with contextlib.suppress(RuntimeError):  # it had not been got in time
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin with a lock that nobody holds."""
        self._lock = threading.RLock()


_timer = _Timer()


def give_up() -> None:
    """Leave `faulthandler` alone from now on: the application has armed it itself."""
    global _ours  # noqa: PLW0603 -- as above
    _ours = False


def _own_last(stack: Stack) -> tuple[bool, bool]:
    """Sort the main thread first, and the one that looks last."""
    return threading.get_ident() == stack.ident, stack.ident != threading.main_thread().ident
