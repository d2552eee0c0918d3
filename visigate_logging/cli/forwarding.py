"""forward: what the log has goes to other systems, as a service of its own or once; and what was refused there."""

import argparse
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.cli.table import Column, table
from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.config.source import refuse
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.forwarder import Forwarder
from visigate_logging.health.forwarding import forwarders
from visigate_logging.host.supervision import notify
from visigate_logging.host.worker import Guarded
from visigate_logging.present.words import counted, local_time

PULSE = 2.0
"""Seconds between two looks at the threads that forward."""
STUCK = 600.0
"""Seconds in which a thread must have come round: a request, and the split ones after it, may take minutes."""
REFUSED = (Column("TIME"), Column("HANDLER"), Column("EVENT"), Column("TYPE"), Column("WHY", stretches=True))


def _forward_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("run", "refused"),
        default="run",
        help="run: forward until ended, as a service (default); refused: list what targets have refused for good",
    )
    parser.add_argument("--once", action="store_true", help="end when nothing waits any more, or nothing can be sent")
    parser.add_argument("--handler", metavar="NAME", help="only this handler, when the file has several")
    add_config(parser)
    add_json(parser)


def forward(args: argparse.Namespace) -> int:
    """Forward for all handlers of a configuration."""
    source = read(args.config)
    objects = examine(source)
    if wrong := [p for p in source.errors if p.key.startswith("handlers.")]:
        raise refuse(source, wrong)
    found = dict(forwarders(objects))
    if args.handler is not None or not found:
        if args.handler not in found:
            names = ", ".join(found) or "none; docs/monitoring.md says how to have one"
            raise ConfigurationError("handlers", f"forward handlers of this file with a target are: {names}")
        found = {args.handler: found[args.handler]}
    try:
        if args.action == "refused":
            return _list_refused(found, as_json=args.json)
        return _once(found, as_json=args.json) if args.once else _run(list(found.values()))
    finally:
        for forwarder in found.values():
            forwarder.close()


def _list_refused(found: Mapping[str, Forwarder], *, as_json: bool) -> int:
    listed = [{"handler": name, **line} for name, one in found.items() for line in one.refused.read()]
    if as_json:
        say_json(listed)
    elif listed:
        rows = [_refused_row(line) for line in listed]
        say(table(REFUSED, rows))
    else:
        say("nothing was refused")
    return DONE


def _refused_row(line: Mapping[str, Any]) -> tuple[str, ...]:
    record = line.get("record") or {}
    cells = (local_time(line["time"]), line["handler"], record.get("event_id", ""), record.get("error_type", ""))
    return (*map(str, cells), plain(str(line.get("reason", "")), one_line=True))


def _once(found: Mapping[str, Forwarder], *, as_json: bool) -> int:
    """Send what can be sent now."""
    told: dict[str, dict[str, Any]] = {}
    for name, forwarder in found.items():
        while not (wait := forwarder.turn()) or (forwarder.pause and not forwarder.books().trouble):
            time.sleep(wait)
        books = forwarder.books()
        elsewhere = "" if forwarder.lock.held else "another process forwards"
        told[name] = {"waiting": books.pending, "trouble": books.trouble or elsewhere, "counts": forwarder.counts()}
    if as_json:
        say_json(told)
    for name, one in told.items() if not as_json else ():
        why = f": {one['trouble']}" if one["trouble"] else ""
        say(plain(f"{name}: {one['counts']['delivered']} delivered, {one['waiting']} wait{why}", one_line=True))
    return FAILED if any(one["waiting"] for one in told.values()) else DONE


def _run(found: Sequence[Forwarder]) -> int:
    """Forward until a signal ends it; systemd is told that each thread comes round."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threads = [_Thread(forwarder, ended) for forwarder in found]
    for thread in threads:
        thread.start()
    complain(f"forwarding for {counted(len(found), 'handler')}; ended by SIGTERM")
    notify("READY=1")
    while not ended.wait(PULSE):
        if all(thread.came_round > time.monotonic() - STUCK for thread in threads):
            notify("WATCHDOG=1", f"STATUS={'; '.join(thread.told for thread in threads)}")
    notify("STOPPING=1")
    for thread in threads:
        thread.join(PULSE)  # what hangs at the network is sent again
    return DONE


class _Thread(threading.Thread):
    """Forwards for one handler."""

    def __init__(self, forwarder: Forwarder, ended: threading.Event) -> None:
        super().__init__(name=f"visigate-forward-{forwarder.name}", daemon=True)
        self.came_round = time.monotonic()
        self.told = f"{forwarder.name}: begins"
        self._forwarder = forwarder
        self._ended = ended

    def run(self) -> None:
        turn = Guarded(f"forwarding for {self._forwarder.name}")
        while not self._ended.wait(turn(self._forwarder.turn)):
            self.came_round = time.monotonic()
            self.told = f"{self._forwarder.name}: {self._forwarder.told}"
