"""The state of a group: what follows from the decisions about it, and from its errors since. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from visigate_logging.triage.decisions import Decision

MUTED = "muted"
STATES = ("open", "resolved", MUTED)
DECIDES = ("resolve", "mute", "reopen")
"""Actions of which the last one makes the state."""
RANKS = {"CRITICAL": 5, "ERROR": 4, "WARNING": 3, "INFO": 2, "DEBUG": 1}
OFTEN = 2
"""A muted group becomes worse with more than so many times the errors of any day before …"""
FEWEST = 10
"""… but not with fewer than this."""
_VERSION = re.compile(r"v?(?=\d+$|\d+\.\d)(\d+(?:\.\d+)*)(.*)", re.DOTALL)
"""``12`` or ``2.4``, but not the ``9f2c1e`` of a commit."""
_BEFORE = re.compile(r"[-._]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)(?![a-z])", re.IGNORECASE)
"""With what versions go on that come before the number itself; PEP 440, semver.org."""


class Occurred(NamedTuple):
    """Errors of a group after a decision: ``n`` of one day, severity and release.

    Args:
        day: anything that tells days apart.
        severity: level name.
        release: of the application; empty when it is not known.
        n: how many.
    """

    day: object
    severity: str
    release: str
    n: int


@dataclass(frozen=True, slots=True)
class State:
    """The state of a group.

    Args:
        name: one of STATES.
        decision: the last that made a state; None when nobody has decided anything.
        since: errors since that decision.
        ended: why what was decided does not hold any more; empty while it does.
    """

    name: str = "open"
    decision: Decision | None = None
    since: int = 0
    ended: str = ""

    @property
    def regressed(self) -> bool:
        """Whether it was resolved and came back."""
        return bool(self.ended and self.decision and self.decision.action == "resolve")


OPEN = State()


def state_of(
    decisions: Iterable[Decision], occurred: Callable[[Decision], Sequence[Occurred]], now: datetime
) -> State:
    """Return the state of a group.

    Args:
        decisions: all about the group, in their order.
        occurred: what the group's errors were that came after the newest which a decision knew.
        now: aware.
    """
    decision = next((d for d in reversed(list(decisions)) if d.action in DECIDES), None)
    if decision is None:
        return OPEN
    came = occurred(decision)
    since = sum(one.n for one in came)
    if decision.action == "reopen":
        return State("open", decision, since)
    if decision.action == "resolve":
        back = any(comes_back(decision, one.release) for one in came if one.n > 0)
        return State("open", decision, since, "it came back") if back else State("resolved", decision, since)
    ended = mute_end(decision, came, now)
    return State("open" if ended else "muted", decision, since, ended)


class Replayed:
    """Decisions as they were followed when errors came, one after the other.

    Args:
        decisions: in their order.
    """

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._decisions = [d for d in decisions if d.action in DECIDES]
        self._came: dict[str, Counter[tuple[str, str]]] = {}

    def is_muted(self, key: str, time: str, severity: str) -> bool:
        """Return whether a group was muted when an error of it came, which is told to nobody then.

        Args:
            key: of the group.
            time: of the error, RFC 3339.
            severity: of the error.
        """
        when, last = datetime.fromisoformat(time), None
        for decision in self._decisions:
            if decision.key == key and datetime.fromisoformat(decision.time) <= when:
                last = decision
        if last is None or last.action != "mute":
            return False
        came = self._came.setdefault(last.id, Counter())
        came[time[:10], severity] += 1
        return not mute_end(last, [Occurred(day, worst, "", n) for (day, worst), n in came.items()], when)


def comes_back(decision: Decision, release: str) -> bool:
    """Return whether an error after a group was resolved is a regression: not if an earlier release made it."""
    wanted = decision.release
    if not wanted or release == wanted:
        return True
    ours, theirs = _version(release), _version(wanted)
    if ours and theirs:
        return ours >= theirs
    return release not in decision.releases


def _version(release: str) -> tuple[tuple[int, ...], bool, str] | None:
    """Return what orders releases that are numbers: ``2.10`` after ``2.9``, ``3.0rc1`` before ``3.0``."""
    match = _VERSION.fullmatch(release)
    if match is None:
        return None
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), not _BEFORE.match(match[2]), match[2]


def mute_end(decision: Decision, occurred: Iterable[Occurred], now: datetime) -> str:
    """Return why a mute has ended; empty while it goes on.

    Args:
        decision: that muted the group.
        occurred: its errors since.
        now: aware.
    """
    if decision.until and now >= datetime.fromisoformat(decision.until):
        return "its time is over"
    days: dict[object, int] = {}
    for one in occurred:
        days[one.day] = days.get(one.day, 0) + one.n
        if decision.worse and one.n > 0 and RANKS.get(one.severity, 4) > RANKS.get(decision.severity, 4):
            return f"it is worse: {one.severity}"
    if decision.more and sum(days.values()) >= decision.more:
        return f"{decision.more} more came"
    most = max(days.values(), default=0)
    if decision.worse and most > max(FEWEST, OFTEN * decision.most_a_day):
        return f"it is worse: {most} in a day"
    return ""
