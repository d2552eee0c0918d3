"""recent and show: single errors."""

import argparse
import sys
from datetime import datetime

from visigate_logging.cli.command import (
    DONE,
    FAILED,
    Command,
    add_filters,
    add_json,
    add_log,
    filters,
    open_store,
    positive,
)
from visigate_logging.cli.output import bold, complain, dim, painted, plain, say, say_json, table
from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame
from visigate_logging.present.advice import advice_for
from visigate_logging.store.store import ErrorStore
from visigate_logging.store.typed import about

__all__ = ["FOLLOW", "RECENT", "SHOW", "local_time", "time_of"]

LONGEST = 300
SEVERITY_COLOURS = {"CRITICAL": "red", "ERROR": "red", "WARNING": "yellow"}
RELATIONS = {
    "cause": "caused by",
    "context": "while handling",
    "member": "member of the group",
}


def _recent_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    add_json(parser)
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="at most so many (default: 10)")
    parser.add_argument("--cursor", help="go on after the last page; it is told on standard error")
    add_filters(parser)


def recent(args: argparse.Namespace) -> int:
    """The newest errors, the newest first."""
    store = open_store(args)
    records = store.recent(args.limit, cursor=args.cursor, **filters(args))
    warn_of_unreadable(store)
    if args.json:
        say_json([record.to_dict() for record in records])
    elif records.records:
        say(table(("TIME", "SEVERITY", "ERROR", "WHERE", "ID"), [_row(r) for r in records], stretch=2))
    if records.searched_back_to:
        complain(f"searched back to {records.searched_back_to:%Y-%m-%d %H:%M}; go on with --cursor {records.cursor}")
    elif records.cursor:
        complain(f"there are more: --cursor {records.cursor}")
    elif not records.records:
        complain(f"no such errors in {store.path}")
    return DONE if records.records else FAILED


def _row(record: ErrorDetail) -> tuple[str, ...]:
    what = f"{record.error_type}: {record.error_message[:LONGEST]}"
    return (time_of(record), record.severity, what, where(record), record.event_id)


def where(record: ErrorDetail) -> str:
    """``module in function``, as far as known."""
    return f"{record.module} in {record.function}" if record.function else record.module


def local_time(timestamp: str) -> str:
    """A timestamp of a record in the local time zone, to the second; what is no timestamp stays as it is."""
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return timestamp


def time_of(record: ErrorDetail) -> str:
    """When an error was, in the local time zone; worked out, and so only about, if the clock was wrong."""
    return f"~{local_time(about(record))}" if about(record) else local_time(record.timestamp)


def warn_of_unreadable(store: ErrorStore) -> None:
    """Say on standard error what could not be read."""
    if found := store.unreadable(1):
        complain(
            f"passed over {store.health()['unreadable']} unreadable places, the last in {found[0]['file']} "
            f"at byte {found[0]['offset']}: {found[0]['problem']}"
        )


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="the event's id (default: the newest error)")
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
        for line in _sheet(newest[0]):
            say(line)
    return DONE


def _sheet(record: ErrorDetail) -> list[str]:
    lines = [
        bold(painted(plain(f"{record.error_type}: {record.error_message}"), "red")),
        plain(f"in {record.function or '?'} of {record.module}"),
        "",
    ]
    lines += [f"{name:>12}  {plain(value)}" for name, value in _facts(record) if value]
    for exception in record.exceptions:
        lines += ["", *_exception(exception)]
    if not record.exceptions and record.traceback:
        lines += ["", plain(record.traceback.rstrip())]
    if record.additional_info:
        lines += ["", bold("additional information")]
        lines += [f"{plain(name):>12}  {plain(str(value))}" for name, value in record.additional_info.items()]
    return lines


def _facts(record: ErrorDetail) -> list[tuple[str, str]]:
    return [
        ("time", f"{time_of(record)} ({record.timestamp})"),
        ("", "the clock was wrong: about this time by the clock that was right later" if about(record) else ""),
        ("severity", " ".join(filter(None, (record.severity, record.category)))),
        ("to do", advice_for(record)),
        ("logged", f"{record.message} ({record.logger}, {record.level})"),
        ("handled", "yes: logged where it was caught" if record.handled else ""),
        ("repeats", record.repeats and f"{record.repeats}, the same exception"),
        ("at", f"{record.file}:{record.line}" if record.file else ""),
        ("culprit", record.culprit),
        (
            "process",
            f"{record.process} {record.pid}, thread {record.thread}" + (record.task and f", task {record.task}"),
        ),
        ("host", " ".join(filter(None, (record.host, record.service, record.release)))),
        ("group", record.fingerprint),
        ("why", "; ".join(f"{part}: {value}" for part, value in record.grouping.items() if value)),
        ("id", record.event_id),
    ]


def _exception(exception: ExceptionData) -> list[str]:
    """One exception of the chain: the application's own frames stand out, the libraries' are dimmed."""
    relation = RELATIONS.get(exception.relation or "", "")
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
    return [bold(line) if frame.in_app else dim(line) for line in lines]


def _follow_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs: one record a line")


def follow(args: argparse.Namespace) -> int:
    """New errors as they come, until interrupted."""
    for record in open_store(args).follow():
        if args.json:
            say_json(record.to_dict(), line=True)
        else:
            time, severity, what, place, event_id = (plain(cell, one_line=True) for cell in _row(record))
            colour = SEVERITY_COLOURS.get(record.severity, "bold")
            say(f"{time}  {painted(severity, colour)}  {what}  {dim(f'{place}  {event_id}')}")
        sys.stdout.flush()
    return DONE


RECENT = Command("recent", "the newest errors, the newest first", _recent_arguments, recent)
FOLLOW = Command("follow", "new errors as they come", _follow_arguments, follow)
SHOW = Command("show", "one error to its cause", _show_arguments, show)
