"""recent, show and follow: single errors."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from visigate_logging.cli.arguments import (
    add_filters,
    add_json,
    add_log,
    add_wide,
    filters,
    number,
    open_store,
    positive,
)
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import bold, complain, dim, painted, say, say_json, terminal_columns, width
from visigate_logging.cli.table import Brief, Cell, Column, as_text, briefly, fitted, table
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.plain import plain
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present import context
from visigate_logging.present.facts import RELATIONS, Kind, facts_of
from visigate_logging.present.severities import COLOURS
from visigate_logging.present.words import brief_time, local_time
from visigate_logging.store.typed import about

if TYPE_CHECKING:
    from visigate_logging.store.store import ErrorStore


LONGEST = 300
MACHINE_IN_SHORT = 3
"""Facts of the machine that are told where nothing in it is unusual."""
COLUMNS = (
    Column("TIME"),
    Column("SEVERITY"),
    Column("ERROR", stretches=True),
    Column("WHERE", dropped=1),
    Column("ID"),
)


def _recent_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    add_json(parser)
    add_wide(parser)
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="at most so many (default: 10)")
    parser.add_argument("--cursor", help="go on after the last page; it is told on standard error")
    add_filters(parser)


def recent(args: argparse.Namespace) -> int:
    """Show the newest errors, the newest first."""
    store = open_store(args)
    records = store.recent(args.limit, cursor=args.cursor, **filters(store, args))
    warn_of_unreadable(store)
    if args.json:
        say_json([record.to_dict() for record in records])
    elif records.records:
        ids = briefly((record.event_id for record in records), ends=True)
        say(table(COLUMNS, [_row(record, ids[record.event_id]) for record in records], wide=args.wide))
    if records.searched_back_to:
        complain(f"searched back to {records.searched_back_to:%Y-%m-%d %H:%M}; go on with --cursor {records.cursor}")
    elif records.cursor:
        complain(f"there are more: --cursor {records.cursor}")
    elif not records.records:
        complain(f"no such errors in {store.path}")
    return DONE if records.records else FAILED


def _row(record: ErrorDetail, event_id: Brief) -> tuple[Cell, ...]:
    what = f"{record.error_type}: {record.error_message[:LONGEST]}"
    return (brief_time_of(record), record.severity, what, where(record), event_id)


def where(record: ErrorDetail) -> str:
    """``module in function``, as far as known."""
    return f"{record.module} in {record.function}" if record.function else record.module


def time_of(record: ErrorDetail) -> str:
    """Return when an error was, in the local zone: worked out, and so only about, if the clock was wrong."""
    return f"~{local_time(about(record))}" if about(record) else local_time(record.timestamp)


def brief_time_of(record: ErrorDetail) -> Brief:
    """Return the same as a cell of a table."""
    known = about(record)
    return Brief(time_of(record), f"~{brief_time(known)}" if known else brief_time(record.timestamp))


def warn_of_unreadable(store: "ErrorStore") -> None:
    """Say on standard error what could not be read."""
    if found := store.unreadable(1):
        complain(
            f"passed over {store.health()['unreadable']} unreadable places, the last in {found[0]['file']} "
            f"at byte {found[0]['offset']}: {found[0]['problem']}"
        )


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="the event's id, or the beginning or end of it (default: the newest)"
    )
    add_log(parser)
    add_json(parser)


def show(args: argparse.Namespace) -> int:
    """One error to its cause."""
    store = open_store(args)
    newest = store.recent(limit=1).records if args.id is None else [store.get(args.id)]
    if not newest:
        complain(f"no errors in {store.path}")
        return FAILED
    if args.json:
        say_json(newest[0].to_dict())
    else:
        for line in _sheet(newest[0]) + _others(newest[0], store):
            say(line)
    return DONE


def _sheet(record: ErrorDetail) -> list[str]:
    lines = [
        bold(painted(plain(f"{record.error_type}: {record.error_message}"), "red")),
        plain(f"in {record.function or '?'} of {record.module}"),
        "",
    ]
    told = [("time", f"{time_of(record)} ({record.timestamp})")]
    told += [("", "the clock was wrong: about this time by the clock that was right later")] if about(record) else []
    lines += _pairs([*told, *((f.label.lower(), f.value) for f in facts_of(record) if f.kind is Kind.LINE)])
    if before := context.moments(record):
        lines += ["", bold("just before"), *(dim(plain(f"  {told}", one_line=True)) for told in before)]
    for exception in record.exceptions:
        lines += ["", *_exception(exception)]
    if not record.exceptions and record.traceback:
        lines += ["", plain(record.traceback.rstrip())]
    if record.additional_info:
        lines += ["", bold("additional information"), *_pairs(record.additional_info.items())]
    if state := context.machine(record):
        unusual = context.unusual(record)
        lines += ["", bold("machine") if unusual else bold("machine, nothing unusual")]
        lines += _pairs(state if unusual else state[:MACHINE_IN_SHORT])
    return lines


def _pairs(pairs: Iterable[tuple[str, object]]) -> list[str]:
    return [f"{plain(name):>14}  {plain(str(value))}" for name, value in pairs]


def _others(record: ErrorDetail, store: "ErrorStore") -> list[str]:
    """Return what else went wrong within a minute."""
    found = [(o, f"{o.error_type}: {o.error_message}"[:LONGEST]) for o in store.around(record)]
    lines = [plain(f"  {time_of(o)}  {o.process}: {said} ({o.event_id})", one_line=True) for o, said in found]
    return ["", bold("at the same time"), *lines] if lines else []


def _exception(exception: ExceptionData) -> list[str]:
    """One exception of the chain: the application's own frames stand out, the libraries' are dimmed."""
    relation = RELATIONS.get(exception.relation or "", "").lower()
    module = "" if exception.module == "builtins" else f"{exception.module}."
    head = plain(f"{module}{exception.type}: {exception.message}")
    lines = [(f"{relation} " if relation else "") + painted(head, "red")]
    lines += [plain(f"  note: {note}") for note in exception.notes]
    for frame in exception.frames:
        lines += _frame(frame)
    if exception.frames_omitted:
        lines.append(dim(f"  … {exception.frames_omitted} frames more were left out of the middle"))
    if exception.members_omitted:
        lines.append(dim(f"  … {exception.members_omitted} members more of the group were left out"))
    return lines


def _frame(frame: Frame) -> list[str]:
    place = plain(f"  {frame.file}:{frame.line} in {frame.function}")
    lines = [place, plain(f"      {frame.code}")] if frame.code else [place]
    told = [dim(plain(f"          {value}", one_line=False)) for value in context.values(frame)]
    return [*(bold(line) if frame.in_app else dim(line) for line in lines), *told]


def _follow_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs: one record a line")
    parser.add_argument(
        "--backlog",
        type=number,
        metavar="N",
        help="begin with the last N errors (default: 10; 0 with --json)",
    )
    add_filters(parser)


def follow(args: argparse.Namespace) -> int:
    """Say new errors as they come, behind the last of before, until interrupted."""
    store = open_store(args)
    asked = filters(store, args)
    backlog = (0 if args.json else 10) if args.backlog is None else args.backlog
    if not args.json and not any(asked.values()):
        from visigate_logging.cli.lifecycle import say_events_aside

        say_events_aside(store.path.parent / "state")
    for record in store.follow(backlog=backlog, **asked):
        if args.json:
            say_json(record.to_dict(), line=True)
        else:
            say(_line(record))
        sys.stdout.flush()
    return DONE


def _line(record: ErrorDetail) -> str:
    """Return an error on a line that fits the terminal, without knowing those that are still to come."""
    cells = _row(record, briefly([record.event_id], ends=True)[record.event_id])
    whole = not sys.stdout.isatty()
    time, severity, what, where, event_id = (as_text(cell, whole=whole) for cell in cells)
    if whole:
        return "\t".join((time, severity, what, where, event_id))
    colour = COLOURS.get(record.severity, "bold")
    room = terminal_columns() - width(time) - 8 - len(event_id) - 6
    return f"{time}  {painted(f'{severity:<8}', colour)}  {dim(event_id)}  {fitted(f'{what} ({where})', room)}"
