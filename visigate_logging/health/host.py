"""Tell how things stand on this host: its processes, what their handlers have counted, mails, recoveries."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.config.check import examine
from visigate_logging.config.confirm import is_abandoned
from visigate_logging.config.load import read
from visigate_logging.config.objects import Object
from visigate_logging.config.presence import last_messages, state_directories
from visigate_logging.config.source import dotted
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.health.forwarding import standings
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle.processes import present
from visigate_logging.present.words import spoken

if TYPE_CHECKING:
    from visigate_logging.recovery.runner import Runner


LAST_EVENTS = 5


def runners(objects: Iterable[Object]) -> "Iterator[Runner]":
    """Yield what runs the procedures of each recovery handler.

    Raises:
        ConfigurationError: they cannot be; ``key`` is the full path.
    """
    from visigate_logging.handlers.recovery import RecoveryHandler
    from visigate_logging.recovery.procedures import parse_procedures
    from visigate_logging.recovery.runner import Runner

    for made in objects:
        if made.makes(RecoveryHandler):
            given = {p.name: made.given.get(p.name, p.default) for p in made.parameters.values()}
            key = dotted((*made.key, "procedures"))
            procedures = parse_procedures(given["procedures"], key, allow_reboot=given["allow_reboot"] is True)
            yield Runner(procedures, Path(given["state_dir"]).absolute(), dry_run=given["dry_run"] is True)


def host_status(config: Path) -> dict[str, Any]:
    """Return what is known of this host, as plain data; nothing is made or changed."""
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
        "forwarding": standings(objects),
        "recoveries": recoveries,
        "unknown": [*(source.told(p) for p in source.errors if "cannot be imported" in p.text), *unknown],
        "events": [event for directory in directories for event in Timeline(directory).read()[-LAST_EVENTS:]],
        "messages": [message for directory in directories for message in last_messages(directory)],
    }


def _sheets(directories: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what each handler has counted, and its last failure; one may have failed before it could count."""
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
    from visigate_logging.delivery.outbox import Outbox
    from visigate_logging.delivery.spool import Spool
    from visigate_logging.delivery.tables import SCHEMA
    from visigate_logging.host import State

    for directory in directories:
        for box in sorted((directory / "outbox").glob("*/")):
            spool, state = Spool(box), State(directory, SCHEMA)
            waiting = spool.waiting()
            rows = Outbox(state, box.name, spool).all() if waiting else {}
            state.close()
            first = next((row for row in rows.values() if not row.sent), None)
            why = f"{first.reason or 'not tried yet'}; next try in {spoken(max(first.wait, 0.0))}" if first else ""
            yield box.name, {"waiting": len(waiting), "refused": len(spool.refused.waiting()), "why": why}


def _recoveries(objects: list[Object]) -> tuple[list[dict[str, Any]], list[str]]:
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
