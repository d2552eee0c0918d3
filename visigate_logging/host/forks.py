"""What must happen to locks and connections when the process forks."""

import os
import threading
import weakref

__all__ = ["ForkAware", "watch_forks"]


class ForkAware:
    """Something that holds what a fork must not copy; to be announced with `watch_forks`."""

    def before_fork(self) -> None:
        """In the parent, before; must not wait long."""

    def after_fork_in_parent(self) -> None:
        """In the parent, afterwards."""

    def after_fork_in_child(self) -> None:
        """In the child, before anything else runs there."""


_watched: "weakref.WeakSet[ForkAware]" = weakref.WeakSet()
_forking = threading.local()  # two threads may fork at once


def watch_forks(thing: ForkAware) -> None:
    """Tell ``thing`` of every ``os.fork`` as long as it lives; it is held weakly."""
    _watched.add(thing)


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
    for thing in _forking.things:
        thing.after_fork_in_child()
    _forking.things = []


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
