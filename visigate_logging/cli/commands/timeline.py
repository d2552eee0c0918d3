"""Show releases, restarts, crashes, power cuts: what happened to the host."""

from datetime import UTC, datetime, timedelta

from visigate_logging.cli.arguments import JSON, LOG, STATE_DIR, WIDE, Args, argument, moment
from visigate_logging.cli.events import say_events
from visigate_logging.cli.selection import state_dir
from visigate_logging.host.timeline import Timeline

PAGED = True
ARGUMENTS = (LOG, STATE_DIR, JSON, WIDE, argument("--since WHEN", "from then on (default: 7 days ago)", type=moment))


def run(args: Args) -> int:
    """Show what happened to the host and its processes, the oldest first."""
    place = state_dir(args)
    found = Timeline(place).read(args.since or datetime.now(UTC) - timedelta(days=7))
    return say_events(found, args, f"no event in {place}")
