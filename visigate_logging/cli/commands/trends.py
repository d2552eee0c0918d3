"""Show what becomes more or less, and what came in bursts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from visigate_logging.cli.arguments import JSON, LOG, WIDE, Args, argument, last_days
from visigate_logging.cli.charts import ARROWS, bursts
from visigate_logging.cli.output import answer, bold, complain, dim
from visigate_logging.cli.selection import open_store
from visigate_logging.cli.table import Column, briefly, one_line, table
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import brief_time
from visigate_logging.store.store import ErrorStore

PAGED = True
ARGUMENTS = (LOG, JSON, WIDE, last_days(30), argument("--all", "all groups, steady ones without bursts as well"))
MOVING = (
    Column("COUNT", right=True),
    Column("IS"),
    Column("LAST BURST"),
    Column("ERROR", stretches=True),
    Column("GROUP"),
)
FEW_GROUPS = 15
LIKELY = 0.5
MOST_LIKELY = 10
QUIET = {"steady", "too few days"}


def run(args: Args) -> int:
    """Show the course of all errors, then that of groups which move."""
    store = open_store(args)
    found = store.trends(args.days) | {"forecast": store.forecast()}
    return answer(args, found, _told(found, args, store))


def _told(found: Mapping[str, Any], args: Args, store: ErrorStore) -> Iterator[str]:
    yield bold(f"all errors: {found['total']['count']} in {args.days} days, {found['total']['trend']}")
    yield from bursts(found["total"])
    told = [g for g in found["groups"] if args.all or g["trend"] not in QUIET or g["bursts"]]
    keys = briefly((group["key"] for group in told), ends=False)
    rows = [(str(g["count"]), ARROWS[g["trend"]], _burst(g), g["title"], keys[g["key"]]) for g in told]
    most = len(rows) if args.all or args.wide else FEW_GROUPS
    if rows:
        yield "\n" + table(MOVING, rows[:most], wide=args.wide)
    if len(rows) > most:
        complain(f"and {len(rows) - most} more: --all")
    likely = [f for f in found["forecast"] if f["probability"] > LIKELY]
    if likely:
        yield "\n" + bold("likely back within 7 days")
    for forecast in likely[:MOST_LIKELY]:
        key = forecast["key"].rpartition(":")[2][:6]
        yield one_line(f"  {forecast['probability']:>4.0%}  {key}  {forecast['title']}")
    if meanwhile := Timeline(store.path.parent / "state").counts(datetime.now(UTC) - timedelta(days=args.days)):
        said = ", ".join(f"{n} {event}" for event, n in meanwhile.items())
        yield dim(f"\nmeanwhile: {said}; see visigate-errors timeline")


def _burst(group: Mapping[str, Any]) -> str:
    """Return when the last burst of a group was, and how many."""
    if not group["bursts"]:
        return ""
    last = group["bursts"][-1]
    return f"{last['count']} at {brief_time(last['start'])[:-3]}"
