"""Errors that nobody caught: of the interpreter, of threads, of destructors, of multiprocessing children.

Each is logged on ``visigate.uncaught``; the hook that was there before is called afterwards. KeyboardInterrupt and
SystemExit are no errors. What asyncio has to say arrives through its own logger.
"""

import functools
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

__all__ = ["install_hooks", "uninstall_hooks"]

_log = logging.getLogger("visigate.uncaught")
_NO_ERRORS = (KeyboardInterrupt, SystemExit)

Prepare = Callable[[], object]


class _Hooks:
    """What was there before our hooks were put in its place."""

    def __init__(self, prepare: Prepare | None) -> None:
        from multiprocessing.process import BaseProcess

        self.prepare = prepare
        self.active = True
        self.excepthook = sys.excepthook
        self.threading_excepthook = threading.excepthook
        self.unraisablehook = sys.unraisablehook
        self.start = BaseProcess.start


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
    sys.excepthook = functools.partial(_uncaught, hooks)
    threading.excepthook = functools.partial(_uncaught_in_thread, hooks)
    sys.unraisablehook = functools.partial(_unraisable, hooks)
    BaseProcess.start = functools.partialmethod(_start, hooks)  # type: ignore[assignment]  # a method as any other


def uninstall_hooks() -> None:
    """Put back what was there before; where somebody has put a hook over ours, ours becomes silent."""
    global _installed
    if _installed is None:
        return
    from multiprocessing.process import BaseProcess

    hooks, _installed = _installed, None
    hooks.active = False
    if _is_ours(sys.excepthook, hooks):
        sys.excepthook = hooks.excepthook
    if _is_ours(threading.excepthook, hooks):
        threading.excepthook = hooks.threading_excepthook
    if _is_ours(sys.unraisablehook, hooks):
        sys.unraisablehook = hooks.unraisablehook
    if _is_ours(BaseProcess.__dict__["start"], hooks):
        BaseProcess.start = hooks.start  # type: ignore[method-assign]  # as it was


def _is_ours(hook: Any, hooks: _Hooks) -> bool:
    return isinstance(hook, functools.partial | functools.partialmethod) and hooks in hook.args


def _uncaught(
    hooks: _Hooks, kind: type[BaseException], value: BaseException, traceback: TracebackType | None
) -> None:
    try:
        if hooks.active and not issubclass(kind, _NO_ERRORS):
            _log.critical("uncaught exception ends the process", exc_info=(kind, value, traceback))
    finally:
        hooks.excepthook(kind, value, traceback)


def _uncaught_in_thread(hooks: _Hooks, args: threading.ExceptHookArgs) -> None:
    try:
        if hooks.active and args.exc_value is not None and not issubclass(args.exc_type, _NO_ERRORS):
            name = args.thread.name if args.thread is not None else "that is gone"
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            _log.critical("uncaught exception ends thread %s", name, exc_info=info)
    finally:
        hooks.threading_excepthook(args)


def _unraisable(hooks: _Hooks, args: "sys.UnraisableHookArgs") -> None:
    try:
        if hooks.active and args.exc_value is not None and not issubclass(args.exc_type, _NO_ERRORS):
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            # The object may be half destroyed: only its type is asked.
            _log.error("%s in %s", args.err_msg or "exception ignored", type(args.object).__name__, exc_info=info)
    finally:
        hooks.unraisablehook(args)


def _start(process: "BaseProcess", hooks: _Hooks) -> None:
    """Start a child that logs what ends it; forked or not, it runs what its object has under ``run``."""
    if not hooks.active:
        hooks.start(process)
        return
    process.run = functools.partial(_run, process, hooks.prepare)  # type: ignore[method-assign]  # for the child
    try:
        hooks.start(process)
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
