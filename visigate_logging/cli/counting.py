"""stats, groups and trends: how many, of what kind, and whether it gets worse."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from visigate_logging.cli.arguments import add_facets, add_json, add_log, add_wide, days, facets, open_store, positive
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import (
    as_written,
    bar,
    bold,
    complain,
    dim,
    painted,
    paragraph,
    say,
    say_json,
    terminal_columns,
    width,
)
from visigate_logging.cli.reading import brief_time_of, warn_of_unreadable
from visigate_logging.cli.table import Brief, Cell, Column, briefly, fitted, table
from visigate_logging.detail.plain import plain
from visigate_logging.present.charts import heights
from visigate_logging.present.states import decision_in_words, state_in_words
from visigate_logging.present.words import brief_time, local_time, worded
from visigate_logging.store.facets import FACETS
from visigate_logging.store.groups import Group
from visigate_logging.triage.states import STATES

COLUMNS = (
    Column("COUNT", right=True),
    Column("LAST"),
    Column("IS"),
    Column("ERROR", stretches=True),
    Column("DAYS", dropped=1),
    Column("GROUP"),
)
SHOWN = 10
MOST_BURSTS = 3
ARROWS = {"rising": "↗", "falling": "↘", "steady": "→", "too few days": " "}
BARS = " ▂▃▄▅▆▇█"


def add_days(parser: argparse.ArgumentParser, default: int) -> None:
    """Declare ``--days``."""
    parser.add_argument(
        "--days",
        type=days,
        default=default,
        metavar="N",
        help=f"of the last days, with today (default: {default})",
    )


def _stats_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    add_json(parser)
    add_days(parser, 7)


def stats(args: argparse.Namespace) -> int:
    """Show how many errors, of which types, from where, when."""
    store = open_store(args)
    found = store.statistics(args.days)
    warn_of_unreadable(store)
    if args.json:
        say_json(found)
        return DONE
    say(bold(f"{found['total_errors']} errors in {args.days} days"))
    say(f"groups: {', '.join(f'{n} {state}' for state, n in found['states'].items())}")
    _bars("by day", found["daily_counts"], 0)
    by_facet = {facet.name: found[facet.counts] for facet in FACETS} | found["facets"]
    for name, counts in by_facet.items():
        if len(counts) > 1:
            _bars(f"by {name}", dict(list(counts.items())[:SHOWN]), max(0, len(counts) - SHOWN))
    only = [f"{name} {word}" for name, counts in by_facet.items() for word in counts if word and len(counts) == 1]
    if only:
        say(f"\n{bold('all of them')}\n" + paragraph("  ", ", ".join(only)))
    say(f"\n{bold('by hour of the day, 0 to 23')}\n  {painted(sparkline(found['hours'].values()), 'blue')}")
    return DONE


def _bars(title: str, counts: Mapping[str, int], others: int) -> None:
    names = {name: plain(name, one_line=True) or "(none)" for name in counts}
    widest = max(map(width, names.values()), default=0)
    top = max(counts.values(), default=0)
    say(f"\n{bold(title)}")
    for name, n in counts.items():
        say(f"  {names[name]}{' ' * (widest - width(names[name]))}  {n:>7}  {painted(bar(n, top), 'blue')}")
    if others:
        say(dim(f"  and {others} others"))


def _groups_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", nargs="?", help="one group, by its key or the beginning of it")
    add_log(parser)
    add_json(parser)
    add_wide(parser)
    add_days(parser, 30)
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most so many (default: 20)")
    parser.add_argument("--order", choices=("last", "count"), default="last", help="latest or most frequent first")
    parser.add_argument("--text", help="only with this in title or culprit")
    parser.add_argument(
        "--state", choices=(*STATES, "all"), default="open", help="only groups in this state (default: open)"
    )
    add_facets(parser)


def groups(args: argparse.Namespace) -> int:
    """Errors that belong together: how often, since when, whether they become more."""
    if args.key:
        return _one_group(args)
    store = open_store(args)
    state = None if args.state == "all" else args.state
    asked: dict[str, Any] = {"days": args.days, "order": args.order, "text": args.text, "state": state}
    page = store.groups(args.limit, **asked, **facets(store, args))
    if args.json:
        say_json([group.to_dict() for group in page])
    elif page.groups:
        keys = briefly((group.key for group in page), ends=False)
        say(table(COLUMNS, [_row(group, keys[group.key]) for group in page], wide=args.wide))
    if not args.json and (others := [f"{n} {name}" for name, n in page.states.items() if n and name != args.state]):
        complain(f"besides: {', '.join(others)}; see --state" if state else ", ".join(others))
    if not page.groups:
        complain(f"no {args.state} groups" if state else "no groups")
    return DONE if page.groups else FAILED


def _row(group: Group, key: Brief) -> tuple[Cell, ...]:
    mark = ("back " if group.state.regressed else "new " if group.new else "") + ARROWS[group.trend]
    if group.state.name != "open":
        mark = group.state.name
    seen = group.last_seen.isoformat()
    last, what = Brief(local_time(seen), brief_time(seen)), f"{group.title} ({group.module})"
    return str(group.count), last, mark, what, sparkline(group.daily), key


def sparkline(counts: Iterable[int]) -> str:
    """Return counts as a line of small bars."""
    return "".join(BARS[height] for height in heights(counts, len(BARS) - 1))


def _one_group(args: argparse.Namespace) -> int:
    store = open_store(args)
    found = store.group(store.group_key(args.key), days=args.days, limit=args.limit)
    group = found["group"]
    if args.json:
        plain_values = {name: [one.to_dict() for one in found[name]] for name in ("events", "history")}
        say_json(found | plain_values | {"group": group and group.to_dict()})
        return DONE
    say(bold(one_line(group.title if group else args.key)))
    if group:
        say(one_line(group.culprit))
        first, last = (local_time(when.isoformat()) for when in (group.first_seen, group.last_seen))
        say(f"{group.count} in {args.days} days, {found['total']} in all; first {first}, last {last}")
        say(f"{sparkline(group.daily)}  {ARROWS[found['trend']]} {found['trend']}  {dim(group.key)}")
    if words := state_in_words(found["state"]):
        say(paragraph("", words))
    for line in _insights(found):
        say(line)
    say_bursts(found)
    if found["history"]:
        say("\n" + bold("what was decided"))
    for decision in found["history"]:
        say(paragraph("  ", decision_in_words(decision)))
    if found["events"]:
        _say_events(found, len(found["events"]) if args.wide else SHOWN)
    return DONE


def _say_events(found: Mapping[str, Any], most: int) -> None:
    """Say which errors a group has, in what they differ, and why they belong together."""
    say("\n" + bold("latest errors"))
    ids = briefly((record.event_id for record in found["events"]), ends=True)
    for record in found["events"][:most]:
        when, short = brief_time_of(record).short, ids[record.event_id].short
        say(f"  {when}  {short}  {one_line(record.error_message, len(when) + len(short) + 6)}")
    _bars_of(found["varying"], len(found["events"]))
    if found["why"]:
        say("\n" + bold("why they belong together"))
    for part, value in found["why"].items():
        if value:
            say(paragraph(f"  {part}: ", worded(value)))


def one_line(text: str, taken: int = 0) -> str:
    """Return a text on one line of the terminal, of which some columns are taken."""
    text = as_written(plain(text, one_line=True))
    return fitted(text, terminal_columns() - taken) if sys.stdout.isatty() else text


def _insights(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is known of a group beyond its counts, in sentences."""
    if forecast := found["forecast"]:
        yield f"likely back within {forecast['within_days']} days: {forecast['probability']:.0%}"
    if rhythm := found["rhythm"]:
        yield (
            f"usually between {rhythm['begin']:02}:00 and {rhythm['end']:02}:00, "
            f"on {rhythm['days']} of {rhythm['of']} days"
        )
    for name, value in found["only"].items():
        yield plain(f"only {name} {value}", one_line=True)
    for other in found["comes_with"]:
        yield one_line(f"comes with {other['key'].rpartition(':')[2][:6]}: {other['title']}")


def _bars_of(varying: Mapping[str, Mapping[str, int]], events: int) -> None:
    if varying:
        say("\n" + bold(f"what differs between the last {events}"))
    for name, values in varying.items():
        each = max(values.values()) == 1
        told = ", ".join(
            (worded(v) or "(none)") if each else f"{worded(v) or '(none)'} x {n}" for v, n in values.items()
        )
        told += ", … each time another" if each else ""
        say(paragraph(f"  {plain(name, one_line=True)}: ", told))


def say_bursts(course: Mapping[str, Any]) -> None:
    """Say the last bursts of a group or of all errors."""
    bursts = course["bursts"]
    for burst in bursts[-MOST_BURSTS:]:
        span = "an hour" if burst["hours"] == 1 else f"{burst['hours']} hours"
        say(f"  burst at {local_time(burst['start'])}: {burst['count']} in {span}, {burst['expected']:.1f} expected")
    if len(bursts) > MOST_BURSTS:
        say(dim(f"  and {len(bursts) - MOST_BURSTS} bursts before"))
