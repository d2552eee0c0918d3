"""check and apply: the configuration file, before and while it takes effect."""

import argparse
import contextlib
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import add_json, user
from visigate_logging.cli.command import CONFIGURATION, DONE, FAILED, USAGE
from visigate_logging.cli.output import complain, counted, painted, paragraph, say, say_json
from visigate_logging.cli.where import find_config
from visigate_logging.cli.world import add_path
from visigate_logging.config.check import check, examine
from visigate_logging.config.confirm import is_abandoned, put, put_back, put_on_trial
from visigate_logging.config.load import read
from visigate_logging.config.presence import state_directories
from visigate_logging.config.source import ERROR, NOTE, WARNING, Problem, Source
from visigate_logging.detail.plain import plain
from visigate_logging.lifecycle.processes import present

RUNS, WAITS = "runs it", "still runs the old one"
COLOURS = {ERROR: "red", WARNING: "yellow", NOTE: "dim"}
PATIENCE = 5.0
"""Seconds in which processes that watch the file have looked at it."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config``: which configuration."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="default: VISIGATE_CONFIG, else logging.yaml here or above, else /etc/visigate/logging.yaml",
    )
    parser.set_defaults(finds_config=True)
    add_path(parser)


def _run_check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: as for --config of others")
    parser.add_argument("--strict", action="store_true", help="take warnings for errors")
    parser.add_argument("--user", type=user, help="the user that the application runs as (default: who asks)")
    parser.add_argument(
        "--construct", action="store_true", help="call what the file names, to learn what that refuses"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema for editors, and check nothing")
    add_path(parser)
    add_json(parser)


def run_check(args: argparse.Namespace) -> int:
    """Name all that is wrong with a configuration, with its line."""
    if args.schema:
        from visigate_logging.config.schema import schema

        say_json(schema())
        return DONE
    sources = map(read, args.files or [find_config()])
    found = [(source, check(source, args.user, construct=args.construct)) for source in sources]
    if args.json:
        say_json([_as_data(source, problem) for source, problems in found for problem in problems])
    else:
        _tell(found)
    return DONE if all(is_fine(problems, strict=args.strict) for _, problems in found) else CONFIGURATION


def is_fine(problems: Sequence[Problem], *, strict: bool = False) -> bool:
    """Return whether a configuration with these problems may be applied."""
    return not [p for p in problems if p.severity == ERROR or (strict and p.severity != NOTE)]


def _tell(found: Sequence[tuple[Source, Sequence[Problem]]]) -> None:
    for source, problems in found:
        for problem in problems:
            severity = painted(f"{problem.severity:<7}", COLOURS[problem.severity])
            say(paragraph(f"{severity} ", source.told(problem)))
        errors, warnings = (sum(p.severity == what for p in problems) for what in (ERROR, WARNING))
        complain(f"{source.path}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")


def _as_data(source: Source, problem: Problem) -> dict[str, object]:
    place = {"file": str(source.path), "line": problem.place.line, "column": problem.place.column}
    return {**place, "key": problem.key, "severity": problem.severity, "problem": problem.text}


def _run_apply_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("new", type=Path, metavar="NEW", help="the changed file")
    add_config(parser)
    parser.add_argument(
        "--confirm",
        type=float,
        metavar="SECONDS",
        help="put the file that was there back unless you confirm within so many seconds",
    )


def run_apply(args: argparse.Namespace) -> int:
    """Put a checked file in the place of another, and see the processes that watch it take it up."""
    if is_abandoned(args.config):
        put_back(args.config)
        complain(f"{args.config} was there on trial, and nobody confirmed it: it is as it was before")
    source = read(args.new)
    problems = check(source)
    _tell([(source, problems)])
    if not is_fine(problems):
        return CONFIGURATION
    if args.confirm is None:
        put(args.config, source.content)
        return _see(source, args.config)
    if not args.config.exists():
        complain(f"{args.config} does not exist: there is nothing to go back to; leave --confirm out")
        return USAGE
    ended, codes = _ends(), []

    def is_confirmed() -> bool:
        codes.append(_see(source, args.config))
        return _confirmed(args.confirm, ended)

    if put_on_trial(args.config, source.content, is_confirmed):
        say("kept")
        return codes[0]
    say(f"not confirmed: {args.config} is as it was")
    _see(read(args.config), args.config)
    return FAILED


def _see(source: Source, path: Path) -> int:
    """Wait until the watching processes have looked at the file, and tell what each made of it."""
    directories = state_directories(examine(read(path)))
    deadline = time.monotonic() + PATIENCE
    while True:
        states = [
            (facts, _state(facts, source.hash)) for directory in directories for facts in present(directory, path)
        ]
        if all(state != WAITS for _, state in states) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for facts, state in states:
        say(f"{facts['pid']:>7} {facts['name']}: {state}")
    if not states:
        say(f"{path} is in place; no running process tells that it uses it")
    return DONE if all(state == RUNS for _, state in states) else FAILED


def _state(facts: Mapping[str, Any], wanted: str) -> str:
    refused = facts.get("refused") or {}
    if facts.get("hash") == wanted:
        return RUNS
    if refused.get("hash") == wanted:
        return f"refused it: {plain(str(refused.get('reason')), one_line=True)}"
    return WAITS if facts.get("watch") else "does not watch the file: restart it"


def _confirmed(seconds: float, ended: Sequence[int]) -> bool:
    """Return whether somebody says so in time; a connection that breaks says no."""
    say(f"Type yes within {seconds:g} s to keep it, and press Enter.")
    sys.stdout.flush()
    deadline = time.monotonic() + seconds
    while not ended and time.monotonic() < deadline:
        if select.select([sys.stdin], [], [], min(0.2, seconds))[0]:
            with contextlib.suppress(OSError):
                return sys.stdin.readline().strip().lower() in ("y", "yes")
            return False
    return False


def _ends() -> list[int]:
    """Hold off the signals that would end us: what was changed must still be put back."""
    got: list[int] = []
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: got.append(number))
    return got
