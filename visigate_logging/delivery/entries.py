"""What is in the lines of a journal: errors by group."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from visigate_logging.delivery.throttle import level_number
from visigate_logging.detail.record import ErrorDetail

OTHER = "other"
"""Fingerprint under which errors are counted that there is no room for."""
_MOST_DIGITS = 16


@dataclass(slots=True)
class Entry:
    """Errors of one group that were read from a journal.

    Args:
        fingerprint: the group.
        count: how many.
        first_time: timestamp of the first.
        last_time: timestamp of the last.
        severity: the worst, as a level name.
        event_id: of the first.
        detail: the first whole record among them, as JSON.
        signs: what tells them apart within the group: cause and host.
        family: what they are results of.
        release: of the application, as far as a whole record says it.
    """

    fingerprint: str
    count: int
    first_time: str
    last_time: str
    severity: str
    event_id: str = ""
    detail: bytes | None = None
    signs: tuple[str, ...] = ()
    family: str = ""
    release: str = ""


def signs_of(detail: ErrorDetail) -> tuple[str, ...]:
    """Return what tells errors apart within a group, for an administrator: where it is, and what it comes from."""
    causes = detail.exceptions[1:]
    return (f"host {detail.host}", f"cause {causes[0].type}") if causes else (f"host {detail.host}",)


def family_of(detail: ErrorDetail) -> str:
    """Return what the outcomes of one procedure have in common; empty for all other errors."""
    outcome = detail.additional_info.get("recovery") if detail.logger == "visigate_logging.recovery" else None
    return f"recovery {outcome.get('procedure')}" if isinstance(outcome, Mapping) else ""


def entries_of(lines: bytes, entries: dict[str, Entry]) -> None:
    """Add to the entries, by fingerprint, what journal lines tell; what is no such line is passed over."""
    for line in lines.decode("utf-8", "replace").split("\n"):
        if line.startswith("{"):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                _add(entries, _whole_entry(line))
            continue
        fields = line.split(" ")
        if len(fields) == 4 or (len(fields) == 5 and fields[-1].isdecimal() and len(fields[-1]) < _MOST_DIGITS):
            _add_repeat(entries, *fields)


def _add_repeat(entries: dict[str, Entry], key: str, time_: str, severity: str, event_id: str, n: str = "1") -> None:
    known = entries.get(key)
    if known is None or severity != known.severity:
        _add(entries, Entry(key, int(n), time_, time_, severity, event_id))
    else:  # of a storm, nearly all
        known.count += int(n)
        known.last_time = time_


def _whole_entry(line: str) -> Entry:
    detail = ErrorDetail.from_dict(orjson.loads(line))
    time_, key = detail.timestamp, detail.fingerprint or OTHER
    if not all(isinstance(text, str) for text in (time_, key, detail.severity, detail.event_id, detail.release)):
        raise TypeError(line)
    told_apart = signs_of(detail), family_of(detail)
    return Entry(key, 1, time_, time_, detail.severity, detail.event_id, line.encode(), *told_apart, detail.release)


def _add(entries: dict[str, Entry], news: Entry) -> None:
    known = entries.setdefault(news.fingerprint, news)
    if known is news:
        return
    known.count += news.count
    known.last_time = news.last_time
    known.detail = known.detail or news.detail
    known.release = news.release or known.release
    known.severity = max(known.severity, news.severity, key=level_number)
    known.signs = tuple(dict.fromkeys(known.signs + news.signs))
