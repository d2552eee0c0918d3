"""Events of the host: as a table, and between errors."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visigate_logging.cli.output import answer
from visigate_logging.cli.records import brief
from visigate_logging.cli.table import Cell, Column, table
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.typed import about

MOST = 5
"""Events that are shown between two errors."""
BAD = ("crash", "hang", "killed", "power")
EVENTS = (Column("TIME"), Column("EVENT", colours=dict.fromkeys(BAD, "red")), Column("WHAT", stretches=True))


def say_events(found: Sequence[Mapping[str, Any]], args: argparse.Namespace, nothing: str) -> int:
    """Say what happened, the oldest first, or that nothing did; return the exit code."""
    lines = [table(EVENTS, map(_row, found), wide=args.wide)] if found else []
    return answer(args, found, lines, nothing=nothing)


def with_events(
    log: Path, records: Sequence[ErrorDetail], *, is_first: bool = True, known: bool = False
) -> list[tuple[Sequence[Mapping[str, Any]], ErrorDetail]]:
    """Return errors, each with what happened to the host after it and before the next; for pipes with nothing.

    Args:
        log: their file, beside which the timeline is.
        records: the newest first.
        is_first: they are the newest that there are.
        known: also what has come as an error itself.
    """
    if not records or not sys.stdout.isatty():
        return [((), record) for record in records]
    from visigate_logging.host.timeline import Timeline, between, when

    times = [when({"time": about(record) or record.timestamp}) or datetime.now(UTC) for record in records]
    found = Timeline(log.parent / "state").read(min(times))
    events = between((event for event in found if known or not event.get("is_error")), times)
    if not is_first:
        events[0] = []
    return [(some[:MOST], record) for some, record in zip(events, records, strict=True)]


def _row(event: Mapping[str, Any]) -> tuple[Cell, ...]:
    return brief(event["time"]), str(event["event"]), str(event["text"])
