"""status: what runs on this host, and what became of its errors."""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.output import bold, complain, counted, dim, painted, plain, say, say_json
from visigate_logging.cli.recover import runners
from visigate_logging.cli.table import Brief, Column, table
from visigate_logging.config.check import examine
from visigate_logging.config.confirm import is_abandoned
from visigate_logging.config.load import read
from visigate_logging.config.presence import last_messages, present, state_directories
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.present.words import brief_time, local_time, spoken

if TYPE_CHECKING:
    from visigate_logging.config.objects import Object
    from visigate_logging.recovery.runner import Runner

__all__ = [
    "WHERE",
    "host_status",
    "status",
]

WHERE = "relative paths count from where the application was started; ask there"


PROCESSES = (
    Column("PID"),
    Column("PROCESS"),
    Column("SERVICE", dropped=1),
    Column("CONFIG", dropped=2),
    Column("SINCE"),
    Column("", stretches=True),
)
HANDLERS = (
    Column("HANDLER"),
    *(Column(name, right=True) for name in ("ACCEPTED", "DELIVERED", "FOLDED", "PENDING")),
    Column("DROPPED", stretches=True),
)


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_json(parser)


def status(args: argparse.Namespace) -> int:
    """What runs on this host, and what became of its errors."""
    found = host_status(args.config)
    if args.json:
        say_json(found)
    else:
        for line in _told(found):
            say(line)
    if not found["directories"]:
        complain(f"{args.config} names no handler that has a state_dir: nothing is known of other processes")
    elif not any(map(os.path.isdir, found["directories"])):
        complain(f"there is no {' and no '.join(found['directories'])}: {WHERE}")
    return DONE if found["directories"] else FAILED


def host_status(config: Path) -> dict[str, Any]:
    """What is known of this host, as plain data; nothing is made or changed."""
    source = read(config)
    objects = examine(source)
    directories = state_directories(objects)
    recoveries, unknown = _recoveries(objects)
    processes = [facts for directory in directories for facts in present(directory, config)]
    return {
        "config": {"path": os.path.abspath(config), "hash": source.hash, "abandoned": is_abandoned(config)},
        "directories": [str(directory) for directory in directories],
        "processes": [{**facts, "current": facts.get("hash") == source.hash} for facts in processes],
        "handlers": dict(_sheets(directories)),
        "outboxes": dict(_outboxes(directories)),
        "recoveries": recoveries,
        "unknown": [*(source.told(p) for p in source.errors if "cannot be imported" in p.text), *unknown],
        "messages": [message for directory in directories for message in last_messages(directory)],
    }


def _sheets(directories: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each handler has counted, and its last failure; one may have failed before it could count."""
    from visigate_logging.host import CountSheet, State, host_counts, host_failures

    for directory in directories:
        if (directory / "state.sqlite3").exists():
            state = State(directory)
            sheets, failures = host_counts(state), host_failures(state)
            state.close()
            for name in sorted({*sheets, *failures}):
                sheet = sheets.get(name) or CountSheet(name).snapshot()
                yield name, {**sheet, "last_failure": failures.get(name)}


def _outboxes(directories: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from visigate_logging.delivery.books import SCHEMA
    from visigate_logging.delivery.letters import Letters
    from visigate_logging.delivery.outbox import Outbox
    from visigate_logging.host import State

    for directory in directories:
        for box in sorted((directory / "outbox").glob("*/")):
            waiting, state = Outbox(box).waiting(), State(directory, SCHEMA)
            rows = Letters(state, box.name).all() if waiting else {}
            state.close()
            first = next((row for row in rows.values() if not row.sent), None)
            why = f"{first.reason or 'not tried yet'}; next try in {spoken(max(first.wait, 0.0))}" if first else ""
            yield box.name, {"waiting": len(waiting), "refused": len(Outbox(box).refused.waiting()), "why": why}


def _recoveries(objects: "list[Object]") -> tuple[list[dict[str, Any]], list[str]]:
    """Return how recoveries stand, and what could not be loaded of them: the application's own may be elsewhere."""
    found, unknown = [], []
    for made in objects:
        try:
            found += [standing for runner in runners([made]) for standing in _standings(runner)]
        except ConfigurationError as error:
            unknown.append(str(error))
    return found, unknown


def _standings(runner: "Runner") -> list[dict[str, Any]]:
    found = [standing for procedure in runner.procedures.values() for standing in runner.standing(procedure)]
    runner.close()
    return found


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    yield bold(f"{found['config']['path']} {found['config']['hash']}")
    rows = [
        (str(p["pid"]), p["name"], p.get("service") or "", p["hash"], _time(p["since"]), _standing(p))
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
    for standing in found["recoveries"]:
        yield f"recovery {standing['key']}: {counted(standing['attempts'], 'attempt')}, {standing['state']}"
    for text in found["unknown"]:
        yield painted(plain(f"not loaded: {text}", one_line=True), "yellow")
    if found["messages"]:
        yield ""
    for message in found["messages"]:
        text = plain(f"{local_time(message['time'])} {message['pid']} {message['message']}", one_line=True)
        yield painted(text, {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}.get(message["level"], "dim"))


def _standing(process: Mapping[str, Any]) -> str:
    if process.get("refused"):
        return f"refused {process['refused']['hash']}: {process['refused']['reason']}"
    return "" if process["current"] else "still on the old one"


def _time(timestamp: str) -> Brief:
    return Brief(local_time(timestamp), brief_time(timestamp))


def _figures(sheet: Mapping[str, Any]) -> list[str]:
    numbers = [str(sheet[name]) for name in ("accepted", "delivered", "folded", "pending")]
    return [*numbers, ", ".join(f"{n} {why}" for why, n in sheet["dropped"].items())]
