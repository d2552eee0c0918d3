"""The life of this process: seen by others while it lasts, and a look at those that have ended."""

import atexit
import contextlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from visigate_logging.host.clock import monotonic, utc_text
from visigate_logging.host.forks import ForkAware, watch_forks
from visigate_logging.host.timeline import Timeline
from visigate_logging.host.upkeep import Task
from visigate_logging.lifecycle.changes import Changes
from visigate_logging.lifecycle.ends import told_of
from visigate_logging.lifecycle.exit_causes import control_group, memory, oom_kills
from visigate_logging.lifecycle.incidents import tell_of_absences, tell_of_hang
from visigate_logging.lifecycle.post_mortem import PostMortem
from visigate_logging.lifecycle.power import Power
from visigate_logging.lifecycle.presence import Presence
from visigate_logging.lifecycle.processes import DUMP
from visigate_logging.lifecycle.stack_dump import StackDump
from visigate_logging.lifecycle.watchdog import Hang, Watchdog

LOOK_EVERY = 1.0
"""Seconds between two looks at this process's own descriptors."""
TELL_EVERY = 60.0
"""Seconds between two samples that others see, and that wear the card; 10 when memory is short."""
OTHERS_EVERY = 5.0
"""Seconds between two looks at other processes."""
STARTED_AFTER = 10.0
"""Seconds that a process has to live for its start to be an event: a command that is over soon is none."""
SHORT = 0.85
MOST_SAMPLES = 6

_life: "Life | None" = None


