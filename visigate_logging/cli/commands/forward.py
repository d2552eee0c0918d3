"""Send what the log has to other systems; list what they refused."""

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.cli.arguments import CONFIG, JSON, Args, argument
from visigate_logging.cli.command import DONE
from visigate_logging.cli.output import answer, complain
from visigate_logging.cli.records import brief
from visigate_logging.cli.table import Cell, Column, table
from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.config.source import refuse
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.forwarder import Forwarder
from visigate_logging.health.forwarding import forwarders
from visigate_logging.host.supervision import notify
from visigate_logging.host.worker import Guarded
from visigate_logging.present.words import counted

PULSE = 2.0
"""Seconds between two looks at the threads that forward."""
STUCK = 600.0
"""Seconds in which a thread must have come round: a request, and the split ones after it, may take minutes."""
REFUSED = (Column("TIME"), Column("HANDLER"), Column("EVENT"), Column("TYPE"), Column("WHY", stretches=True))


ARGUMENTS = (
    argument(
        "action",
        "run: forward until ended, as a service; refused: list what targets have refused for good",
        nargs="?",
        choices=("run", "refused"),
        default="run",
    ),
    argument("--once", "end when nothing waits any more, or nothing can be sent"),
    argument("--handler NAME", "only this handler, when the file has several"),
    *CONFIG,
    JSON,
)


def run(args: Args) -> int:
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
            return _list_refused(found, args)
        return _once(found, args) if args.once else _run(list(found.values()))
    finally:
        for forwarder in found.values():
            forwarder.close()


def _list_refused(found: Mapping[str, Forwarder], args: Args) -> int:
    listed = [{"handler": name, **line} for name, one in found.items() for line in one.refused.read()]
    lines = [table(REFUSED, map(_refused_row, listed)) if listed else "nothing was refused"]
    return answer(args, listed, lines)


def _refused_row(line: Mapping[str, Any]) -> tuple[Cell, ...]:
    record = line.get("record") or {}
    cells = (line["handler"], record.get("event_id", ""), record.get("error_type", ""), line.get("reason", ""))
    return (brief(line["time"]), *map(str, cells))


def _once(found: Mapping[str, Forwarder], args: Args) -> int:
    """Send what can be sent now."""
    told: dict[str, dict[str, Any]] = {}
    for name, forwarder in found.items():
        while not (wait := forwarder.turn()) or (forwarder.pause and not forwarder.books().trouble):
            time.sleep(wait)
        books = forwarder.books()
        elsewhere = "" if forwarder.lock.held else "another process forwards"
        told[name] = {"waiting": books.pending, "trouble": books.trouble or elsewhere, "counts": forwarder.counts()}
    lines = (plain(f"{name}: {_sent(one)}", one_line=True) for name, one in told.items())
    return answer(args, told, lines, failed=any(one["waiting"] for one in told.values()))


def _sent(one: Mapping[str, Any]) -> str:
    why = f": {one['trouble']}" if one["trouble"] else ""
    return f"{one['counts']['delivered']} delivered, {one['waiting']} wait{why}"


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
