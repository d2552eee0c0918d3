"""Show when the power was away; up and down are for the systemd unit."""

from datetime import UTC, datetime, timedelta

from visigate_logging.cli.arguments import JSON, LOG, STATE_DIR, WIDE, Args, argument
from visigate_logging.cli.command import DONE
from visigate_logging.cli.events import say_events
from visigate_logging.cli.output import complain
from visigate_logging.cli.selection import state_dir
from visigate_logging.health.state_dir import MANY_OUTAGES
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import counted

STATE = (
    "say when the power was away; or, for the systemd unit visigate-power, note that the host has started (up) or is "
    "being shut down (down)"
)
ARGUMENTS = (
    argument("state", STATE, nargs="?", choices=("show", "up", "down"), default="show"),
    LOG,
    STATE_DIR,
    JSON,
    WIDE,
)
DAYS = 30


def run(args: Args) -> int:
    """Show when the host was away in the last 30 days, or mark that it is shut down."""
    place = state_dir(args)
    if args.state != "show":
        from visigate_logging.lifecycle.power import mark_shutdown

        mark_shutdown(place, args.state)
        return DONE
    since = datetime.now(UTC) - timedelta(days=DAYS)
    found = [event for event in Timeline(place).read(since) if event["event"] in ("power", "boot")]
    cuts = sum(event["event"] == "power" for event in found)
    if cuts >= MANY_OUTAGES:
        complain(f"{counted(cuts, 'power cut')} in {DAYS} days: look at the wiring and the power supply")
    return say_events(found, args, f"the host was not away in the last {DAYS} days, as far as {place} knows")
