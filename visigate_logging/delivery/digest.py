"""What a mail tells, as sections of labelled facts; how they look is left to the message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from visigate_logging.delivery.throttle import Group
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import Sheet

__all__ = ["Digest", "Item", "Section", "section"]

_LONGEST_BLOCK = 12_000
_LONGEST_FACT = 2_000
_LONGEST_TITLE = 70
_RELATIONS = {"cause": "Caused by", "context": "While handling", "member": "Member of the group"}


@dataclass(frozen=True, slots=True)
class Item:
    """One group in a digest.

    Args:
        group: as it stood when the mail was decided on.
        detail: the first error that no mail had told of; of a group at rest, the last that one did.
        at_rest: whether the mail tells the end of the incident.
    """

    group: Group
    detail: ErrorDetail
    at_rest: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """All that one mail tells.

    Args:
        items: the groups, worst first.
        sheet: the handler's counts, with this mail's errors as told.
        held_back: seconds that the mail waited because of the limit of mails an hour.
    """

    items: tuple[Item, ...]
    sheet: Sheet
    held_back: float = 0.0

    @property
    def told(self) -> int:
        """How many errors are told of with their details."""
        return sum(1 for item in self.items if item.group.untold)

    @property
    def folded(self) -> int:
        """How many errors are told of only as part of a count."""
        return sum(item.group.untold for item in self.items) - self.told


@dataclass(frozen=True, slots=True)
class Section:
    """One group, ready to be shown.

    Args:
        title: what and where.
        severity: level name.
        summary: what the mail tells of it, in one sentence.
        message: the error's own words.
        facts: labels and values.
        blocks: labels and texts whose lines are kept.
    """

    title: str
    severity: str
    summary: str
    message: str
    facts: tuple[tuple[str, str], ...] = ()
    blocks: tuple[tuple[str, str], ...] = field(default=())


def section(item: Item, url: str | None = None) -> Section:
    """What there is to say of one group.

    Args:
        item: the group.
        url: address of the web pages; ``{event_id}`` in it is replaced, else the id is put behind it.
    """
    detail, group = item.detail, item.group
    facts = [
        *_times(group),
        ("Where", _culprit(detail)),
        ("Host", " ".join(filter(None, (detail.host, detail.service, detail.release)))),
        ("Process", f"{detail.process} ({detail.pid}), {detail.thread}" if detail.pid else ""),
        ("Category", detail.category),
        *_causes(detail),
        ("Command", f"visigate-errors show {detail.event_id}" if detail.event_id else ""),
        ("Link", _link(url, detail.event_id) if url and detail.event_id else ""),
    ]
    blocks = [("Traceback", _cut(detail.traceback)), ("Additional information", _information(detail.additional_info))]
    if item.at_rest and not group.untold:  # an earlier mail has shown them
        blocks = []
    return Section(
        title=title(detail),
        severity=group.severity,
        summary=_summary(item),
        message=detail.error_message[:_LONGEST_FACT],
        facts=tuple((label, value[:_LONGEST_FACT]) for label, value in facts if value),
        blocks=tuple((label, text) for label, text in blocks if text),
    )


def title(detail: ErrorDetail) -> str:
    """What happened and where, in a few words; of a record without an exception, its message."""
    what = detail.error_type or detail.level
    if not detail.traceback and detail.message:
        line = detail.message.partition("\n")[0]
        return f"{what}: {line if len(line) <= _LONGEST_TITLE else line[:_LONGEST_TITLE] + '…'}"
    return f"{what} in {detail.module}" if detail.module else what


def _summary(item: Item) -> str:
    group = item.group
    errors = "error" if group.untold == 1 else "errors"
    if item.at_rest:
        rest = f"Quiet since {_local(group.last_time)}: the incident of {group.told + group.untold:,} errors is over"
        return f"{rest}; {group.untold:,} of them had not been told yet." if group.untold else f"{rest}."
    if group.told_at is not None:
        return (
            f"It goes on: {group.untold:,} more {errors}{_rate(group, group.told_at)}, "
            f"{group.told + group.untold:,} in all."
        )
    again = f", again after it was quiet since {_local(group.rested_since)}" if group.rested_since else ""
    return f"New: {group.untold:,} {errors}{_rate(group, group.since)}{again}."


def _rate(group: Group, since: float) -> str:
    span = group.seen - since
    return f" ({group.untold / span * 60:,.1f} a minute)" if group.untold > 1 and span >= 1 else ""


def _times(group: Group) -> list[tuple[str, str]]:
    if group.untold <= 1 and group.told == 0:
        return [("Time", _local(group.last_time))]
    first = [("First of these", _local(group.first_time))] if group.untold else []
    return [("Since", _local(group.began)), *first, ("Last", _local(group.last_time))]


def _culprit(detail: ErrorDetail) -> str:
    place = f"{detail.file}:{detail.line}" if detail.file else detail.module
    place = f"{place} in {detail.function}" if detail.function else place
    frames = detail.exceptions[0].frames if detail.exceptions else ()
    code = next((f.code for f in reversed(frames) if (f.file, f.line) == (detail.file, detail.line)), "")
    return f"{place}: {code}" if code else place


def _causes(detail: ErrorDetail) -> list[tuple[str, str]]:
    return [
        (_RELATIONS.get(e.relation or "", "With it"), f"{e.type}: {e.message}" if e.message else e.type)
        for e in detail.exceptions[1:8]
    ]


def _information(values: Mapping[str, object]) -> str:
    lines = (
        f"{key}: {v if isinstance(v, str) else orjson.dumps(v, default=str).decode()}" for key, v in values.items()
    )
    return _cut("\n".join(lines))


def _link(url: str, event_id: str) -> str:
    return url.replace("{event_id}", event_id) if "{event_id}" in url else f"{url.rstrip('/')}/{event_id}"


def _cut(text: str) -> str:
    text = text.rstrip()
    if len(text) <= _LONGEST_BLOCK:
        return text
    half = _LONGEST_BLOCK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _local(timestamp: str) -> str:
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError, OSError):
        return timestamp
