"""Show errors that belong together; one group with what differs in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import FACET, JSON, LOG, WIDE, Args, argument, last_days, limit
from visigate_logging.cli.charts import ARROWS, bursts, sparkline
from visigate_logging.cli.events import with_events
from visigate_logging.cli.output import answer, bold, complain, dim, paragraph
from visigate_logging.cli.records import brief, brief_time_of
from visigate_logging.cli.selection import facets, open_store
from visigate_logging.cli.table import Brief, Cell, Column, briefly, one_line, table
from visigate_logging.present.states import decision_in_words, state_in_words
from visigate_logging.present.words import local_time, worded
from visigate_logging.store.groups import Group
from visigate_logging.triage.states import STATES

PAGED = True
ARGUMENTS = (
    argument("key KEY", "one group, by its key or the beginning of it", nargs="?"),
    LOG,
    JSON,
    WIDE,
    last_days(30),
    limit(20),
    argument("--order ORDER", "latest or most frequent first", choices=("last", "count"), default="last"),
    argument("--text TEXT", "only with this in title or culprit"),
    argument("--state STATE", "only groups in this state", choices=(*STATES, "all"), default="open"),
    *FACET,
)
COLUMNS = (
    Column("COUNT", right=True),
    Column("LAST"),
    Column("IS"),
    Column("ERROR", stretches=True),
    Column("DAYS", dropped=1),
    Column("GROUP"),
)
SHOWN = 10


def run(args: Args) -> int:
    """Show how often each group came, since when, whether it becomes more; or one of them."""
    if args.key:
        return _one_group(args)
    store = open_store(args)
    state = None if args.state == "all" else args.state
    asked: dict[str, Any] = {"days": args.days, "order": args.order, "text": args.text, "state": state}
    page = store.groups(args.limit, **asked, **facets(store, args))
    keys = briefly((group.key for group in page), ends=False)
    rows = [_row(group, keys[group.key]) for group in page]
    others = [f"{n} {name}" for name, n in page.states.items() if n and name != args.state]
    lines = [table(COLUMNS, rows, wide=args.wide)] if rows else []
    code = answer(
        args, [group.to_dict() for group in page], lines, nothing=f"no {state} groups" if state else "no groups"
    )
    if others and not args.json:
        complain(f"besides: {', '.join(others)}; see --state" if state else ", ".join(others))
    return code


def _row(group: Group, key: Brief) -> tuple[Cell, ...]:
    mark = ("back " if group.state.regressed else "new " if group.new else "") + ARROWS[group.trend]
    if group.state.name != "open":
        mark = group.state.name
    what = f"{group.title} ({group.module})"
    return str(group.count), brief(group.last_seen.isoformat()), mark, what, sparkline(group.daily), key


def _one_group(args: Args) -> int:
    store = open_store(args)
    found = store.group(store.group_key(args.key), days=args.days, limit=args.limit)
    plain_values = {name: [one.to_dict() for one in found[name]] for name in ("events", "history")}
    data = found | plain_values | {"group": found["group"] and found["group"].to_dict()}
    return answer(args, data, _told(found, args, store.path))


def _told(found: Mapping[str, Any], args: Args, log: Path) -> Iterator[str]:
    group = found["group"]
    yield bold(one_line(group.title if group else args.key))
    if group:
        yield one_line(group.culprit)
        first, last = (local_time(when.isoformat()) for when in (group.first_seen, group.last_seen))
        yield f"{group.count} in {args.days} days, {found['total']} in all; first {first}, last {last}"
        yield f"{sparkline(group.daily)}  {ARROWS[found['trend']]} {found['trend']}  {dim(group.key)}"
    if words := state_in_words(found["state"]):
        yield paragraph("", words)
    yield from _insights(found)
    yield from bursts(found)
    if found["history"]:
        yield "\n" + bold("what was decided")
    for decision in found["history"]:
        yield paragraph("  ", decision_in_words(decision))
    if found["events"]:
        yield from _events(found, len(found["events"]) if args.wide else SHOWN, log)


def _events(found: Mapping[str, Any], most: int, log: Path) -> Iterator[str]:
    """Yield which errors a group has, in what they differ, and why they belong together."""
    yield "\n" + bold("latest errors")
    ids = briefly((record.event_id for record in found["events"]), ends=True)
    for happened, record in with_events(log, found["events"].records[:most], known=True):
        for event in happened:
            yield dim(one_line(f"  {brief(event['time']).short}  {event['event']}: {event['text']}"))
        when, short = brief_time_of(record).short, ids[record.event_id].short
        yield f"  {when}  {short}  {one_line(record.error_message, len(when) + len(short) + 6)}"
    if found["varying"]:
        yield "\n" + bold(f"what differs between the last {len(found['events'])}")
    for name, values in found["varying"].items():
        each = max(values.values()) == 1
        told = [f"{worded(v) or '(none)'}{'' if each else f' x {n}'}" for v, n in values.items()]
        yield paragraph(f"  {one_line(name)}: ", ", ".join(told) + (", … each time another" if each else ""))
    if found["why"]:
        yield "\n" + bold("why they belong together")
    for part, value in found["why"].items():
        if value:
            yield paragraph(f"  {part}: ", worded(value))


def _insights(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is known of a group beyond its counts, in sentences."""
    if forecast := found["forecast"]:
        yield f"likely back within {forecast['within_days']} days: {forecast['probability']:.0%}"
    if rhythm := found["rhythm"]:
        hours = f"{rhythm['begin']:02}:00 and {rhythm['end']:02}:00"
        yield f"usually between {hours}, on {rhythm['days']} of {rhythm['of']} days"
    for name, value in found["only"].items():
        yield one_line(f"only {name} {value}")
    for other in found["comes_with"]:
        yield one_line(f"comes with {other['key'].rpartition(':')[2][:6]}: {other['title']}")
