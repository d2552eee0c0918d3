"""Show what a configuration would have done with the stored errors."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import CONFIG, JSON, LOG, Args, argument, moment
from visigate_logging.cli.checks import is_fine
from visigate_logging.cli.command import FAILED
from visigate_logging.cli.output import answer, bold, complain
from visigate_logging.cli.selection import everything, open_store
from visigate_logging.config.check import check
from visigate_logging.config.load import read
from visigate_logging.config.source import refuse
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.words import counted
from visigate_logging.rehearsal.replay import host_times
from visigate_logging.rehearsal.simulated import FirstTold, Simulated
from visigate_logging.triage.decisions import Decision, Merges
from visigate_logging.triage.states import Replayed

ARGUMENTS = (
    *CONFIG,
    argument("--against FILE", "another, side by side (default: logging.yaml)", type=Path),
    argument("--since WHEN", "2h, 3d, 2026-05-04", type=moment, default="7d"),
    LOG,
    JSON,
)
DEFAULT = Path("logging.yaml")
_LATER = 1.0
"""Seconds by which an incident must be told later to be worth saying."""


def rehearsed(
    config: Path, errors: Iterable[tuple[float, ErrorDetail]], decisions: Sequence[Decision] = ()
) -> Simulated:
    """Return what the mail and recovery handlers of a configuration would have done.

    Args:
        config: the file.
        errors: with their times, the oldest first.
        decisions: about their groups: what was muted then is told to nobody, what is merged as one.

    Raises:
        ConfigurationError: the file cannot be.
    """
    source, merges, replayed = read(config), Merges(decisions), Replayed(decisions)
    if not is_fine(check(source)):
        raise refuse(source, source.errors)
    with tempfile.TemporaryDirectory(prefix="visigate-rehearse-") as nowhere:

        def is_muted(detail: ErrorDetail) -> bool:
            return replayed.is_muted(detail.fingerprint, detail.timestamp, detail.severity)

        simulated = Simulated(source.values, f"{nowhere}/state", is_muted)
        for now, detail in errors:
            simulated.meet(replace(detail, fingerprint=merges.root(detail.fingerprint)), now)
        simulated.finish()
    return simulated


def run(args: Args) -> int:
    """Replay stored errors through a configuration, with their own times."""
    with open_store(args) as store:
        errors, decisions = list(host_times(everything(store, since=args.since))), store.decisions()
    if not errors:
        complain("there are no errors to rehearse with; see --since and --log")
        return FAILED
    if args.against is None and DEFAULT.exists() and not DEFAULT.samefile(args.config):
        args.against = DEFAULT
    new = _summary(rehearsed(args.config, errors, decisions))
    old = _summary(rehearsed(args.against, errors, decisions)) if args.against else None
    later = list(_later(old["incidents"], new["incidents"])) if old else []
    data = {"errors": len(errors), "config": new, "against": old, "later": later}
    return answer(args, data, _told(args, len(errors), new, old, later))


def _summary(simulated: "Simulated") -> dict[str, Any]:
    mails, notified = (
        {name: len(one.mails) for name, one in simulated.mailings.items() if (one.noun == "mail") is is_mail}
        for is_mail in (True, False)
    )
    incidents = [incident for mailing in simulated.mailings.values() for incident in mailing.incidents]
    runs = Counter(key for recovering in simulated.recoveries.values() for _, key in recovering.runs)
    return {
        "mails": sum(mails.values()),
        "handlers": mails,
        "notified": notified,
        "incidents": sorted(incidents),
        "forwarded": simulated.forwarded,
        "recoveries": dict(runs),
    }


def _later(old: "Sequence[FirstTold]", new: "Sequence[FirstTold]") -> Iterator[dict[str, Any]]:
    """Yield the incidents that would be told later, or not at all."""
    for group, began, told in old:
        then = min((t for g, _, t in new if g == group and t >= began), default=None)
        if then is None or then > told + _LATER:
            yield {"group": group, "began": began, "told": told, "told_later": then}


def _told(
    args: Args, errors: int, new: Mapping[str, Any], old: Mapping[str, Any] | None, later: Sequence[Any]
) -> Iterator[str]:
    yield f"{counted(errors, 'error')} since {args.since:%Y-%m-%d %H:%M}"
    before = f"{counted(old['mails'], 'mail')} with {args.against}, " if old else ""
    yield bold(f"{before}{counted(new['mails'], 'mail')} with {args.config}")
    for name, count in new["handlers"].items():
        yield f"  {name}: {counted(count, 'mail')} of {counted(len(new['incidents']), 'incident')}"
    for name, count in new["notified"].items():
        yield f"  {name}: {counted(count, 'notification')}"
    for name, count in new["forwarded"].items():
        yield f"  {name}: {counted(count, 'error')} forwarded"
    for incident in later:
        how = incident["told_later"] and f"by {incident['told_later'] - incident['told']:.0f} s"
        yield f"told later: {incident['group']} {how or 'never'}"
    if new["recoveries"]:
        runs = ", ".join(f"{count} times {key}" for key, count in new["recoveries"].items())
        yield f"recoveries run: {runs}"
        yield "  each is taken for a success; one that fails rests for longer, and is given up after max_attempts"
