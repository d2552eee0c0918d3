"""Apply changes of the configuration file while the process runs."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from visigate_logging.config.confirm import before_abandoned, put_back
from visigate_logging.config.reports import report
from visigate_logging.host.forks import at_last_in_forked_child
from visigate_logging.host.upkeep import Task

LOOK_EVERY = 0.5
"""Seconds between two looks at the file; a change is applied when two looks have seen the same."""


class Watch:
    """Looks at a file, by content, and tells of each content that is new and has come to rest.

    Editors write in many ways: into the file, or into another that then takes its name. A file that is absent, empty
    or still changes is looked at again. SIGHUP applies what is there at once.

    Args:
        path: the file.
        apply: called with it and the content that is to be applied; what it raises is logged, and watching goes on.
    """

    def __init__(self, path: Path, apply: Callable[[Path, bytes], object]) -> None:
        self.path = path
        self._known = self._seen = b""
        self._apply = apply
        self._at_once = False
        self._change: threading.Thread | None = None
        self._task = Task(f"Watching {path}", self._look, close=self.stop)
        self._task.wake()
        _listen_to_hangup()
        _watches.append(self)

    def pass_over(self, content: bytes) -> None:
        """Take a content as known: it is in effect, or is not to be."""
        self._known = content

    def stop(self) -> None:
        """Look no more; does not wait."""
        if self in _watches:
            _watches.remove(self)
        self._task.stop(0)

    def look_now(self) -> None:
        """Apply what is there, also when it is not new; for signal handlers too."""
        self._at_once = True
        self._task.wake()

    def go_on(self) -> None:
        """Look in a forked child as well."""
        self._task.wake()

    def _look(self) -> float:
        if self._change is None or not self._change.is_alive():
            at_once, self._at_once = self._at_once, False
            self._look_at_content(at_once=at_once)
        return LOOK_EVERY

    def _look_at_content(self, *, at_once: bool) -> None:
        try:
            content = before_abandoned(self.path) or self.path.read_bytes()
        except OSError:  # between two names, or the card is gone: the next look will tell
            return
        rests, self._seen = content == self._seen, content
        if at_once or (rests and content.strip() and content != self._known):
            self._known = content
            # A thread of its own: a change waits for handlers to end, and the upkeep of the others goes on meanwhile.
            self._change = threading.Thread(
                target=self._apply_and_put_back, args=(content,), name="visigate-config", daemon=True
            )
            self._change.start()
        else:
            self._put_back()

    def _apply_and_put_back(self, content: bytes) -> None:
        try:
            self._apply(self.path, content)
        except Exception:  # noqa: BLE001 -- watching goes on
            report(logging.ERROR, "%s: the change could not be applied", self.path, exc_info=True)
        self._put_back()

    def _put_back(self) -> None:
        with contextlib.suppress(OSError):  # has been said when it was applied
            put_back(self.path)


_watches: list[Watch] = []
_earlier: list[Callable[[int, FrameType | None], object]] = []


def _listen_to_hangup() -> None:
    """SIGHUP ends a process unless it is handled; whoever has handled it before is called as well."""
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGHUP)
    if before is not _hang_up:
        if callable(before):
            _earlier.append(before)
        signal.signal(signal.SIGHUP, _hang_up)


def _hang_up(number: int, frame: FrameType | None) -> None:
    for watch in _watches:
        watch.look_now()
    for handler in _earlier:
        handler(number, frame)


def _after_fork_in_child() -> None:
    for watch in _watches:
        watch.go_on()


at_last_in_forked_child(_after_fork_in_child)
