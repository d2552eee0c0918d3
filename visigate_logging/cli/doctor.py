"""doctor: is all well, and what to do where it is not; for people and for monitoring."""

import argparse
import os
import shlex
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

import visigate_logging.config.load as loading
from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.output import painted, plain, say, say_json
from visigate_logging.cli.recover import runners
from visigate_logging.cli.status import WHERE, host_status
from visigate_logging.config.check import check, examine
from visigate_logging.config.objects import Object
from visigate_logging.exceptions import VisigateLoggingError
from visigate_logging.host.files import write_atomically
from visigate_logging.host.owner import made_by_root
from visigate_logging.present.words import local_time

__all__ = [
    "doctor",
]

EARLIEST = os.stat(__file__).st_mtime
"""When this package was installed: no clock that is right shows an earlier time."""

RECENT = 3600.0
"""Seconds for which the last failure of a handler is taken for one that goes on."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what to do when it is not well."""

    about: str
    well: bool
    text: str
    cure: str = ""


@dataclass(frozen=True)
class Patient:
    """What the checks look at."""

    source: loading.Source
    objects: list[Object]
    status: dict[str, Any]


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--user", help="the user that the application runs as (default: who asks)")
    parser.add_argument(
        "--seen", action="store_true", help="what was lost so far is known: let it be no fault any more"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the mail server")
    add_json(parser)


def doctor(args: argparse.Namespace) -> int:
    """Look at everything that errors depend on."""
    source = loading.read(args.config)
    patient = Patient(source, examine(source), host_status(args.config))
    if args.seen and patient.status["directories"]:
        dropped = {name: sheet["dropped"] for name, sheet in patient.status["handlers"].items()}
        write_atomically(_seen(patient), orjson.dumps(dropped))
    findings = [*_configuration(source, args.user)]
    for look in LOOKS if not args.offline else LOOKS[:-1]:
        findings += _safely(look, patient)
    if args.json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = painted("ok  ", "green") if finding.well else painted("FAIL", "red")
            say(f"{mark}  {finding.about}: {plain(finding.text, one_line=True)}")
            if finding.cure and not finding.well:
                say(f"      {finding.cure}")
    return DONE if all(finding.well for finding in findings) else FAILED


def _safely(look: Callable[[Patient], Iterator[Finding]], patient: Patient) -> Iterator[Finding]:
    """What one look finds; one that fails is itself a finding."""
    try:
        yield from look(patient)
    except (VisigateLoggingError, OSError, ValueError, sqlite3.Error) as error:
        yield Finding(look.__name__.strip("_").replace("_", " "), False, str(error))


def _configuration(source: loading.Source, user: str | None) -> Iterator[Finding]:
    problems = check(source, user)
    for problem in problems:
        yield Finding("configuration", problem.severity != loading.ERROR, source.told(problem), "Change that line")
    if all(problem.severity == loading.NOTE for problem in problems):
        yield Finding("configuration", True, f"{source.path} is fine, and its files can be written")


def _trial(patient: Patient) -> Iterator[Finding]:
    if patient.status["config"]["abandoned"]:
        path = patient.source.path
        text = f"{path} was put there on trial, and nobody confirms it any more"
        yield Finding(
            "trial", False, text, f"visigate-errors apply {path}.before; what watches or starts does the same"
        )


def _processes(patient: Patient) -> Iterator[Finding]:
    processes = patient.status["processes"]
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


def _seen(patient: Patient) -> Path:
    """What was lost when somebody last said that it is known."""
    return Path(patient.status["directories"][0], "losses-seen.json")


def _sums(patient: Patient) -> Iterator[Finding]:
    """Counts go on for ever: a loss is a fault until somebody has seen it."""
    sheets = patient.status["handlers"]
    seen = orjson.loads(_seen(patient).read_bytes()) if sheets and _seen(patient).exists() else {}
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


def _failures(patient: Patient) -> Iterator[Finding]:
    """The last failure of each handler; one within the last hour may still go on."""
    for name, sheet in patient.status["handlers"].items():
        if failed := sheet["last_failure"]:
            text = f"{name}: {local_time(failed['time'])} {failed['text']}"
            well = time.time() - datetime.fromisoformat(failed["time"]).timestamp() > RECENT
            yield Finding("last failure", well, text, "Mend what it names; it counts for an hour after the last time")


def _owners(patient: Patient) -> Iterator[Finding]:
    """What root has made where the application, which is not root, then cannot use it."""
    logs = (Path(os.path.abspath(name)) for made in patient.objects if (name := made.given.get("filename")))
    found = [(log.parent, made_by_root(log.parent, f"{log.name}*", f".{log.stem}.*")) for log in logs]
    found += [(Path(place), made_by_root(Path(place), "**/*")) for place in patient.status["directories"]]
    for place, paths in found:
        if paths:
            cure = f"sudo chown -h {place.stat().st_uid}:{place.stat().st_gid} {shlex.join(map(str, paths))}"
            yield Finding("owners", False, f"{place}: root has made {', '.join(p.name for p in paths)}", cure)


def _disk(patient: Patient) -> Iterator[Finding]:
    """The space that the configured sizes may still take, for each file system."""
    wanted: dict[int, int] = {}
    places: dict[int, Path] = {}
    for made in patient.objects:
        size, count = made.given.get("maxBytes"), made.given.get("backupCount")
        if not (isinstance(made.given.get("filename"), str) and isinstance(size, int) and isinstance(count, int)):
            continue
        path = Path(os.path.abspath(made.given["filename"]))
        place = next(p for p in path.parents if p.exists())
        device = place.stat().st_dev
        used = sum(p.stat().st_size for p in place.glob(f"{path.name}*")) if place == path.parent else 0
        places[device] = place
        wanted[device] = wanted.get(device, 0) + max(0, size * (count + 1) - used)
    for device, place in places.items():
        free = shutil.disk_usage(place).free
        text = f"{place}: {free >> 20} MiB free, logs may take {wanted[device] >> 20} MiB more"
        yield Finding("disk", free > wanted[device], text, "Make space, or lower maxBytes or backupCount")


def _clock(patient: Patient) -> Iterator[Finding]:
    now = time.time()
    cure = "Set the clock: timedatectl status tells whether it is synchronised"
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    if now < EARLIEST:
        yield Finding("clock", False, f"{shown} is before this package was installed", cure)
        return
    written = [p.stat().st_mtime for d in patient.status["directories"] for p in Path(d).parent.glob("*.jsonl*")]
    ahead = max(written, default=0) - now
    yield Finding(
        "clock", ahead < 60, shown if ahead < 60 else f"{shown} is {ahead:.0f} s before the last error", cure
    )


def _backups(patient: Patient) -> Iterator[Finding]:
    """A restore takes the newest sound backup; here each procedure must have one, and it must be whole."""
    from visigate_logging.recovery.application import missing_allowed
    from visigate_logging.recovery.sqlite.check import problems_of
    from visigate_logging.recovery.sqlite.generations import generations
    from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite

    with missing_allowed():  # what cannot be imported is among the findings about the file
        found_runners = list(runners(patient.objects))
    for runner in found_runners:
        steps = [planned.step for procedure in runner.procedures.values() for planned in procedure.steps]
        for step in steps:
            if not isinstance(step, RestoreSqlite):
                continue
            found = {path: problems_of(path) for path in generations(step.backups)}
            for path, problems in found.items():
                text = f"{path}: {problems[0] if problems else 'whole'}"
                yield Finding("backups", not problems, text, "Remove it, and make one: visigate-errors backup --help")
            if found and step.backup_interval:
                yield _age(step.database, max(found, key=lambda path: path.stat().st_mtime), step.backup_interval)
            folder = Path(step.database).absolute().parent
            if not found and not folder.exists():  # as shipped: nobody has named a database yet
                yield Finding(
                    "backups", True, f"{step.database}: {folder} is not there, so nothing is to be backed up"
                )
            elif not found:
                text = f"{step.database}: none of {', '.join(step.backups)} exists"
                cure = f"visigate-errors backup {step.database} --to {step.backups[0]}"
                yield Finding("backups", False, text, cure)


def _age(database: str, newest: Path, interval: float) -> Finding:
    age = time.time() - newest.stat().st_mtime
    text = f"{newest} is {age / 3600:.1f} hours old; backup_interval is {interval / 3600:g} hours"
    cure = f"Look why the timer or cron job does not run: visigate-errors backup {database} --to {newest}"
    return Finding("backups", 0 <= age <= interval, text, cure)


def _mail_server(patient: Patient) -> Iterator[Finding]:
    from visigate_logging.delivery.channels.server import MailServerError
    from visigate_logging.delivery.channels.session import opened
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    for made in patient.objects:
        if made.makes(ThrottledSMTPHandler):
            options = made.factory(**{p.name: value for p, value in made.arguments()}).options
            if options is None:  # which is among the notes about the file
                continue
            server = options.server
            try:
                with opened(server, 30.0):
                    yield Finding("mail server", True, f"{server.host}:{server.port} answers")
            except MailServerError as error:
                yield Finding("mail server", False, f"{error.step}: {error.problem}", error.cure)


LOOKS = (_trial, _processes, _sums, _failures, _owners, _disk, _clock, _backups, _mail_server)
