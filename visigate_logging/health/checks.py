"""Check all that errors depend on: configuration, processes, counts, files, the clock, backups, the mail server."""

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import orjson

from visigate_logging.config.check import check, examine
from visigate_logging.config.load import read
from visigate_logging.config.source import ERROR, NOTE, Source
from visigate_logging.exceptions import MailServerError, VisigateLoggingError
from visigate_logging.health.backups import backups
from visigate_logging.health.findings import Finding, Subject
from visigate_logging.health.forwarding import forwarding, targets
from visigate_logging.health.host import host_status
from visigate_logging.health.recurrence import ahead
from visigate_logging.host.files import write_atomically
from visigate_logging.host.owner import made_by_root
from visigate_logging.present.words import local_time

WHERE = "relative paths count from where the application was started; ask there"
EARLIEST = os.stat(__file__).st_mtime
"""When this package was installed: no clock that is right shows an earlier time."""

RECENT = 3600.0
"""Seconds for which the last failure of a handler is taken for one that goes on."""


def diagnose(config: Path, *, user: str | None = None, seen: bool = False, offline: bool = False) -> list[Finding]:
    """Return what is found by looking at everything that errors depend on.

    Args:
        config: the configuration.
        user: the user that the application runs as; who asks when not given.
        seen: take what was lost so far for known, from now on.
        offline: ask no mail server and no target.
    """
    source = read(config)
    subject = Subject(source, examine(source), host_status(config))
    if seen and subject.status["directories"]:
        dropped = {name: sheet["dropped"] for name, sheet in subject.status["handlers"].items()}
        write_atomically(_seen(subject), orjson.dumps(dropped))
    findings = [*_configuration(source, user)]
    for look in CHECKS if offline else (*CHECKS, *ASKING):
        findings += _safely(look, subject)
    return findings


def _safely(look: Callable[[Subject], Iterator[Finding]], subject: Subject) -> Iterator[Finding]:
    """Yield what one look finds; one that fails is itself a finding."""
    import sqlite3

    try:
        yield from look(subject)
    except (VisigateLoggingError, OSError, ValueError, sqlite3.Error) as error:
        yield Finding(look.__name__.strip("_").replace("_", " "), False, str(error))


def _configuration(source: Source, user: str | None) -> Iterator[Finding]:
    problems = check(source, user)
    for problem in problems:
        yield Finding("configuration", problem.severity != ERROR, source.told(problem), "Change that line")
    if all(problem.severity == NOTE for problem in problems):
        yield Finding("configuration", True, f"{source.path} is fine, and its files can be written")


def _trial(subject: Subject) -> Iterator[Finding]:
    if subject.status["config"]["abandoned"]:
        path = subject.source.path
        text = f"{path} was put there on trial, and nobody confirms it any more"
        yield Finding(
            "trial", False, text, f"visigate-errors apply {path}.before; what watches or starts does the same"
        )


def _processes(subject: Subject) -> Iterator[Finding]:
    processes = subject.status["processes"]
    if not processes:
        yield Finding("processes", False, "none tells that it uses this file", f"Start it; {WHERE}")
    for process in processes:
        who = f"{process['name']} ({process['pid']})"
        if process.get("refused"):
            cure = "Correct the file: what ran before goes on meanwhile"
            yield Finding("processes", False, f"{who} has refused the file: {process['refused']['reason']}", cure)
        else:
            text = f"{who} runs {process['hash']} since {local_time(process['since'])}"
            yield Finding(
                "processes", process["current"], text, "It is still on the old one: restart it, or set watch"
            )


def _seen(subject: Subject) -> Path:
    """Return what was lost when somebody last said that it is known."""
    return Path(subject.status["directories"][0], "losses-seen.json")


def _sums(subject: Subject) -> Iterator[Finding]:
    """Look for losses: counts go on for ever, so one is a fault until somebody has seen it."""
    sheets = subject.status["handlers"]
    seen = orjson.loads(_seen(subject).read_bytes()) if sheets and _seen(subject).exists() else {}
    for name, sheet in sheets.items():
        text = f"{name}: {sheet['accepted']} accepted, {sheet['pending']} pending"
        before = seen.get(name, {})
        if any(sheet["dropped"].get(why, 0) < n for why, n in before.items()):  # the counts have begun anew
            before = {}
        lost = {why: n - before.get(why, 0) for why, n in sheet["dropped"].items() if n > before.get(why, 0)}
        if sheet["pending"] < 0:
            yield Finding("sums", False, f"{text}: more became of them than there were", "Report this as a bug")
        elif lost:
            told = ", ".join(f"{n} {why}" for why, n in lost.items())
            yield Finding(
                "sums",
                False,
                f"{text}, lost: {told}",
                "See visigate-errors status, then: visigate-errors doctor --seen",
            )
        else:
            yield Finding("sums", True, text)


