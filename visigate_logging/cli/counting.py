"""stats, groups and trends: how many, of what kind, and whether it gets worse."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from visigate_logging.cli.command import (
    DONE,
    FAILED,
    Command,
    add_facets,
    add_json,
    add_log,
    days,
    facets,
    open_store,
    positive,
)
from visigate_logging.cli.output import bar, bold, complain, dim, painted, plain, say, say_json, table, width
from visigate_logging.cli.reading import local_time, time_of, warn_of_unreadable
from visigate_logging.store.facets import FACETS
from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore

__all__ = ["GROUPS", "STATS", "TRENDS", "sparkline"]

SHOWN = 10
LIKELY = 0.5
ARROWS = {"rising": "↗", "falling": "↘", "steady": "→", "too few days": " "}
QUIET = {"steady", "too few days"}
HEIGHTS = "▁▂▃▄▅▆▇█"


def _days(parser: argparse.ArgumentParser, default: int) -> None:
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
    _days(parser, 7)


def stats(args: argparse.Namespace) -> int:
    """How many errors, of which types, from where, when."""
    store = open_store(args)
    found = store.statistics(args.days)
    warn_of_unreadable(store)
    if args.json:
        say_json(found)
        return DONE
    say(bold(f"{found['total_errors']} errors in {args.days} days"))
    _bars("by day", found["daily_counts"], 0)
    by_facet = {facet.name: found[facet.counts] for facet in FACETS} | found["facets"]
    for name, counts in by_facet.items():
        if counts.keys() - {""}:
            _bars(f"by {name}", dict(list(counts.items())[:SHOWN]), max(0, len(counts) - SHOWN))
    _bars("by hour of the day", found["hours"], 0)
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
    parser.add_argument("key", metavar="KEY", nargs="?", help="one group, by its fingerprint")
    add_log(parser)
    add_json(parser)
    _days(parser, 30)
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most so many (default: 20)")
    parser.add_argument("--order", choices=("last", "count"), default="last", help="latest or most frequent first")
    parser.add_argument("--text", help="only with this in title or culprit")
    add_facets(parser)


def groups(args: argparse.Namespace) -> int:
    """Errors that belong together: how often, since when, whether they become more."""
    if args.key:
        return _one_group(args)
    page = open_store(args).groups(args.limit, days=args.days, order=args.order, text=args.text, **facets(args))
    if args.json:
        say_json([group.to_dict() for group in page])
    elif page.groups:
        say(table(("COUNT", "LAST", "", "DAYS", "ERROR", "GROUP"), list(map(_row, page)), stretch=4, right=(0,)))
    if not page.groups:
        complain("no such groups")
    return DONE if page.groups else FAILED


def _row(group: Group) -> tuple[str, ...]:
    mark = ("new " if group.new else "") + ARROWS[group.trend]
    last = local_time(group.last_seen.isoformat())
    return str(group.count), last, mark, sparkline(group.daily), f"{group.title} ({group.module})", group.key


def sparkline(counts: Iterable[int]) -> str:
    """Counts as a line of small bars."""
    values = list(counts)
    top = max(values, default=0)
    return "".join(HEIGHTS[-(-n * 7 // top)] if n else " " for n in values) if top else " " * len(values)


def _one_group(args: argparse.Namespace) -> int:
    found = open_store(args).group(args.key, days=args.days, limit=args.limit)
    group = found["group"]
    if args.json:
        say_json(found | {"group": group and group.to_dict(), "events": [r.to_dict() for r in found["events"]]})
        return DONE
    say(bold(plain(group.title if group else args.key)))
    if group:
        say(plain(group.culprit))
        first, last = (local_time(when.isoformat()) for when in (group.first_seen, group.last_seen))
        say(f"{group.count} in {args.days} days, {found['total']} in all; first {first}, last {last}")
        say(f"{sparkline(group.daily)}  {ARROWS[found['trend']]} {found['trend']}")
    _bursts(found)
    for line in _insights(found):
        say(line)
    if found["events"]:
        _bars_of(found["varying"])
        say("\n" + bold("why they belong together"))
        for part, value in found["why"].items():
            say(f"  {part}: {plain(str(value), one_line=True)}")
        say("\n" + bold("events"))
        for record in found["events"]:
            message = plain(record.error_message[:80], one_line=True)
            say(f"  {time_of(record)}  {record.event_id}  {message}")
    return DONE


def _insights(found: Mapping[str, Any]) -> Iterator[str]:
    """What is known of a group beyond its counts, in sentences."""
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
        yield plain(f"comes with: {other['title']}  {other['key']}", one_line=True)


def _bars_of(varying: Mapping[str, Mapping[str, int]]) -> None:
    for name, values in varying.items():
        _bars(plain(name), {value[:60]: n for value, n in values.items()}, 0)


def _trends_arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    add_json(parser)
    _days(parser, 30)
    parser.add_argument("--all", action="store_true", help="steady groups without bursts as well")


def trends(args: argparse.Namespace) -> int:
    """What becomes more or less, and what came in bursts."""
    store = open_store(args)
    found = store.trends(args.days)
    if args.json:
        say_json(found | {"forecast": store.forecast()})
        return DONE
    say(bold(f"all errors: {found['total']['count']} in {args.days} days, {found['total']['trend']}"))
    _bursts(found["total"])
    for group in found["groups"]:
        if args.all or group["trend"] not in QUIET or group["bursts"]:
            say(f"\n{ARROWS[group['trend']]} {bold(plain(group['title'], one_line=True))}  {dim(group['key'])}")
            say(f"  {group['count']} {sparkline(group['daily'])} {group['trend']} (p = {group['p']:.2g})")
            _bursts(group)
    _forecasts(store)
    return DONE


def _forecasts(store: ErrorStore) -> None:
    """Say which groups are more likely than not to come back."""
    likely = [f for f in store.forecast() if f["probability"] > LIKELY]
    if likely:
        say("\n" + bold("likely back within 7 days"))
    for forecast in likely[:SHOWN]:
        title = plain(forecast["title"], one_line=True)
        say(f"  {forecast['probability']:.0%}  {title}  {dim(plain(forecast['key']))}")


def _bursts(course: Mapping[str, Any]) -> None:
    for burst in course["bursts"][-5:]:
        span = "an hour" if burst["hours"] == 1 else f"{burst['hours']} hours"
        say(f"  burst at {local_time(burst['start'])}: {burst['count']} in {span}, {burst['expected']:.1f} expected")


STATS = Command("stats", "how many errors, of which types, from where, when", _stats_arguments, stats)
GROUPS = Command("groups", "errors that belong together", _groups_arguments, groups)
TRENDS = Command("trends", "what becomes more or less, and what came in bursts", _trends_arguments, trends)
