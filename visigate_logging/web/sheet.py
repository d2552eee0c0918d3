"""One record laid out for reading: its exceptions as they happened, and their frames.

Nothing is taken for granted: a line of a log may have been written by anybody.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.facts import Fact, Kind, facts_of, laid_out
from visigate_logging.store.source import source_around
from visigate_logging.store.typed import about
from visigate_logging.web.text import when as when_of

DEEPEST = 6
"""Levels of groups within groups that are told apart by their indent."""
CAUSES = {"cause": "was the direct cause of", "context": "while it was being handled, there came"}


@dataclass(frozen=True)
class Run:
    """Frames that follow each other, all of the application's own code or all of libraries."""

    in_app: bool
    frames: Sequence[Frame]


@dataclass(frozen=True)
class Node:
    """One exception in its place.

    Args:
        depth: how many groups it is in.
        lead: how it follows from the one above.
        exception: as recorded.
        runs: its frames.
        culprit: the frame that names the error, if it is one of these.
        read_at: the frame of which the lines around are shown: that one, or where the root cause was raised.
        source: their numbers and texts.
    """

    depth: int
    lead: str
    exception: ExceptionData
    runs: Sequence[Run]
    culprit: Frame | None
    read_at: Frame | None
    source: Sequence[tuple[int, str]]


def nodes(record: ErrorDetail) -> list[Node]:
    """Return the exceptions of a record, causes before what they caused, members of a group below it."""
    culprit = next(_culprits(record), None)
    found: list[Node] = []
    for number, depth, lead in _as_happened(record.exceptions):
        exception = record.exceptions[number]
        runs = [Run(own, list(frames)) for own, frames in groupby(exception.frames, lambda f: bool(f.in_app))]
        marked = next((f for f in exception.frames if f is culprit), None)
        own_frame = next((f for f in reversed(exception.frames) if f.in_app), None)
        read_at = marked or (None if found else own_frame)  # the first is the root cause
        when = when_of(record)
        source = source_around(read_at, when) if read_at and when else []
        found.append(Node(min(depth, DEEPEST), lead, exception, runs, marked, read_at, source))
    return found


def _culprits(record: ErrorDetail) -> Iterator[Frame]:
    """Return the frames at the place that the record names, the innermost first."""
    for exception in record.exceptions:
        for frame in reversed(exception.frames):
            if (frame.file, frame.line) == (record.file, record.line):
                yield frame


def _as_happened(exceptions: Sequence[ExceptionData]) -> Iterator[tuple[int, int, str]]:
    """Numbers of the exceptions, how deep in groups they are, and how each follows from the one above."""
    causes, members = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for number, exception in enumerate(exceptions[1:], 1):
        parent = exception.parent
        valid = isinstance(parent, int) and 0 <= parent < number
        (causes if exception.relation in CAUSES else members)[parent if valid and parent else 0].append(number)
    # Not recursive: a chain may be longer than Python's stack is deep.
    stack = [(0, 0, "", False)] if exceptions else []
    while stack:
        number, depth, lead, ready = stack.pop()
        if ready:
            yield number, depth, lead
            continue
        own = members[number]
        for count, member in reversed(list(enumerate(own, 1))):
            stack.append((member, depth + 1, f"member {count} of {len(own)}", False))
        follows = CAUSES[exceptions[causes[number][-1]].relation or ""] if causes[number] else lead
        stack.append((number, depth, follows, True))
        for place, cause in reversed(list(enumerate(causes[number]))):
            stack.append((cause, depth, "" if place else lead, False))


ELSEWHERE = ("Log message", "Group", "Grouped by")
"""Facts that have a section of their own on the page."""


def facts(record: ErrorDetail) -> list[Fact]:
    """Return what is told of an error in one line each; the rest has a place of its own on the page."""
    return [fact for fact in facts_of(record) if fact.kind is Kind.LINE and fact.label not in ELSEWHERE]


def plain_report(record: ErrorDetail) -> str:
    """Return an error as text, to be pasted into a mail."""
    time = f"about {about(record)}; the clock said {record.timestamp}" if about(record) else record.timestamp
    head = [f"{record.error_type}: {record.error_message}", f"{record.module} in {record.function}", f"Time: {time}"]
    return "\n".join([*head, *laid_out(facts_of(record))])
