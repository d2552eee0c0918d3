"""Errors that nobody caught: of the interpreter, of threads, of destructors, of multiprocessing children.

Each is logged on ``visigate.uncaught``; the hook that was there before is called afterwards. SystemExit is no error,
and KeyboardInterrupt one only where it ends a thread. What asyncio has to say arrives through its own logger. What
native code ends is told by the next process of the host that looks, see ``lifecycle``.
"""

import faulthandler
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visigate_logging.lifecycle.life import begin, life, state_directory
from visigate_logging.lifecycle.stack_dump import give_up

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_log = logging.getLogger("visigate.uncaught")
_NO_ERRORS = (KeyboardInterrupt, SystemExit)

Prepare = Callable[[], object]


class _Hooks:
    """Our hooks, and what was there before them."""

    def __init__(self, prepare: Prepare | None) -> None:
        self.prepare = prepare
        self.active = True
        self._places: list[tuple[Any, str, Any, Any]] = []

    def put(self, owner: Any, name: str, hook: Callable[..., None], wrap: Callable[..., Any]) -> None:
        """Put a hook in a place; it gets this object and what was there before as its first arguments."""
        before = vars(owner)[name]
        ours = wrap(hook, self, before)
        self._places.append((owner, name, before, ours))
        setattr(owner, name, ours)

    def take_away(self) -> None:
        """Put back what was there; where somebody has put a hook over ours, ours becomes silent."""
        self.active = False
        for owner, name, before, ours in self._places:
            if vars(owner)[name] is ours:
                setattr(owner, name, before)


_installed: _Hooks | None = None


def install_hooks(prepare_child: Prepare | None = None) -> None:
    """Log what nobody caught. Calling it again changes only what is given.

    Args:
        prepare_child: called first in multiprocessing children that were not forked and so know no
            configuration; it must be picklable. :func:`visigate_logging.configure` gives itself.
    """
    global _installed  # noqa: PLW0603 -- the interpreter has one set of hooks
    if _installed is not None:
        _installed.prepare = prepare_child or _installed.prepare
        return
    from multiprocessing.process import BaseProcess

    hooks = _installed = _Hooks(prepare_child)
    hooks.put(sys, "excepthook", _uncaught, functools.partial)
    hooks.put(threading, "excepthook", _uncaught_in_thread, functools.partial)
    hooks.put(sys, "unraisablehook", _unraisable, functools.partial)
    hooks.put(BaseProcess, "start", _start, functools.partialmethod)
    hooks.put(os, "_exit", _exit_at_once, functools.partial)
    hooks.put(os, "execv", _execute, functools.partial)
    hooks.put(os, "execve", _execute, functools.partial)
    hooks.put(faulthandler, "enable", _arm_faulthandler, functools.partial)
    alive = life() or begin(state_directory())
    if alive is not None:
        alive.arm()


def uninstall_hooks() -> None:
    """Put back what was there before; where somebody has put a hook over ours, ours becomes silent."""
    global _installed
    hooks, _installed = _installed, None
    if hooks is not None:
        hooks.take_away()
        if alive := life():
            alive.disarm()


def _uncaught(
    hooks: _Hooks,
    before: Callable[..., Any],
    kind: type[BaseException],
    value: BaseException,
    traceback: TracebackType | None,
) -> None:
    try:
        if hooks.active and not issubclass(kind, _NO_ERRORS):
            _log.critical("uncaught exception ends the process", exc_info=(kind, value, traceback))
    finally:
        before(kind, value, traceback)


def _uncaught_in_thread(hooks: _Hooks, before: Callable[..., Any], args: threading.ExceptHookArgs) -> None:
    try:
        # Ctrl-C comes to the main thread alone: another one that ends by its exception has lost its work.
        if hooks.active and args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            name = args.thread.name if args.thread is not None else "that is gone"
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            _log.critical("uncaught exception ends thread %s", name, exc_info=info)
    finally:
        before(args)


def _unraisable(hooks: _Hooks, before: Callable[..., Any], args: "sys.UnraisableHookArgs") -> None:
    try:
        if hooks.active and args.exc_value is not None and not issubclass(args.exc_type, _NO_ERRORS):
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            # The object may be half destroyed: only its type is asked.
            _log.error("%s in %s", args.err_msg or "exception ignored", type(args.object).__name__, exc_info=info)
    finally:
        before(args)


def _start(process: "BaseProcess", hooks: _Hooks, before: Callable[..., Any]) -> None:
    """Start a child that logs what ends it; forked or not, it runs what its object has under ``run``."""
    if not hooks.active:
        before(process)
        return
    process.run = functools.partial(_run, process, hooks.prepare)  # type: ignore[method-assign]  # for the child
    try:
        before(process)
    finally:
        del process.run


def _run(process: "BaseProcess", prepare: Prepare | None) -> None:
    del process.run
    if prepare is not None and _installed is None:  # not forked
        try:
            prepare()
        except Exception:
            _log.exception("%s could not be prepared", process.name)
    try:
        process.run()
    except _NO_ERRORS:
        raise
    except BaseException:
        _log.critical("uncaught exception ends process %s", process.name, exc_info=True)
        raise


def _exit_at_once(hooks: _Hooks, before: Callable[[int], Any], status: int) -> None:
    """Say goodbye before a process leaves without any of Python's ends, as a forked child does."""
    try:
        if hooks.active and (alive := life()):
            alive.leave_with(status)
    finally:
        before(status)


def _execute(hooks: _Hooks, before: Callable[..., Any], *args: Any) -> None:
    """Say goodbye before another program takes the place of this one."""
    alive = life() if hooks.active else None
    if alive is not None:
        alive.presence.leave()
    try:
        before(*args)
    finally:  # it did not come
        if alive is not None:
            alive.presence.go_on()


def _arm_faulthandler(_hooks: _Hooks, before: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Let an application have faulthandler for itself."""
    give_up()
    before(*args, **kwargs)
