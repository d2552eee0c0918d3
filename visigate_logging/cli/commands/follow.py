"""Show new errors as they come."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import FILTERS, LOG, Args, argument, number
from visigate_logging.cli.output import bold, dim, painted, say, say_json, terminal_columns, width
from visigate_logging.cli.records import COLUMNS, row
from visigate_logging.cli.selection import filters, open_log
from visigate_logging.cli.table import as_text, briefly, fitted
from visigate_logging.detail.plain import plain
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.severities import COLOURS
from visigate_logging.present.words import brief_time

ARGUMENTS = (
    LOG,
    argument("--json", "print JSON, for programs: one record a line"),
    argument("--backlog N", "begin with the last N errors (default: 10; 0 with --json)", type=number),
    FILTERS,
)
LOOK_EVERY = 0.5


def run(args: Args) -> None:
    """Show new errors, behind the last of before, until interrupted."""
    store = open_log(args)
    asked = filters(store, args)
    backlog = (0 if args.json else 10) if args.backlog is None else args.backlog
    if not args.json:
        say(bold(_laid_out(tuple(column.header for column in COLUMNS), "bold")))
        if not any(asked.values()):
            _say_events_aside(store.path.parent / "state")
    for record in store.follow(backlog=backlog, **asked):
        if args.json:
            say_json(record.to_dict(), line=True)
        else:
            say(_line(record))
        sys.stdout.flush()


def _line(record: ErrorDetail) -> str:
    """Return an error on a line that fits the terminal, without knowing those that are still to come."""
    whole = not sys.stdout.isatty()
    cells = row(record, briefly([record.event_id], ends=True)[record.event_id])
    return _laid_out(tuple(as_text(cell, whole=whole) for cell in cells), COLOURS.get(record.severity, "bold"))


def _laid_out(texts: tuple[str, ...], colour: str) -> str:
    """Return the cells of `recent`, as far as they fit; for a pipe with tabs between them."""
    if not sys.stdout.isatty():
        return "\t".join(texts)
    time, severity, what, where, event_id = texts
    room = terminal_columns() - 15 - 8 - 6 - 6
    what = fitted(f"{what} ({where})" if where != "WHERE" else what, room)
    what += " " * (room - width(what))
    return f"{time:<15}  {painted(f'{severity:<8}', colour)}  {what}  {event_id}"


def _say_events_aside(state_dir: Path) -> None:
    """Say, in a thread, what else happens to the host meanwhile: releases, restarts, recoveries.

    Args:
        state_dir: where the timeline is; it need not be there yet.
    """
    import threading
    import time

    from visigate_logging.host.timeline import Timeline

    timeline = Timeline(state_dir)
    known = set(map(_key, timeline.read()))

    def look() -> None:
        mark = timeline.mark()
        while True:
            time.sleep(LOOK_EVERY)
            before, mark = mark, timeline.mark()
            for event in timeline.read() if mark != before else ():
                if _key(event) not in known:
                    known.add(_key(event))
                    if not event.get("is_error"):  # that comes as an error
                        text = f"{brief_time(event['time'])}  {event['event']:<13}  {event['text']}"
                        say(dim(plain(text, one_line=True)))
                        sys.stdout.flush()

    threading.Thread(target=look, name="visigate-timeline", daemon=True).start()


def _key(event: Mapping[str, Any]) -> tuple[str, str]:
    return str(event["time"]), str(event["text"])
