"""timeline and power: what happened to the host and its processes, and when it was away."""

import argparse
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import add_json, add_log, add_wide, moment
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import complain, counted, dim, painted, say, say_json
from visigate_logging.cli.table import Brief, Column, table
from visigate_logging.cli.where import find_log
from visigate_logging.detail.plain import plain
from visigate_logging.health.state_dir import MANY_OUTAGES
from visigate_logging.host.timeline import Timeline
from visigate_logging.present.words import brief_time, local_time

DAYS = 30
LOOK_EVERY = 0.5
EVENTS = (Column("TIME"), Column("EVENT"), Column("WHAT", stretches=True))


def _add_place(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    parser.add_argument(
        "--state-dir", type=Path, metavar="PATH", help="state_dir of the handlers (default: state, beside the log)"
    )


def _place(args: argparse.Namespace) -> Path:
    if args.state_dir is not None:
        return Path(args.state_dir)
    log = Path(args.log or find_log())
    return (log if log.is_dir() else log.parent) / "state"


def _timeline_arguments(parser: argparse.ArgumentParser) -> None:
    _add_place(parser)
    add_json(parser)
    add_wide(parser)
    parser.add_argument("--since", type=moment, metavar="WHEN", help="from then on (default: 7 days ago)")


def timeline(args: argparse.Namespace) -> int:
    """Say what happened to the host and its processes, the oldest first."""
    found = Timeline(_place(args)).read(args.since or datetime.now(UTC) - timedelta(days=7))
    return _say(found, args, f"no event in {_place(args)}")


def _power_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "state",
        nargs="?",
        choices=("show", "up", "down"),
        default="show",
        help="say when the power was away (default); or, for the systemd unit visigate-power, note that the host "
        "has started (up) or is being shut down (down)",
    )
    _add_place(parser)
    add_json(parser)
    add_wide(parser)


def power(args: argparse.Namespace) -> int:
    """Say when the host was away in the last 30 days, or mark that it is shut down."""
    if args.state != "show":
        from visigate_logging.lifecycle.power import mark_shutdown

        mark_shutdown(_place(args), args.state)
        return DONE
    since = datetime.now(UTC) - timedelta(days=DAYS)
    found = [event for event in Timeline(_place(args)).read(since) if event["event"] in ("power", "boot")]
    cuts = sum(event["event"] == "power" for event in found)
    if cuts >= MANY_OUTAGES:
        complain(f"{counted(cuts, 'power cut')} in {DAYS} days: look at the wiring and the power supply")
    return _say(found, args, f"the host was not away in the last {DAYS} days, as far as {_place(args)} knows")


def say_events_aside(state_dir: Path) -> None:
    """Say, in a thread, what else happens to the host while errors are followed: releases, restarts, recoveries.

    Args:
        state_dir: where the timeline is; it need not be there yet.
    """
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


def _say(found: list[dict[str, Any]], args: argparse.Namespace, nothing: str) -> int:
    if args.json:
        say_json(found)
    elif found:
        say(table(EVENTS, [_row(event) for event in found], wide=args.wide))
    else:
        complain(nothing)
    return DONE if found else FAILED


def _row(event: Mapping[str, Any]) -> tuple[Any, ...]:
    at = Brief(local_time(event["time"]), brief_time(event["time"]))
    word = str(event["event"])
    return at, painted(word, "red") if event.get("is_error") else word, str(event["text"])
