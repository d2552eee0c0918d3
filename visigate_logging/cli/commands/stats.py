"""Show how many errors, of which types, from where, when."""

from collections.abc import Iterator, Mapping
from typing import Any

from visigate_logging.cli.arguments import JSON, LOG, Args, last_days
from visigate_logging.cli.charts import sparkline
from visigate_logging.cli.output import answer, bar, bold, dim, painted, paragraph, width
from visigate_logging.cli.selection import open_store, warn_of_unreadable
from visigate_logging.detail.plain import plain
from visigate_logging.store.facets import FACETS

PAGED = True
ARGUMENTS = (LOG, JSON, last_days(7))
SHOWN = 10


def run(args: Args) -> int:
    """Show the counts of the last days."""
    store = open_store(args)
    found = store.statistics(args.days)
    warn_of_unreadable(store)
    return answer(args, found, _told(found, args.days))


def _told(found: Mapping[str, Any], days: int) -> Iterator[str]:
    yield bold(f"{found['total_errors']} errors in {days} days")
    yield f"groups: {', '.join(f'{n} {state}' for state, n in found['states'].items())}"
    yield from _bars("by day", found["daily_counts"], 0)
    by_facet = {facet.name: found[facet.counts] for facet in FACETS} | found["facets"]
    for name, counts in by_facet.items():
        if len(counts) > 1:
            yield from _bars(f"by {name}", dict(list(counts.items())[:SHOWN]), max(0, len(counts) - SHOWN))
    only = [f"{name} {word}" for name, counts in by_facet.items() for word in counts if word and len(counts) == 1]
    if only:
        yield f"\n{bold('all of them')}\n" + paragraph("  ", ", ".join(only))
    yield f"\n{bold('by hour of the day, 0 to 23')}\n  {painted(sparkline(found['hours'].values()), 'blue')}"


def _bars(title: str, counts: Mapping[str, int], others: int) -> Iterator[str]:
    names = {name: plain(name, one_line=True) or "(none)" for name in counts}
    widest = max(map(width, names.values()), default=0)
    top = max(counts.values(), default=0)
    yield f"\n{bold(title)}"
    for name, n in counts.items():
        yield f"  {names[name]}{' ' * (widest - width(names[name]))}  {n:>7}  {painted(bar(n, top), 'blue')}"
    if others:
        yield dim(f"  and {others} others")
