"""Tells of the processes that ended without a word: an error where it is known why, else an event."""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import IncidentError, ProcessCrashedError, ProcessHungError, ProcessKilledError
from visigate_logging.host.clock import boot_id, monotonic, utc_text
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle import exit_causes
from visigate_logging.lifecycle.dumps import MOST_BYTES, read_dumps
from visigate_logging.lifecycle.ends import End, Known, ended, told_of
from visigate_logging.lifecycle.processes import Gone, gone, pid_namespace
from visigate_logging.lifecycle.telling import Origin, is_told, tell

MOST_AT_ONCE = 20
"""Ends that are looked into at a look."""
_KINDS: Mapping[str, tuple[type[IncidentError], int]] = {
    "crash": (ProcessCrashedError, logging.CRITICAL),
    "killed": (ProcessKilledError, logging.ERROR),
    "hang": (ProcessHungError, logging.ERROR),
}
_SHOWN = ("memory", "rss", "path", "hash")


class PostMortem:
    """Looks for processes that have ended, and tells how.

    Args:
        directory: their state directory.
        timeline: of the host.
    """

    def __init__(self, directory: Path, timeline: Timeline) -> None:
        self._directory = directory
        self._timeline = timeline
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Forget the thread that asks: it is the parent's."""
        self._asking: threading.Thread | None = None

    def look(self, *, is_first: bool) -> None:
        """Take up all that have ended since the last look.

        Args:
            is_first: whether this process has just begun: they may have ended long ago.
        """
        waiting: list[Gone] = []
        told = 0
        with contextlib.suppress(OSError):
            for one in gone(self._directory):
                if self._is_of_no_interest(one) or self._timeline.names(one.path.stem):
                    one.forget()
                    continue
                if not self._settled(one, is_first=is_first):
                    waiting.append(one)
                told += 1
                if told == MOST_AT_ONCE:
                    break
        if waiting:
            self._ask_systemd(waiting, is_first=is_first)

    def _is_of_no_interest(self, one: Gone) -> bool:
        """Return whether a process said goodbye, is not gone at all, or is of a version that said no goodbye."""
        facts = one.facts
        if "ticks" not in facts or self._lives(facts):
            return True
        ended_well = facts.get("said_goodbye") or facts["boot_id"] != boot_id()
        return bool(ended_well) and not any(dump.fatal for dump in read_dumps(_dump_of(one)[0]))

    def _lives(self, facts: Mapping[str, Any]) -> bool:
        is_here = facts.get("namespace") in (None, pid_namespace())
        return is_here and exit_causes.lives(facts["pid"], facts["ticks"])

    def _settled(self, one: Gone, *, is_first: bool) -> bool:
        """Tell of one, unless systemd is to be asked first, which takes time."""
        known = self._known(one)
        end = ended(known)
        if end.event == "vanished" and one.facts.get("invocation") and not self._is_asking():
            return False
        self._tell(one, known, end, is_first=is_first)
        return True

    def _is_asking(self) -> bool:
        return self._asking is not None and self._asking.is_alive()

    def _ask_systemd(self, waiting: list[Gone], *, is_first: bool) -> None:
        def ask() -> None:
            for one in waiting:
                known = self._known(one, exit_causes.service_result(str(one.facts.get("invocation"))))
                self._tell(one, known, ended(known), is_first=is_first)

        self._asking = threading.Thread(target=ask, name="visigate-systemd", daemon=True)
        self._asking.start()

    def _known(self, one: Gone, service: exit_causes.Service = exit_causes.NOTHING) -> Known:
        facts = one.facts
        dump, dumped = _dump_of(one)
        ended_at = facts["monotonic"] + max(0.0, dumped - one.last_told) if dump else facts["monotonic"]
        pid, ticks = facts["pid"], facts["ticks"]
        space = facts.get("namespace") or pid_namespace()  # a container's 812 is another than the host's
        kernel = ""
        if facts["boot_id"] == boot_id() and space == exit_causes.FIRST_NAMESPACE:
            kernel = exit_causes.kernel_says(pid, facts["started"])
        is_here = space == pid_namespace()
        kills = exit_causes.oom_kills(facts.get("cgroup") or "")
        return Known(
            facts=facts,
            dumps=read_dumps(dump),
            kernel=kernel,
            group_kills=(kills or 0) - (facts.get("oom_kills") or 0) if kills is not None else 0,
            status=exit_causes.exit_status(pid, ticks) if is_here else None,
            service=service,
            lasted=ended_at - facts["started"],
        )

    def _tell(self, one: Gone, known: Known, end: End, *, is_first: bool) -> None:
        facts = one.facts
        seconds = facts["started"] + known.lasted
        is_exact = bool(known.dumps)
        if facts["boot_id"] != boot_id():
            at = one.last_told if not is_exact else _dump_of(one)[1]
        else:
            if not is_exact and known.service.at:
                seconds = monotonic() - (time.time() - known.service.at)
            elif not is_exact and not is_first:  # it was there at the last look
                seconds = monotonic()
            at = time.time() - (monotonic() - seconds)
        text = f"{told_of(facts)} {end.text}"
        origin = _origin(one, at, seconds)
        # This process may end at any moment: record and event have the name of its file, so that the next knows.
        if end.is_error and not is_told(one.path.stem):
            kind, level = _KINDS[end.event]
            tell(f"visigate.{end.event}", level, kind, text, origin, end.stacks)
        with contextlib.suppress(OSError):
            told = {"time": utc_text(at, "milliseconds"), "monotonic": round(seconds, 3), "boot_id": facts["boot_id"]}
            about = {"of_pid": facts["pid"], "of_process": one.path.stem}
            about |= {"service": facts.get("service") or "", "is_error": end.is_error}
            self._timeline.append(end.event, text, **told, **about)
        one.forget()


def _dump_of(one: Gone) -> tuple[bytes, float]:
    """Return the stacks that a process has left, and when; seconds since 1970."""
    with contextlib.suppress(OSError), one.dump_path.open("rb") as file:
        content = file.read(MOST_BYTES)
        return content, one.dump_path.stat().st_mtime
    return b"", 0.0


def _origin(one: Gone, at: float, seconds: float) -> Origin:
    facts = one.facts
    shown = {name: facts[name] for name in _SHOWN if facts.get(name)} | {"process": one.path.stem}
    return Origin(
        name=str(facts.get("name") or ""),
        pid=facts["pid"],
        at=at,
        boot_id=facts["boot_id"],
        monotonic=round(seconds, 6),
        service=str(facts.get("service") or ""),
        release=str(facts.get("release") or ""),
        more={"ended": shown},
    )
