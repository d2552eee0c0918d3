"""Show the newest errors, the newest first."""

from visigate_logging.cli.arguments import FILTERS, JSON, LOG, WIDE, Args, argument, limit
from visigate_logging.cli.events import with_events
from visigate_logging.cli.output import answer, complain
from visigate_logging.cli.records import COLUMNS, brief, row
from visigate_logging.cli.selection import filters, open_log, warn_of_unreadable
from visigate_logging.cli.table import Cell, briefly, table

PAGED = True
ARGUMENTS = (
    LOG,
    JSON,
    WIDE,
    limit(10),
    argument("--cursor CURSOR", "go on after the last page; it is told on standard error"),
    FILTERS,
)


def run(args: Args) -> int:
    """Show the newest errors, on a terminal with what happened to the host between them, and how to go on."""
    store = open_log(args)
    page = store.recent(args.limit, cursor=args.cursor, **filters(store, args))
    warn_of_unreadable(store)
    ids = briefly((record.event_id for record in page), ends=True)
    rows: list[tuple[Cell, ...]] = []
    for events, record in with_events(store.path, page.records, is_first=not args.cursor):
        rows += [(brief(event["time"]), str(event["event"]), str(event["text"]), "", "") for event in events]
        rows.append(row(record, ids[record.event_id]))
    lines = [table(COLUMNS, rows, wide=args.wide)] if rows else []
    more = f"there are more: --cursor {page.cursor}" if page.cursor else ""
    if page.searched_back_to:
        more = f"searched back to {page.searched_back_to:%Y-%m-%d %H:%M}; go on with --cursor {page.cursor}"
    nothing = more or f"no such errors in {store.path}"
    code = answer(args, [record.to_dict() for record in page], lines, nothing=nothing)
    if rows and more:
        complain(more)
    return code
