"""What must happen to locks, threads and connections when the process forks, seen by Python or not."""

import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["ForkAware", "in_forked_child", "must_stay_alone", "notice_fork", "process_lives", "watch_forks"]


class ForkAware:
    """Something that holds what a fork must not copy; to be announced with `watch_forks`."""

    def before_fork(self) -> None:
        """In the parent, before; must not wait long. It does not run before a fork that Python does not see."""

    def after_fork_in_parent(self) -> None:
        """In the parent, afterwards; likewise."""

    def after_fork_in_child(self) -> None:
        """In the child, before anything else of ours runs there."""


_watched: "weakref.WeakSet[ForkAware]" = weakref.WeakSet()
_in_child: list[Callable[[], object]] = []
_forking = threading.local()  # two threads may fork at once
_noticing = threading.RLock()
_PATIENCE = 1.0
_pid = os.getpid()


def watch_forks(thing: ForkAware) -> None:
    """Tell ``thing`` of every fork as long as it lives; it is held weakly."""
    _watched.add(thing)


def in_forked_child(act: Callable[[], object]) -> None:
    """Call ``act``, for good, in each forked child."""
    _in_child.append(act)


def notice_fork() -> None:
    """Tell of a fork that Python did not see, in its child: C code may fork without calling Python's hooks.

    uWSGI does, unless it is given ``--py-call-uwsgi-fork-hooks``. Whoever hands work to a thread calls this first; it
    costs one ``getpid``.
    """
    if os.getpid() != _pid:
        # Another thread of the child may be at it; one of the parent that was is not here to let go.
        held = _noticing.acquire(timeout=_PATIENCE)
        try:
            if os.getpid() != _pid:
                _begin_as_child()
        finally:
            if held:
                _noticing.release()


def must_stay_alone() -> bool:
    """Whether a thread in this process could stop its children for good: it is uWSGI's master.

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
    def hook() -> None:
        notice_fork()
        if before is not None:
            before()

    hook.notices_fork = True  # type: ignore[attr-defined] # so that it is put there once
    return hook


def process_lives(pid: int) -> bool:
    """Whether there is a process of that number; it may be used again by another."""
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
    if _is_alone():
        import ctypes

        ctypes.pythonapi.PyOS_AfterFork_Child()
    if os.getpid() != _pid:
        _after_in_child()


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
    _forking.things = _all()
    for thing in _forking.things:
        thing.before_fork()


def _after_in_parent() -> None:
    for thing in _forking.things:
        thing.after_fork_in_parent()
    _forking.things = []


def _after_in_child() -> None:
    global _pid  # noqa: PLW0603 -- which process the module's state belongs to
    _pid = os.getpid()
    for thing in getattr(_forking, "things", None) or _all():
        thing.after_fork_in_child()
    _forking.things = []
    for act in _in_child:
        act()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
