"""What must happen to locks, threads and connections when the process forks, seen by Python or not."""

import _imp
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any


class ForkAware:
    """Something that holds what a fork must not copy; to be announced with `watch_forks`."""

    def before_fork(self) -> None:
        """Get ready, in the parent, without a long wait; not called before a fork that Python does not see."""

    def after_fork_in_parent(self) -> None:
        """Go on, in the parent, without a long wait; nor is this called then."""

    def after_fork_in_child(self) -> None:
        """Begin anew in the child, before anything else of ours runs there."""


_watched: "weakref.WeakSet[ForkAware]" = weakref.WeakSet()
_in_child: list[Callable[[], object]] = []
_at_last: list[Callable[[], object]] = []
_begins = False
_in_fork: set[int] = set()
"""Numbers of threads that fork."""
_forking = threading.local()  # two threads may fork at once
_noticing = threading.RLock()
_PATIENCE = 1.0
_LOOK_EVERY = 0.001
_pid = os.getpid()


def watch_forks(thing: ForkAware) -> None:
    """Tell ``thing`` of every fork as long as it lives; it is held weakly."""
    _watched.add(thing)


def in_forked_child(act: Callable[[], object]) -> None:
    """Call ``act``, for good, in each forked child, before anything that is watched."""
    _in_child.append(act)


def at_last_in_forked_child(act: Callable[[], object]) -> None:
    """Call ``act``, for good, in each forked child, when all else has begun anew; until then `begins_anew`."""
    _at_last.append(act)


def begins_anew() -> bool:
    """Return whether this is a forked child in which not all has begun anew: no thread may start that uses it."""
    return _begins


def notice_fork(pid: int | None = None) -> None:
    """Tell of a fork that Python did not see, in its child: C code may fork without calling Python's hooks.

    uWSGI does, unless it is given ``--py-call-uwsgi-fork-hooks``. Whoever hands work to a thread calls this first; it
    costs one ``getpid``.

    Args:
        pid: of the process where that has just been asked, as for a log record; default, it is asked here.
    """
    if (pid or os.getpid()) != _pid:
        # Another thread of the child may be at it; one of the parent that was is not here to let go.
        held = _noticing.acquire(timeout=_PATIENCE)
        try:
            if os.getpid() != _pid:
                _begin_as_child()
        finally:
            if held:
                _noticing.release()


def must_stay_alone() -> bool:
    """Return whether a thread in this process could stop its children for good: it is uWSGI's master.

    That forks without the interpreter's lock, and its child waits for the lock before any Python code runs there: for
    ever, if a thread had it at that moment. The workers are told, once they run, by uWSGI's ``post_fork_hook``.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None or uwsgi.masterpid() != os.getpid():
        return False
    before = getattr(uwsgi, "post_fork_hook", None)
    if before is None or not hasattr(before, "notices_fork"):
        uwsgi.post_fork_hook = _noticing_after(before)
    return True


def _noticing_after(before: Callable[[], object] | None) -> Callable[[], None]:
    import signal

    def hook() -> None:
        # A KeyboardInterrupt uWSGI would print and forget, and its master wait long for the worker. From here on
        # SIGINT ends it; uWSGI's own handler comes after this.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        notice_fork()
        if before is not None:
            before()

    hook.notices_fork = True  # type: ignore[attr-defined]  # so that it is put there once
    return hook


def process_lives(pid: int) -> bool:
    """Return whether there is a process of that number; it may be used again by another."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _begin_as_child() -> None:
    """Do what the code that forked has left out.

    As long as there is no other thread, all of it: without that the interpreter's own locks may for ever be held by
    threads that are the parent's, and new threads then hang
    (https://docs.python.org/3/c-api/sys.html#c.PyOS_AfterFork_Child). It calls the hooks, ours among them.
    """
    if _is_alone() and _has_import_lock():
        import ctypes

        ctypes.pythonapi.PyOS_AfterFork_Child()
    if os.getpid() != _pid:
        _after_in_child()


def _has_import_lock() -> bool:
    """Take the import lock as a fork that Python sees does; False where a thread of the parent's has it for ever.

    Python 3.13 ends the process when it is to let go of what it has not (_PyImport_ReleaseLock).
    """
    if sys.version_info >= (3, 13):
        if _imp.lock_held():
            return False
        _imp.acquire_lock()
    return True


def _is_alone() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:  # no Linux: nothing else tells of threads that C code has started
        return False


def _all() -> list[ForkAware]:
    while True:
        try:
            return list(_watched)
        except RuntimeError:  # another thread has added one meanwhile
            continue


def _before() -> None:
    _in_fork.add(threading.get_ident())
    _forking.things = _all()
    for thing in _forking.things:
        _undisturbed(thing.before_fork)


def _after_in_parent() -> None:
    for thing in _forking.things:
        _undisturbed(thing.after_fork_in_parent)
    _forking.things = []
    _in_fork.discard(threading.get_ident())


def _undisturbed(act: Callable[[], None]) -> None:
    """Call ``act``, again when a signal handler has interrupted it; what that has raised is raised after the fork.

    From here nothing gets out: a hook's exception is printed and forgotten
    (https://docs.python.org/3/c-api/exceptions.html#c.PyErr_WriteUnraisable), an exit by SIGTERM too.
    """
    try:
        act()
    except Exception:
        raise
    except BaseException as error:
        _raise_later(error)
        act()


def _raise_later(error: BaseException) -> None:
    import _thread
    import ctypes

    thread, kind = threading.get_ident(), type(error)
    # A class can be raised in another thread, and no object: the class has what the object was made of.
    again = type(kind.__name__, (kind,), {"__init__": lambda self: kind.__init__(self, *error.args)})

    def raise_there() -> None:
        while thread in _in_fork or _is_in_hook(sys._current_frames().get(thread)):
            time.sleep(_LOOK_EVERY)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(again))

    _thread.start_new_thread(raise_there, ())


def _is_in_hook(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _after_in_parent.__code__:
        frame = frame.f_back
    return frame is not None


def _after_in_child() -> None:
    global _pid, _begins  # noqa: PLW0603 -- which process the module's state belongs to
    _pid = os.getpid()
    _begins = True
    try:
        for act in _in_child:
            act()
        for thing in getattr(_forking, "things", None) or _all():
            thing.after_fork_in_child()
    finally:
        _forking.things = []
        _begins = False
    for act in _at_last:
        act()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
