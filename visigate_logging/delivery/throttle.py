"""When to tell: which groups of errors are due for a mail, and when to look again. Pure: no clock inside."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

__all__ = ["Group", "Plan", "Windows", "after_telling", "is_at_rest", "level_number", "note", "plan"]

_HOUR = 3600.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Windows:
    """How long to wait before telling, in seconds.

    Args:
        group_wait: from a group's first error to its mail, so that several new groups share one.
        interval: from that mail to the first follow-up; the wait doubles with each.
        max_interval: what the doubling ends at.
        quiet: after so long without a repeat a group is at rest, and its next error is a first one again.
        max_per_hour: never more mails than this in any hour; what exceeds it waits for the next digest.
    """

    group_wait: float = 1.0
    interval: float = 300.0
    max_interval: float = 14_400.0
    quiet: float = 3600.0
    max_per_hour: int = 12


@dataclass(frozen=True, slots=True)
class Group:
    """One incident of one group, from its first error until it is at rest.

    Args:
        fingerprint: what makes the group.
        severity: the worst so far, as a level name.
        since: when the first untold error came, on the host's clock.
        seen: when the last error came, on the host's clock.
        first_time: time of the first untold error, for people.
        last_time: time of the last error, for people.
        began: time of the incident's first error, for people.
        untold: errors that no mail has told of.
        told: errors of this incident that earlier mails have told of.
        told_at: when the last mail told of it, on the host's clock; None while no mail has.
        wait: how long after that the next follow-up is due.
        rested_since: for people; set when it was at rest and came back before a mail could say so.
        thread: Message-ID of the mail that told of it first.
    """

    fingerprint: str
    severity: str
    since: float
    seen: float
    first_time: str
    last_time: str
    began: str
    untold: int = 0
    told: int = 0
    told_at: float | None = None
    wait: float = 0.0
    rested_since: str = ""
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    Args:
        due: the groups to tell of in one mail, worst first; empty when it is not time.
        look_again: when it may be time, on the host's clock; None when nothing waits.
        held_back: seconds that this mail had to wait because of ``max_per_hour``.
    """

    due: tuple[Group, ...] = ()
    look_again: float | None = None
    held_back: float = 0.0


def note(group: Group | None, news: Group, windows: Windows) -> Group:
    """A group with the errors of ``news`` added, which is a group of its own that holds only them."""
    if group is None:
        return news
    severity = max(group.severity, news.severity, key=level_number)
    if group.told_at is not None and is_at_rest(group, news.since, windows):
        news = replace(news, rested_since=group.last_time, thread=group.thread)
        if not group.untold:
            return news
        group = replace(news, untold=group.untold, since=group.since, first_time=group.first_time)
    return replace(
        group,
        severity=severity,
        since=group.since if group.untold else news.since,
        seen=max(group.seen, news.seen),
        first_time=group.first_time if group.untold else news.first_time,
        last_time=news.last_time,
        untold=group.untold + news.untold,
    )


def plan(groups: Iterable[Group], mailed: Sequence[float], now: float, windows: Windows) -> Plan:
    """Which groups are due.

    Args:
        groups: those that are not at rest, or whose rest has not been told.
        mailed: when the last mails went out; at least the last ``max_per_hour`` of them.
        now: on the host's clock, as all times here.
        windows: how long to wait.
    """
    known = list(groups)
    news_due = min((_due(g, windows) for g in known if g.untold), default=_NEVER)
    ends_due = min((_due(g, windows) for g in known if not g.untold), default=_NEVER)
    news_allowed = _allowed(mailed, windows.max_per_hour)
    # Mails that tell of ends alone leave half of the hour's mails to news.
    ends_allowed = _allowed(mailed, max(1, windows.max_per_hour // 2))
    when = min(max(news_due, news_allowed), max(ends_due, ends_allowed))
    if now < when:
        return Plan(look_again=None if when == _NEVER else when)
    due = sorted((g for g in known if g.told_at is None or _due(g, windows) <= now), key=_worst_first)
    held_back = now - news_due if news_due < min(news_allowed, now) else 0.0
    return Plan(tuple(due), held_back=held_back)


def after_telling(group: Group, now: float, windows: Windows, thread: str = "") -> Group | None:
    """The group once a mail has told of it; None when that mail said that it is at rest."""
    if is_at_rest(group, now, windows):
        return None
    first = group.told_at is None
    return replace(
        group,
        untold=0,
        told=group.told + group.untold,
        told_at=now,
        wait=windows.interval if first else min(group.wait * 2, windows.max_interval),
        rested_since="",
        thread=group.thread or thread,
    )


def is_at_rest(group: Group, now: float, windows: Windows) -> bool:
    """Whether the group has been quiet for long enough."""
    return now >= group.seen + windows.quiet  # the same sum as in _due: rounding must not part them


def level_number(severity: str) -> int:
    """The number that ``logging`` knows the severity by; a name that it does not know counts as ERROR."""
    return logging.getLevelNamesMapping().get(severity.upper(), logging.ERROR)


def _due(group: Group, windows: Windows) -> float:
    if group.told_at is None:
        return group.since + windows.group_wait
    end = group.seen + windows.quiet
    return min(group.told_at + group.wait, end) if group.untold else end


def _allowed(mailed: Sequence[float], limit: int) -> float:
    """When the next mail may go out: an hour after the one that was ``limit`` mails ago."""
    return sorted(mailed)[-limit] + _HOUR if len(mailed) >= limit else -_NEVER


def _worst_first(group: Group) -> tuple[int, bool, int, float]:
    return -level_number(group.severity), group.told_at is not None, -group.untold, group.since
