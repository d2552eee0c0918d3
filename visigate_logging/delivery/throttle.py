"""When to tell: which groups of errors are due for a mail, and when to look again. Pure: no clock inside."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

_HOUR, _NEVER = 3600.0, float("inf")
_MOST_SIGNS = 20


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
class Incident:
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
        told_severity: the worst severity that a mail has told of.
        signs: hosts and causes that were seen, such as ``cause TimeoutError``.
        worse: for people, what is worse than what was told; it is told at once.
        worse_at: when that came, on the host's clock.
        family: groups of one family are results of one thing: a recovery that fails after it worked is told at once.
        state: for people, what was decided about the group and has ended; it is told at once.
        muted: the decision that mutes it; empty for none.
        muted_errors: errors since then, by day and severity.
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
    told_severity: str = ""
    signs: tuple[str, ...] = ()
    worse: str = ""
    worse_at: float | None = None
    family: str = ""
    state: str = ""
    muted: str = ""
    muted_errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    Args:
        due: the groups to tell of in one mail, worst first; empty when it is not time.
        look_again: when it may be time, on the host's clock; None when nothing waits.
        held_back: seconds that this mail had to wait because of ``max_per_hour``.
    """

    due: tuple[Incident, ...] = ()
    look_again: float | None = None
    held_back: float = 0.0


def note(group: Incident | None, news: Incident, windows: Windows) -> Incident:
    """Add the errors of ``news`` to a group, which is a group of its own that holds only them."""
    if group is None:
        return news
    severity = max(group.severity, news.severity, key=level_number)
    if group.told_at is not None and is_at_rest(group, news.since, windows):
        news = replace(news, rested_since=group.last_time, thread=group.thread, family=group.family or news.family)
        if not group.untold:
            return news
        group = replace(news, untold=group.untold, since=group.since, first_time=group.first_time)
    if not group.untold:
        group = replace(group, since=news.since, first_time=news.first_time)
    if (worse := _worse(group, news)) and not group.worse:
        group = replace(group, worse=worse, worse_at=news.since)
    return replace(
        group,
        severity=severity,
        seen=max(group.seen, news.seen),
        last_time=news.last_time,
        untold=group.untold + news.untold,
        signs=tuple(dict.fromkeys((*group.signs, *news.signs)))[:_MOST_SIGNS],
    )


def _worse(group: Incident, news: Incident) -> str:
    """Return what makes the errors of ``news`` worse than what a mail has told of their group; empty for nothing."""
    if group.told_at is None:
        return ""
    told = group.told_severity or group.severity
    if level_number(news.severity) > level_number(told):
        return f"it was {told} before"
    more = [sign for sign in news.signs if sign not in group.signs]
    return f"another {more[0]}" if more and group.signs and len(group.signs) < _MOST_SIGNS else ""


def plan(groups: Iterable[Incident], mailed: Sequence[float], now: float, windows: Windows) -> Plan:
    """Return which groups are due.

    Args:
        groups: those that are not at rest, or whose rest has not been told.
        mailed: when the last messages went out; at least the last ``max_per_hour`` of them.
        now: on the host's clock, as all times here.
        windows: how long to wait.
    """
    known = [g for g in groups if not g.muted]
    when, due_since = min((_opening(g, mailed, windows) for g in known), default=(_NEVER, _NEVER))
    if now < when:
        return Plan(look_again=None if when == _NEVER else when)
    due = sorted((g for g in known if _is_due(g, now, windows)), key=_worst_first)
    was_held_back = due_since < min(when, now) and any(map(_is_untold, due))
    return Plan(tuple(due), held_back=now - due_since if was_held_back else 0.0)


def _is_untold(group: Incident) -> bool:
    return group.untold > 0 and not group.muted


def _is_due(group: Incident, now: float, windows: Windows) -> bool:
    return group.told_at is None or _due(group, windows) <= now


def _opening(group: Incident, mailed: Sequence[float], windows: Windows) -> tuple[float, float]:
    """Return when a group may be told of, and since when it is due.

    Of the hour's messages one is kept for what is new or worse, and critical; the ends of incidents get half of them.
    """
    due, limit = _due(group, windows), windows.max_per_hour
    if not group.untold:
        limit //= 2
    elif not _is_urgent(group):
        limit -= 1
    return max(due, _allowed(mailed, max(1, limit))), due


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group whose errors have not been told yet.

    Args:
        group: the group.
        until: when it is due, on the host's clock.
        reason: what is waited for.
    """

    group: Incident
    until: float
    reason: str


def waits(groups: Iterable[Incident], mailed: Sequence[float], windows: Windows) -> list[Waiting]:
    """Return what waits to be told, the worst first, and why."""
    found = []
    for group in sorted(filter(_is_untold, groups), key=_worst_first):
        when, due = _opening(group, mailed, windows)
        reason = "group_wait" if group.told_at is None else "interval"
        found.append(Waiting(group, when, "max_per_hour" if when > due else reason))
    return found


def after_telling(group: Incident, now: float, windows: Windows, thread: str = "") -> Incident | None:
    """Return the group once a message has told of it; None when that said that it is at rest."""
    if is_at_rest(group, now, windows):
        return None
    first = group.told_at is None
    return replace(
        group,
        untold=0,
        told=group.told + group.untold,
        told_at=now,
        wait=windows.interval if first else min(max(group.wait * 2, windows.interval), windows.max_interval),
        rested_since="",
        told_severity=group.severity,
        worse="",
        worse_at=None,
        state="",
        thread=group.thread or thread,
    )


def is_at_rest(group: Incident, now: float, windows: Windows) -> bool:
    """Return whether the group has been quiet for long enough."""
    return now >= group.seen + windows.quiet  # the same sum as in _due: rounding must not part them


def level_number(severity: str) -> int:
    """Return the number that ``logging`` knows the severity by; a name that it does not know counts as ERROR."""
    return logging.getLevelNamesMapping().get(severity.upper(), logging.ERROR)


def _due(group: Incident, windows: Windows) -> float:
    if group.told_at is None:
        return group.since + windows.group_wait
    end = group.seen + windows.quiet
    if not group.untold:
        return end
    at_once = _NEVER if group.worse_at is None else group.worse_at + windows.group_wait
    return min(group.told_at + group.wait, end, at_once)


def _is_urgent(group: Incident) -> bool:
    is_news = group.told_at is None or group.worse_at is not None
    return is_news and level_number(group.severity) >= logging.CRITICAL


def _allowed(mailed: Sequence[float], limit: int) -> float:
    """Return when the next message may go out: an hour after the one that was ``limit`` ago."""
    return sorted(mailed)[-limit] + _HOUR if len(mailed) >= limit else -_NEVER


def _worst_first(group: Incident) -> tuple[int, bool, int, float]:
    return -level_number(group.severity), group.told_at is not None, -group.untold, group.since
