"""Tell what a state directory knows: records that were dropped, mails that wait, recoveries and how they ended."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import StateError
from visigate_logging.host import State, host_drops
from visigate_logging.host.clock import boot_id, monotonic
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import counted, local_time, spoken
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.states import MUTED

MANY_OUTAGES = 12
"""Power cuts in 30 days from which on the wiring is at fault."""
STARTING = 600.0
"""Seconds after the boot within which the gate may still be coming up."""
OVERDUE = 600.0
"""Seconds after which a mail that still waits has not been delivered."""


def health_of(directory: Path, store: ErrorStore | None = None) -> Callable[[], list[tuple[str, str]]]:
    """Return what tells of all that was dropped, not delivered, not forwarded: the pages' ``health``.

    Args:
        directory: the state directory.
        store: the errors; with it is told, too, that nobody writes any.
    """
    return lambda: [
        *(_silent(directory, store) if store else ()),
        *_dropped(directory),
        *_undelivered(directory / "outbox"),
        *_not_forwarded(directory),
        *_outages(directory),
    ]


def _silent(directory: Path, store: ErrorStore) -> Iterator[tuple[str, str]]:
    """Tell that no process has loaded the configuration since the boot: then no error is no good news.

    Where none has ever told of itself, as without `configure`, nobody can know.
    """
    up = monotonic()
    if up < STARTING or not (directory / "processes").is_dir() or not store.path.exists():
        return
    from visigate_logging.lifecycle.processes import present

    if present(directory):
        return
    newest = store.recent(limit=1).records
    if newest and newest[0].boot_id == boot_id():
        return
    yield (
        "error",
        f"nobody has written to {store.path} since this host started {spoken(up)} ago, and none runs that would",
    )


def _dropped(directory: Path) -> Iterator[tuple[str, str]]:
    state = State(directory)
    if not state.path.exists():
        return
    try:
        drops = host_drops(state)
    except StateError as error:
        yield "warning", f"what was dropped cannot be told: {error}"
        return
    finally:
        state.close()
    for handler, reason, n, since, last in drops:
        if reason == MUTED:
            continue
        when = f"at {local_time(last)}" if n == 1 or since == last else f"{local_time(since)} to {local_time(last)}"
        yield "warning", f"the handler {handler} has dropped {counted(n, 'record')} ({when}): {reason}"


def _undelivered(outbox: Path) -> Iterator[tuple[str, str]]:
    now = time.time()
    waiting = [mail for mail in outbox.glob("*/*.eml") if _written(mail) < now - OVERDUE]
    if waiting:
        minutes = (now - min(map(_written, waiting))) / 60
        yield "warning", f"{counted(len(waiting), 'mail')} not delivered yet, the oldest for {minutes:.0f} minutes"
    if refused := len(list(outbox.glob("*/refused/*.eml"))):
        yield "warning", f"{counted(refused, 'mail')} refused by the mail server; see visigate-errors mail outbox"


def _not_forwarded(directory: Path) -> Iterator[tuple[str, str]]:
    if not State(directory).path.exists():
        return
    from visigate_logging.forward.progress import read_all

    try:
        found = read_all(directory)
    except StateError:  # which is said of what was dropped
        return
    for name, books in found.items():
        if books.trouble and books.pending:
            yield "warning", f"{counted(books.pending, 'error')} not forwarded yet by {name}: {books.trouble}"


def _outages(directory: Path) -> Iterator[tuple[str, str]]:
    cuts = Timeline(directory).counts(datetime.now(UTC) - timedelta(days=30)).get("power", 0)
    if cuts >= MANY_OUTAGES:
        yield "warning", f"the power was away {cuts} times in 30 days; look at the wiring and the power supply"


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # delivered meanwhile
        return time.time()


def timeline_of(directory: Path) -> Callable[[datetime], list[dict[str, Any]]]:
    """Return what tells the events of a state directory since a time, the oldest first: the pages' ``timeline``."""
    return lambda since: Timeline(directory).read(since)


def messages_of(directory: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Return what tells, by a group's key, how far people have been told of its incident, for the pages."""
    from visigate_logging.delivery.incident_counts import incidents_of

    return lambda key: incidents_of(directory, key)


def recoveries_of(directory: Path) -> Callable[[str | None], list[dict[str, Any]]]:
    """Return what tells a recovery's trail by the id of the error, for the pages."""
    from visigate_logging.recovery.audit import Audit

    audit = Audit(directory)
    known: dict[str | None, list[dict[str, Any]]] = {}
    read_at = 0

    def recoveries(event_id: str | None) -> list[dict[str, Any]]:
        nonlocal known, read_at
        with suppress(OSError):
            if (changed := audit.path.stat().st_mtime_ns) != read_at:
                known, read_at = _by_event(audit.read()), changed
        return known.get(event_id, [])

    return recoveries


def _by_event(entries: Iterable[Any]) -> dict[str | None, list[dict[str, Any]]]:
    found = defaultdict[str | None, list[dict[str, Any]]](list)
    for entry in entries:
        if isinstance(entry, dict):
            found[str(entry.get("event_id"))].append(entry)
            found[None].append(entry)
    return dict(found)
