"""What is told of an error: a list of facts, which mails, pages and the command line lay out each in its way."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import orjson

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present import surroundings
from visigate_logging.present.changes import changed_before

__all__ = ["RELATIONS", "Fact", "Place", "culprit", "facts_of", "headline", "link", "site"]

_LONGEST_BLOCK = 12_000
_LONGEST_FACT = 2_000
_MOST_FRAMES = 6
_MOST_VALUES = 12
_MOST_CAUSES = 7
RELATIONS = {"cause": "Caused by", "context": "While handling", "member": "Member of the group"}
"""How an exception of a chain belongs to the one before it."""


class Place(Enum):
    """How soon a fact is wanted."""

    FIRST = "first"
    """On the first screen."""
    THEN = "then"
    """Below it."""
    REST = "rest"
    """Folded where that is possible."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known.

    Args:
        label: what it is.
        value: itself.
        place: how soon it is wanted.
        is_block: whether its lines are to be kept as they are.
    """

    label: str
    value: str
    place: Place = Place.FIRST
    is_block: bool = False


def facts_of(detail: ErrorDetail, advice: str = "", url: str | None = None) -> list[Fact]:
    """Return all that there is to say of an error itself, what is wanted first first.

    Args:
        detail: the error.
        advice: what to do about it.
        url: address of the web pages; ``{event_id}`` in it is replaced, else the id is put behind it.
    """
    machine = "\n".join(f"{name}: {told}" for name, told in surroundings.machine(detail))
    facts = [
        Fact("Site", " on ".join(filter(None, (detail.service, detail.host)))),
        Fact("Link", link(url, detail.event_id) if url else ""),
        Fact("Where", culprit(detail)),
        Fact("Unusual", ", ".join(surroundings.unusual(detail))),
        Fact("To do", advice),
        Fact("Command", f"visigate-errors show {detail.event_id}" if detail.event_id else ""),
        Fact("Log message", _logged(detail), Place.THEN),
        Fact("Before it", _cut("\n".join(surroundings.moments(detail))), Place.THEN, is_block=True),
        *(Fact(label, text, Place.THEN) for label, text in _causes(detail)),
        Fact("In the application", _frames(detail), Place.THEN, is_block=True),
        Fact("Additional information", _information(detail.additional_info), Place.THEN, is_block=True),
        Fact("Release", detail.release, Place.THEN),
        Fact("Changed before", "; ".join(changed_before(detail.changes, detail.timestamp)), Place.THEN),
        Fact("Process", _process(detail), Place.THEN),
        Fact("Category", detail.category, Place.THEN),
        Fact("Machine", machine, Place.THEN if surroundings.unusual(detail) else Place.REST, is_block=True),
        Fact("Traceback", _cut(detail.traceback), Place.REST, is_block=True),
    ]
    return [f if f.is_block else Fact(f.label, f.value[:_LONGEST_FACT], f.place) for f in facts if f.value.strip()]


def headline(detail: ErrorDetail) -> str:
    """Return type and message in one line; of a record without an exception, its message."""
    what = detail.error_type or detail.level
    said = " ".join((detail.error_message or detail.message).split())
    if what in ("ERROR", "CRITICAL", "WARNING") and said:
        return said
    return f"{what}: {said}" if said else what


def site(detail: ErrorDetail) -> str:
    """Return which gate it is: the service's name, else the host's."""
    return detail.service or detail.host


def culprit(detail: ErrorDetail) -> str:
    """Return where it happened: file, line and function, and the line's text."""
    place = f"{detail.file}:{detail.line}" if detail.file else detail.module
    place = f"{place} in {detail.function}" if detail.function else place
    frames = detail.exceptions[0].frames if detail.exceptions else ()
    code = next((f.code for f in reversed(frames) if (f.file, f.line) == (detail.file, detail.line)), "")
    return f"{place}: {code}" if code else place


def link(url: str, event_id: str) -> str:
    """Return the address of an error's page."""
    if not event_id:
        return ""
    return url.replace("{event_id}", event_id) if "{event_id}" in url else f"{url.rstrip('/')}/{event_id}"


def _logged(detail: ErrorDetail) -> str:
    """Return the log message, where it says more than the exception."""
    said = detail.message.strip()
    return "" if said == detail.error_message.strip() else said


def _causes(detail: ErrorDetail) -> list[tuple[str, str]]:
    return [
        (RELATIONS.get(e.relation or "", "With it"), f"{e.type}: {e.message}" if e.message else e.type)
        for e in detail.exceptions[1 : _MOST_CAUSES + 1]
    ]


def _frames(detail: ErrorDetail) -> str:
    frames = [f for f in (detail.exceptions[0].frames if detail.exceptions else ()) if f.in_app]
    return "\n".join(map(_frame, frames[-_MOST_FRAMES:]))


def _frame(frame: Frame) -> str:
    lines = [f"{frame.file}:{frame.line} in {frame.function}"]
    lines += [f"    {frame.code}"] if frame.code else []
    lines += [f"        {told}" for told in surroundings.values(frame)[:_MOST_VALUES]]
    return "\n".join(lines)


def _process(detail: ErrorDetail) -> str:
    return f"{detail.process} ({detail.pid}), {detail.thread}" if detail.pid else ""


def _information(values: Mapping[str, object]) -> str:
    lines = (
        f"{key}: {v if isinstance(v, str) else orjson.dumps(v, default=str).decode()}" for key, v in values.items()
    )
    return _cut("\n".join(lines))


def _cut(text: str) -> str:
    text = text.rstrip()
    if len(text) <= _LONGEST_BLOCK:
        return text
    half = _LONGEST_BLOCK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
