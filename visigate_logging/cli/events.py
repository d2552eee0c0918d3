"""Events of the host as a table."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.cli.output import answer
from visigate_logging.cli.records import brief
from visigate_logging.cli.table import Cell, Column, table

BAD = ("crash", "hang", "killed", "power")
EVENTS = (Column("TIME"), Column("EVENT", colours=dict.fromkeys(BAD, "red")), Column("WHAT", stretches=True))


def say_events(found: Sequence[Mapping[str, Any]], args: argparse.Namespace, nothing: str) -> int:
    """Say what happened, the oldest first, or that nothing did; return the exit code."""
    lines = [table(EVENTS, map(_row, found), wide=args.wide)] if found else []
    return answer(args, found, lines, nothing=nothing)


def _row(event: Mapping[str, Any]) -> tuple[Cell, ...]:
    return brief(event["time"]), str(event["event"]), str(event["text"])
