"""Errors as rows: what recent and follow have in common."""

from visigate_logging.cli.table import Brief, Cell, Column
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.severities import COLOURS, LEVELS
from visigate_logging.present.words import brief_time, local_time
from visigate_logging.store.typed import about

LONGEST = 300
COLUMNS = (
    Column("TIME"),
    Column("SEVERITY", colours=COLOURS),
    Column("ERROR", stretches=True),
    Column("WHERE", dropped=1),
    Column("ID"),
)


def row(record: ErrorDetail, event_id: Brief) -> tuple[Cell, ...]:
    """Return the cells of an error, in the order of COLUMNS."""
    where = f"{record.module} in {record.function}" if record.function else record.module
    what = record.error_message[:LONGEST]
    if record.error_type not in LEVELS:
        what = f"{record.error_type}: {what}"
    return (brief_time_of(record), record.severity, what, where, event_id)


def time_of(record: ErrorDetail) -> str:
    """Return when an error was, in the local zone: worked out, and so only about, if the clock was wrong."""
    return f"~{local_time(about(record))}" if about(record) else local_time(record.timestamp)


def brief_time_of(record: ErrorDetail) -> Brief:
    """Return the same as a cell of a table."""
    known = about(record)
    return Brief(time_of(record), f"~{brief_time(known)}" if known else brief_time(record.timestamp))


def brief(timestamp: str) -> Brief:
    """Return a time as a cell of a table."""
    return Brief(local_time(timestamp), brief_time(timestamp))
