"""Put a checked configuration into effect; go back unless confirmed."""

import contextlib
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import CONFIG, Args, argument, within
from visigate_logging.cli.checks import is_fine, told
from visigate_logging.cli.command import CONFIGURATION, DONE, FAILED, USAGE
from visigate_logging.cli.output import complain, say
from visigate_logging.config.check import check, examine
from visigate_logging.config.confirm import is_abandoned, put, put_back, put_on_trial
from visigate_logging.config.load import read
from visigate_logging.config.presence import state_directories
from visigate_logging.config.source import Source
from visigate_logging.detail.plain import plain
from visigate_logging.lifecycle.processes import present

ARGUMENTS = (
    argument("new NEW", "the changed file", type=Path),
    *CONFIG,
    argument(
        "--confirm SECONDS",
        "put the file that was there back unless you confirm within so many seconds",
        type=within(0, 86_400, "seconds"),
    ),
)
RUNS, WAITS = "runs it", "still runs the old one"
PATIENCE = 5.0
"""Seconds in which processes that watch the file have looked at it."""


def run(args: Args) -> int:
    """Put a checked file in the place of another, and see the processes that watch it take it up."""
    if is_abandoned(args.config):
        put_back(args.config)
        complain(f"{args.config} was there on trial, and nobody confirmed it: it is as it was before")
    source = read(args.new)
    problems = check(source)
    for line in told([(source, problems)]):
        say(line)
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
