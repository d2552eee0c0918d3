"""What is told of an error: a list of facts, which mails, pages and the command line lay out each in its way."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import orjson

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present import context
from visigate_logging.present.advice import Advice, advice_for
from visigate_logging.present.changes import changed_before
from visigate_logging.present.severities import LEVELS
from visigate_logging.present.words import both_ends, worded

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
    RECORD = "record"
    """With the record itself, on the command line and on its page; no message tells it."""


class Kind(Enum):
    """What a fact is made of; a page and the command line draw all but lines in a way of their own."""

    LINE = "line"
    CAUSE = "cause"
    """An exception of the chain."""
    BLOCK = "block"
    """Lines that are to be kept as they are."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known.

    Args:
        label: what it is.
        value: itself.
        place: how soon it is wanted.
        kind: what it is made of.
    """

    label: str
    value: str
    place: Place = Place.FIRST
    kind: Kind = Kind.LINE

    @property
    def is_block(self) -> bool:
        """Return whether its lines are to be kept."""
        return self.kind is Kind.BLOCK


def facts_of(detail: ErrorDetail, own: Sequence[Advice] = ()) -> list[Fact]:
    """Return all that there is to say of an error itself, what is wanted first first.

    Args:
        detail: the error.
        own: the administrator's advice, which comes before the shipped one.
    """
    machine = "\n".join(f"{name}: {told}" for name, told in context.machine(detail))
    unusual = ", ".join(context.unusual(detail))
    why = "; ".join(f"{part}: {worded(value)}" for part, value in detail.grouping.items() if value)
    facts = [
        Fact("Site", " on ".join(filter(None, (detail.service, detail.host)))),
        Fact("Where", culprit(detail)),
        Fact("Unusual", unusual),
        Fact("To do", advice_for(detail, own)),
        Fact("Log message", _logged(detail), Place.THEN),
        _block("Before it", "\n".join(context.moments(detail))),
        *_causes(detail),
        _block("In the application", _frames(detail)),
        _block("Additional information", _information(detail.additional_info)),
        Fact("Release", detail.release, Place.THEN),
        Fact("Changed before", "; ".join(changed_before(detail.changes, detail.timestamp)), Place.THEN),
        Fact("Process", _process(detail), Place.THEN),
        Fact("Category", detail.category, Place.THEN),
        _block("Machine", machine, Place.THEN if unusual else Place.REST),
        _block("Traceback", detail.traceback, Place.REST),
        Fact("Severity", detail.severity, Place.RECORD),
        Fact("Logger", f"{detail.logger} ({detail.level})", Place.RECORD),
        Fact("Handled", "yes: logged where it was caught" if detail.handled else "", Place.RECORD),
        Fact("Repeats", f"{detail.repeats}, the same exception" if detail.repeats else "", Place.RECORD),
        Fact("Group", detail.fingerprint, Place.RECORD),
        Fact("Grouped by", why, Place.RECORD),
        Fact("Id", detail.event_id, Place.RECORD),
    ]
    return [replace(f, value=f.value[: None if f.is_block else _LONGEST_FACT]) for f in facts if f.value.strip()]


def laid_out(facts: Sequence[Fact]) -> list[str]:
    """Return facts as the lines of a text: of each place first what is one line, then what has several."""
    lines = []
    for place in Place:
        here = [fact for fact in facts if fact.place is place]
        lines += [f"{fact.label}: {fact.value}" for fact in here if not fact.is_block]
        for fact in here:
            lines += ["", f"{fact.label}:", fact.value] if fact.is_block else []
        lines += [""] if here else []
    return lines


def headline(detail: ErrorDetail, longest: int = 0) -> str:
    """Return type and message in one line; of a record without an exception, its message.

    Args:
        detail: of the error.
        longest: characters the line may have; 0: any number.
    """
    kind = detail.error_type or detail.level
    said = _COLOURS.sub("", detail.error_message or detail.message)
    if said.strip() and kind in LEVELS:
        kind = ""
    elif kind.lower() in _SAY_NOTHING and detail.exceptions and detail.exceptions[0].module != "builtins":
        kind = f"{detail.exceptions[0].module}.{kind}"  # cv2.error
    line = ": ".join(filter(None, (kind, said if said.strip() else "")))
    return both_ends(line, longest or len(line))


_SAY_NOTHING = ("error", "exception", "fault", "timeout", "empty", "full")
"""Names of classes that say what happened only with their module."""
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
"""Of a terminal (ECMA-48, SGR)."""


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


def _causes(detail: ErrorDetail) -> Iterator[Fact]:
    for e in detail.exceptions[1 : _MOST_CAUSES + 1]:
        said = f"{e.type}: {e.message}" if e.message else e.type
        yield Fact(RELATIONS.get(e.relation or "", "With it"), said, Place.THEN, Kind.CAUSE)


def _frames(detail: ErrorDetail) -> str:
    frames = [f for f in (detail.exceptions[0].frames if detail.exceptions else ()) if f.in_app]
    return "\n".join(map(_frame, frames[-_MOST_FRAMES:]))


def _frame(frame: Frame) -> str:
    lines = [f"{frame.file}:{frame.line} in {frame.function}"]
    lines += [f"    {frame.code}"] if frame.code else []
    lines += [f"        {told}" for told in context.values(frame)[:_MOST_VALUES]]
    return "\n".join(lines)


def _process(detail: ErrorDetail) -> str:
    known = [f"{detail.process} ({detail.pid})" if detail.pid else detail.process]
    known += [f"thread {detail.thread}"] if detail.thread else []
    known += [f"task {detail.task}"] if detail.task else []
    return ", ".join(filter(None, known))


def _information(values: Mapping[str, object]) -> str:
    lines = (
        f"{key}: {v if isinstance(v, str) else orjson.dumps(v, default=str).decode()}" for key, v in values.items()
    )
    return "\n".join(lines)


def _block(label: str, text: str, place: Place = Place.THEN) -> Fact:
    return Fact(label, _cut(text.rstrip()), place, Kind.BLOCK)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_BLOCK:
        return text
    half = _LONGEST_BLOCK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