class Life(ForkAware):
    """Lets other processes see this one, and tells of those that ended without a word.

    Args:
        directory: a state directory; made when absent.
    """

    def __init__(self, directory: Path) -> None:
        self.presence = Presence(directory)
        self.timeline = Timeline(directory)
        self._inquest = PostMortem(directory, self.timeline)
        self._power = Power(directory)
        self._changes = Changes(directory, self.timeline)
        self._watchdog: Watchdog | None = None
        self._rearmed = 0.0
        self._dump: StackDump | None = None
        self._is_armed = False
        self._is_over = False
        self._group = control_group()
        self._samples: list[float] = []
        self._begin_afresh()
        self._task = Task("Looking after processes", self._look, close=self.leave)
        watch_forks(self)
        atexit.register(self.leave)

    def _begin_afresh(self) -> None:
        self._arming = threading.Lock()
        self._told = self._looked = -TELL_EVERY
        self._started: float | None = monotonic()

    def tell(self, **facts: Any) -> None:
        """Change what others see of the process."""
        self.presence.tell(**facts)
        self._task.wake()

    def arm(self) -> None:
        """Have the interpreter leave the stacks of all threads when native code ends it."""
        self.presence.tell()
        with self._arming:
            self._is_armed = True
            self._arm()
        self._task.wake()

    def disarm(self) -> None:
        """Have it do so no more."""
        with self._arming:
            self._is_armed = False
            if self._dump is not None:
                self._dump.close()
                self._dump = None

    def leave(self) -> None:
        """Say goodbye; the process ends in an orderly way."""
        self._is_over = True
        self._task.stop(2.0)
        if self._dump is not None:
            self._dump.expect_nothing()
        self.presence.leave(keep=self._dump is not None)

    def leave_with(self, status: int) -> None:
        """Say goodbye in the last moment: nothing may be waited for.

        Args:
            status: what the process exits with.
        """
        if status and not self._is_over:
            with contextlib.suppress(OSError):
                text = f"{self.presence.facts['name']} (pid {os.getpid()}) left at once with exit code {status}"
                self.timeline.append("exit", f"{text} (os._exit)", is_error=False)
        self._is_over = True
        self.presence.leave()

    def close(self) -> None:
        """Begin no more to look after anything: another takes the place of this."""
        atexit.unregister(self.leave)
        self.disarm()
        self.leave()

    def after_fork_in_child(self) -> None:
        """Begin a life of the child's own."""
        if self._is_over:
            return
        self._begin_afresh()
        # Its parent looks; one of many that live for a moment needs not look itself.
        self._looked = monotonic()
        self._told = self._looked - TELL_EVERY + OTHERS_EVERY
        self._inquest.after_fork_in_child()
        self.presence.after_fork_in_child()
        if self._dump is not None:  # what is in the file is the parent's
            self._dump.leave()
            self._dump = None
            self._arm()
        self._task.wake()

    def _arm(self) -> None:
        """Have the stacks left beside what others see, and nowhere else."""
        path = self.presence.path
        if path is None or self._is_over:
            return
        if self._dump is not None:
            if self._dump.is_held:
                return
            self._dump.leave()  # first: no crash may be written into a file that has the number now
            self._dump = None
        with contextlib.suppress(OSError):
            self._dump = StackDump(path.with_suffix(DUMP))

    def _look(self) -> float:
        now = monotonic()
        if not self.presence.is_seen:
            self.presence.tell()
        with self._arming:
            if self._is_armed:
                self._arm()
        if self._started is not None and now - self._started >= STARTED_AFTER:
            self._tell_of_start(now - self._started)
        if now - self._told >= (TELL_EVERY if not self._is_short() else TELL_EVERY / 6):
            self._told = now
            self._sample()
        if self._watchdog is not None:
            self._watch(self._watchdog, now)
        if now - self._looked >= OTHERS_EVERY:
            self._look_at_host()
            self._looked = now
        return LOOK_EVERY

    def _look_at_host(self) -> None:
        with contextlib.suppress(OSError):  # the card: its handlers say so
            absences = self._power.look()
            if absences is not None:
                tell_of_absences(absences, self.timeline, self.presence.facts)
                if absences:
                    self._power.told(absences)
                self._inquest.look(is_first=self._looked < 0)
            self._changes.look(self.presence.facts)

    def watch(self, limit: float) -> None:
        """Tell of loops that do not beat any more.

        Args:
            limit: seconds without a beat; 0 for no watch.
        """
        self._watchdog = Watchdog(limit, self._tell_of_hang) if limit else None
        self._task.wake()

    def _watch(self, watchdog: Watchdog, now: float) -> None:
        if self._dump is not None and (held := self._dump.take_timeout()):
            self._tell_of_hang(Hang("the interpreter", watchdog.limit, held))
        beats = watchdog.look()
        if beats and self._dump is not None and now - self._rearmed >= min(watchdog.limit / 4, OTHERS_EVERY):
            self._rearmed = now
            self._dump.expect_within(watchdog.limit + 2 * LOOK_EVERY)

    def _tell_of_hang(self, hang: Hang) -> None:
        tell_of_hang(hang, self.timeline, self.presence.facts)
        self.presence.tell(hung=bool(hang.stacks))

    def _is_short(self) -> bool:
        return bool(self._samples) and self._samples[-1] >= SHORT

    def _sample(self) -> None:
        found = memory(self._group)
        if found is not None:
            self._samples = [*self._samples[1 - MOST_SAMPLES :], found.used]
        self.presence.tell(
            memory=self._samples,
            rss=found.own if found else None,
            cgroup=self._group,
            oom_kills=oom_kills(self._group),
            invocation=os.environ.get("INVOCATION_ID", ""),
            threads={str(t.ident): t.name for t in threading.enumerate()},
        )

    def _tell_of_start(self, ago: float) -> None:
        self._started = None
        facts = self.presence.facts
        with contextlib.suppress(OSError):
            self.timeline.append(
                "start",
                f"{told_of({**facts, 'pid': os.getpid()})} started",
                time=utc_text(time.time() - ago, "milliseconds"),
                monotonic=round(monotonic() - ago, 3),
                service=facts.get("service") or "",
            )


def life() -> Life | None:
    """Return the life of this process, if anybody can see it."""
    return _life


def begin(directory: Path | None) -> Life | None:
    """Let other processes see this one in a state directory, and no more in another; None: nowhere."""
    global _life  # noqa: PLW0603 -- a process has one
    if _life is not None and _life.presence.directory != directory:
        _life.close()
        _life = None
    if _life is None and directory is not None:
        _life = Life(directory)
    return _life


def state_directory() -> Path | None:
    """Return where the handlers that are attached to loggers now keep what the processes of the host share."""
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in known:
        for handler in getattr(logger, "handlers", ()):
            if directory := getattr(handler, "state_dir", None):
                return Path(directory)
    return None
