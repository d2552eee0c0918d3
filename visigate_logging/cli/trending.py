"""trends: what becomes more or less, and what came in bursts."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from visigate_logging.cli.arguments import add_json, add_log, add_wide, open_store
from visigate_logging.cli.command import DONE
from visigate_logging.cli.counting import ARROWS, add_days, one_line, say_bursts
from visigate_logging.cli.output import bold, complain, dim, say, say_json
from visigate_logging.cli.table import Column, briefly, table
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import brief_time
from visigate_logging.store.store import ErrorStore

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


def _trends_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    add_json(parser)
    add_wide(parser)
    add_days(parser, 30)
    parser.add_argument("--all", action="store_true", help="all groups, steady ones without bursts as well")


def trends(args: argparse.Namespace) -> int:
    """Say what becomes more or less, and what came in bursts."""
    store = open_store(args)
    found = store.trends(args.days)
    if args.json:
        say_json(found | {"forecast": store.forecast()})
        return DONE
    say(bold(f"all errors: {found['total']['count']} in {args.days} days, {found['total']['trend']}"))
    say_bursts(found["total"])
    told = [g for g in found["groups"] if args.all or g["trend"] not in QUIET or g["bursts"]]
    keys = briefly((group["key"] for group in told), ends=False)
    rows = [(str(g["count"]), ARROWS[g["trend"]], _burst(g), g["title"], keys[g["key"]]) for g in told]
    if rows:
        say("\n" + table(MOVING, rows if args.all or args.wide else rows[:FEW_GROUPS], wide=args.wide))
    if len(rows) > FEW_GROUPS and not (args.all or args.wide):
        complain(f"and {len(rows) - FEW_GROUPS} more: --all")
    _forecasts(store)
    _events(store, args.days)
    return DONE


def _events(store: ErrorStore, days: int) -> None:
    """Say what else happened meanwhile to the host and its processes."""
    found = Timeline(store.path.parent / "state").counts(datetime.now(UTC) - timedelta(days=days))
    if found:
        said = ", ".join(f"{n} {event}" for event, n in found.items())
        say(dim(f"\nmeanwhile: {said}; see visigate-errors timeline"))


def _burst(group: Mapping[str, Any]) -> str:
    """Return when the last burst of a group was, and how many."""
    if not group["bursts"]:
        return ""
    last = group["bursts"][-1]
    return f"{last['count']} at {brief_time(last['start'])[:-3]}"


def _forecasts(store: ErrorStore) -> None:
    """Say which groups are more likely than not to come back."""
    likely = [f for f in store.forecast() if f["probability"] > LIKELY]
    if likely:
        say("\n" + bold("likely back within 7 days"))
    for forecast in likely[:MOST_LIKELY]:
        key = forecast["key"].rpartition(":")[2][:6]
        say(one_line(f"  {forecast['probability']:>4.0%}  {key}  {forecast['title']}"))
