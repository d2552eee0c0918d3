"""Show what runs on this host, and what became of its errors."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from visigate_logging.cli.arguments import CONFIG, JSON, Args
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import answer, bold, complain, dim, painted
from visigate_logging.cli.records import brief
from visigate_logging.cli.table import Column, table
from visigate_logging.detail.plain import plain
from visigate_logging.health.checks import WHERE
from visigate_logging.health.host import host_status
from visigate_logging.present.severities import COLOURS
from visigate_logging.present.words import counted, local_time

ARGUMENTS = (*CONFIG, JSON)
PROCESSES = (
    Column("PID"),
    Column("PROCESS"),
    Column("SERVICE", dropped=1),
    Column("CONFIG", dropped=2),
    Column("SINCE"),
    Column("", stretches=True),
)
HANDLERS = (
    Column("HANDLER", stretches=True),
    *(Column(name, right=True) for name in ("ACCEPTED", "DELIVERED", "FOLDED", "PENDING")),
    Column("DROPPED"),
)


def run(args: Args) -> int:
    """Show processes, counts, what waits, and the last messages."""
    found = host_status(args.config)
    answer(args, found, _told(found))
    if not found["directories"]:
        complain(f"{args.config} names no handler that has a state_dir: nothing is known of other processes")
    elif not any(map(os.path.isdir, found["directories"])):
        complain(f"there is no {' and no '.join(found['directories'])}: {WHERE}")
    return DONE if found["directories"] else FAILED


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    yield bold(f"{found['config']['path']} {found['config']['hash']}")
    rows = [
        (str(p["pid"]), p["name"], p.get("service") or "", p["hash"], brief(p["since"]), _standing(p))
        for p in found["processes"]
    ]
    yield table(PROCESSES, rows) if rows else "no process runs"
    yield ""
    sheets = [(name, *_figures(sheet)) for name, sheet in found["handlers"].items()]
    yield table(HANDLERS, sheets) if sheets else "no handler has counted anything yet"
    if sheets:
        yield dim("what processes that run have counted in the last 10 s may not be in it yet")
    for name, sheet in found["handlers"].items():
        if failed := sheet["last_failure"]:
            text = f"last failure of {name}: {local_time(failed['time'])} {failed['text']}"
            yield painted(plain(text, one_line=True), "yellow")
    for name, box in found["outboxes"].items():
        yield plain(
            f"outbox {name}: {counted(box['waiting'], 'mail')}{', ' + box['why'] if box['why'] else ''}",
            one_line=True,
        )
    for name, one in found["forwarding"].items():
        yield plain(f"{name}: {_forwarded(one)}", one_line=True)
    for standing in found["recoveries"]:
        yield f"recovery {standing['key']}: {counted(standing['attempts'], 'attempt')}, {standing['state']}"
    for text in found["unknown"]:
        yield painted(plain(f"not loaded: {text}", one_line=True), "yellow")
    yield from map(_event, found["events"])
    if found["messages"]:
        yield ""
    for message in found["messages"]:
        text = plain(f"{local_time(message['time'])} {message['pid']} {message['message']}", one_line=True)
        yield painted(text, COLOURS.get(message["level"], "dim"))


def _forwarded(one: Mapping[str, Any]) -> str:
    waiting = ", ".join(f"{n} {lane}" for lane, n in one["waiting"].items() if n)
    since = f", the oldest of {local_time(one['oldest'])}" if one["oldest"] else ""
    last = f"last delivery {local_time(one['delivered_at'])}" if one["delivered_at"] else "nothing delivered yet"
    return ". ".join(filter(None, (f"{waiting} to be forwarded{since}" if waiting else "", last, one["trouble"])))


def _standing(process: Mapping[str, Any]) -> str:
    if process.get("refused"):
        return f"refused {process['refused']['hash']}: {process['refused']['reason']}"
    return "" if process["current"] else "still on the old one"


def _event(event: Mapping[str, Any]) -> str:
    text = plain(f"{local_time(event['time'])} {event['event']}: {event['text']}", one_line=True)
    return painted(text, "red" if event.get("is_error") else "dim")


def _figures(sheet: Mapping[str, Any]) -> list[str]:
    numbers = [str(sheet[name]) for name in ("accepted", "delivered", "folded", "pending")]
    return [*numbers, ", ".join(f"{n} {why}" for why, n in sheet["dropped"].items()) or "0"]
