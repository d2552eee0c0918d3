"""What a message tells, as sections of labelled facts; how they look is left to the channel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from visigate_logging.delivery.throttle import Incident
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Sheet
from visigate_logging.present.advice import Advice
from visigate_logging.present.facts import Fact, Place, facts_of, headline, laid_out, link
from visigate_logging.present.words import counted, local, rate, spoken

_LONGEST_TITLE = 70
_ON_TOP = ("Site", "Link", "Where")
_BESIDE = 5.0
"""Seconds within which the first errors of two groups are of one incident."""
_MOST_BESIDE = 10
"""Groups of a digest, the worst, that are told with one another."""
_STILL = 120.0
"""Seconds after an error for which an incident is said to go on."""


@dataclass(frozen=True, slots=True)
class Item:
    """One group in a digest.

    Args:
        group: as it stood when the mail was decided on.
        detail: the first error that no mail had told of; of a group at rest, the last that one did.
        at_rest: whether the mail tells the end of the incident.
        now: when it was decided on, on the host's clock.
        recovery: what a recovery did about it, and when.
        beside: titles of the groups in this digest that came with it.
    """

    group: Incident
    detail: ErrorDetail
    at_rest: bool = False
    now: float | None = None
    recovery: str = ""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Digest:
    """All that one mail tells.

    Args:
        items: the groups, worst first.
        sheet: the handler's counts, with this mail's errors as told.
        held_back: seconds that the message waited because of the limit of messages an hour.
        notice: what stands above all else.
    """

    items: tuple[Item, ...]
    sheet: Sheet
    held_back: float = 0.0
    notice: str = ""

    @property
    def told(self) -> int:
        """Return how many errors are told of with their details."""
        return sum(1 for item in self.items if item.group.untold)

    @property
    def folded(self) -> int:
        """Return how many errors are told of only as part of a count."""
        return sum(item.group.untold for item in self.items) - self.told


def together(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the groups of a digest, each with the titles of those whose first untold errors came with its own."""
    worst = [item for item in items if item.group.untold][:_MOST_BESIDE]
    return tuple(
        replace(item, beside=tuple(title(other.detail) for other in worst if _came_with(item, other)))
        for item in items
    )


def _came_with(item: Item, other: Item) -> bool:
    untold = item is not other and item.group.untold > 0
    return untold and abs(item.group.since - other.group.since) <= _BESIDE


@dataclass(frozen=True, slots=True)
class Section:
    """One group, ready to be shown.

    Args:
        title: type and message, in one line.
        severity: level name.
        summary: what the mail tells of it, in one sentence.
        message: the error's own words, where they are more than fits the title.
        facts: what is known, what is wanted first first.
    """

    title: str
    severity: str
    summary: str
    message: str
    facts: tuple[Fact, ...] = ()

    def value(self, label: str) -> str:
        """Return the fact of a name; empty when nothing is known."""
        return next((fact.value for fact in self.facts if fact.label == label), "")

    def lines(self) -> list[str]:
        """Return the facts as the lines of a text."""
        return laid_out(self.facts)


def section(item: Item, url: str | None = None, advice: Sequence[Advice] = ()) -> Section:
    """Return what there is to say of one group.

    Args:
        item: the group.
        url: address of the web pages; ``{event_id}`` in it is replaced, else the id is put behind it.
        advice: the administrator's own, which comes before the shipped one.
    """
    detail, group = item.detail, item.group
    known = [fact for fact in facts_of(detail, advice) if _is_wanted(fact, item)]
    command = f"visigate-errors show {detail.event_id}" if detail.event_id else ""
    facts = sorted([*_about(item, url), *known, Fact("Command", command)], key=_on_top)
    whole, short = headline(detail), title(detail)
    return Section(
        title=short,
        severity=group.severity,
        summary=_summary(item),
        message="" if whole == short else detail.error_message[:2000],
        facts=tuple(fact for fact in facts if fact.value),
    )


def _is_wanted(fact: Fact, item: Item) -> bool:
    if item.at_rest and not item.group.untold:  # an earlier mail has shown the rest
        return fact.place is Place.FIRST and fact.label != "To do"
    return fact.place is not Place.RECORD


def _on_top(fact: Fact) -> int:
    return _ON_TOP.index(fact.label) if fact.label in _ON_TOP else len(_ON_TOP)


def _about(item: Item, url: str | None) -> list[Fact]:
    page = link(url, item.detail.event_id) if url else ""
    told = (("Link", page), *_times(item), ("With", "; ".join(item.beside)), ("Recovery", item.recovery))
    return [Fact(*one) for one in told]


def title(detail: ErrorDetail, longest: int = _LONGEST_TITLE) -> str:
    """Return type and message in few words."""
    return headline(detail, longest)


def _summary(item: Item) -> str:
    group = item.group
    total = counted(group.told + group.untold, "error")
    decided = f"; {group.state}" if group.state else ""
    if item.at_rest:
        late = f"; {group.untold:,} of them had not been told yet" if group.untold else ""
        return f"Quiet since {local(group.last_time)}: {total} in all{late}."
    if group.told_at is not None:
        worse = f"It is worse: {group.worse}. " if group.worse else ""
        more = counted(group.untold, "more error", "more errors")
        return (
            f"{worse}It goes on: {more}{_rate(group, group.told_at)}, {group.told + group.untold:,} in all{decided}."
        )
    again = f", again after it was quiet since {local(group.rested_since)}" if group.rested_since else ""
    return f"New: {counted(group.untold, 'error')}{_rate(group, group.since)}{again}{decided}."


def _rate(group: Incident, since: float) -> str:
    span = group.seen - since
    often = rate(group.untold, span) if group.untold > 1 and span >= 1 else ""
    return f" ({often})" if often else ""


def _times(item: Item) -> list[tuple[str, str]]:
    group = item.group
    if item.at_rest:
        return [("Since", local(group.began))]
    going = ""
    if item.now is not None and group.told + group.untold > 1:
        ago = max(item.now - group.seen, 0.0)
        going = f", {spoken(ago)} before this mail: {'it still goes on' if ago < _STILL else 'quiet since then'}"
    if group.untold <= 1 and group.told == 0:
        return [("When", local(group.last_time))]
    first = [("First of these", local(group.first_time))] if group.first_time > group.began and group.untold else []
    return [("Since", local(group.began)), *first, ("Last", f"{local(group.last_time)}{going}")]