def _failures(subject: Subject) -> Iterator[Finding]:
    """Yield the last failure of each handler; one within the last hour may still go on."""
    for name, sheet in subject.status["handlers"].items():
        if failed := sheet["last_failure"]:
            text = f"{name}: {local_time(failed['time'])} {failed['text']}"
            well = time.time() - datetime.fromisoformat(failed["time"]).timestamp() > RECENT
            yield Finding("last failure", well, text, "Mend what it names; it counts for an hour after the last time")


def _owners(subject: Subject) -> Iterator[Finding]:
    """Yield what root has made where the application, which is not root, then cannot use it."""
    logs = (Path(os.path.abspath(name)) for made in subject.objects if (name := made.given.get("filename")))
    found = [(log.parent, made_by_root(log.parent, f"{log.name}*", f".{log.stem}.*")) for log in logs]
    found += [(Path(place), made_by_root(Path(place), "**/*")) for place in subject.status["directories"]]
    for place, paths in found:
        if paths:
            cure = f"sudo chown -h {place.stat().st_uid}:{place.stat().st_gid} {shlex.join(map(str, paths))}"
            yield Finding("owners", False, f"{place}: root has made {', '.join(p.name for p in paths)}", cure)


def _disk(subject: Subject) -> Iterator[Finding]:
    """Yield the space that the configured sizes may still take, for each file system."""
    wanted: dict[int, int] = {}
    places: dict[int, Path] = {}
    for made in subject.objects:
        size, count = made.given.get("maxBytes"), made.given.get("backupCount")
        if not (isinstance(made.given.get("filename"), str) and isinstance(size, int) and isinstance(count, int)):
            continue
        path = Path(os.path.abspath(made.given["filename"]))
        place = next(p for p in path.parents if p.exists())
        device = place.stat().st_dev
        used = sum(p.stat().st_size for p in place.glob(f"{path.name}*")) if place == path.parent else 0
        places[device] = place
        wanted[device] = wanted.get(device, 0) + max(
            0, size * (count + (3 if made.given.get("keep_per_group") else 1)) - used
        )
    for device, place in places.items():
        free = shutil.disk_usage(place).free
        text = f"{place}: {free >> 20} MiB free, logs may take {wanted[device] >> 20} MiB more"
        yield Finding("disk", free > wanted[device], text, "Make space, or lower maxBytes or backupCount")


def _clock(subject: Subject) -> Iterator[Finding]:
    now = time.time()
    cure = "Set the clock: timedatectl status tells whether it is synchronised"
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if now < EARLIEST:
        yield Finding("clock", False, f"{shown} is before this package was installed", cure)
        return
    written = [p.stat().st_mtime for d in subject.status["directories"] for p in Path(d).parent.glob("*.jsonl*")]
    ahead = max(written, default=0) - now
    yield Finding(
        "clock", ahead < 60, shown if ahead < 60 else f"{shown} is {ahead:.0f} s before the last error", cure
    )


def _mail_server(subject: Subject) -> Iterator[Finding]:
    from visigate_logging.delivery.channels.session import opened
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    for made in subject.objects:
        if made.makes(ThrottledSMTPHandler):
            routes = made.factory(**{p.name: value for p, value in made.arguments()}).routes
            if not routes:  # which is among the notes about the file
                continue
            server = routes[0].delivery.channel.server
            try:
                with opened(server, 30.0):
                    yield Finding("mail server", True, f"{server.host}:{server.port} answers")
            except MailServerError as error:
                yield Finding("mail server", False, f"{error.step}: {error.problem}", error.cure)


CHECKS = (_trial, _processes, _sums, _failures, _owners, _disk, _clock, backups, ahead, forwarding)


def _notifications(subject: Subject) -> Iterator[Finding]:
    from visigate_logging.handlers.notification import NotificationHandler

    for made in subject.objects:
        if made.makes(NotificationHandler):
            handler = made.factory(**{p.name: value for p, value in made.arguments()})
            for service in (s for route in handler.routes for s in route.delivery.channel.services):
                told, cure = service.looked_at()
                yield Finding("notifications", not cure, f"{service.name}: {told}", cure)


ASKING = (_mail_server, _notifications, targets)
"""Checks that ask others, over the network."""
