"""rehearse: what a changed configuration would have done with the errors there were."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.command import DONE, FAILED, Command, add_json, add_log, moment, open_store
from visigate_logging.cli.configuring import add_config, is_fine
from visigate_logging.cli.output import bold, complain, say, say_json
from visigate_logging.cli.replay import Route, host_times, log_record
from visigate_logging.config.build import Built
from visigate_logging.config.check import check
from visigate_logging.config.load import read, refuse
from visigate_logging.config.objects import OWN_KEYS
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.store import ErrorStore

if TYPE_CHECKING:
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler
    from visigate_logging.mail.throttle import Group, Windows

__all__ = ["REHEARSE", "Mailing", "rehearsed"]

MAIL_HANDLER = "ThrottledSMTPHandler"
PAGE = 500
Incident = tuple[str, float, float]
_ALL = float("inf")
_LATER = 1.0
"""Seconds by which an incident must be told later to be worth saying."""


@dataclass
class Mailing:
    """One mail handler under a clock that jumps from one event to the next.

    Args:
        windows: how long to wait before telling.
        mails: when each mail went out.
        incidents: group, when its first error came, and when a mail first told of it.
    """

    windows: "Windows"
    mails: list[float] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    _groups: "dict[str, Group]" = field(default_factory=dict)
    _now: float = 0.0

    def note(self, detail: ErrorDetail, severity: str, now: float) -> None:
        """An error comes in; what was due before it has been told."""
        from visigate_logging.mail.throttle import Group, note

        self.run_until(now)
        time = detail.timestamp
        news = Group(detail.fingerprint, severity, now, now, time, time, time, untold=1)
        self._groups[detail.fingerprint] = note(self._groups.get(detail.fingerprint), news, self.windows)

    def run_until(self, end: float) -> None:
        """Send what is due before ``end``."""
        from visigate_logging.mail.throttle import plan

        while True:
            mailed = self.mails[-self.windows.max_per_hour :]
            decision = plan(self._groups.values(), mailed, self._now, self.windows)
            if decision.due:
                self._tell(decision.due)
            elif decision.look_again is not None and decision.look_again < end:
                self._now = max(self._now, decision.look_again)
            else:
                break
        if end != _ALL:
            self._now = max(self._now, end)

    def _tell(self, due: "Sequence[Group]") -> None:
        from visigate_logging.mail.throttle import after_telling

        self.mails.append(self._now)
        for group in due:
            if group.told_at is None:
                self.incidents.append((group.fingerprint, group.since, self._now))
            after = after_telling(group, self._now, self.windows)
            if after is None:
                del self._groups[group.fingerprint]
            else:
                self._groups[group.fingerprint] = after


def rehearsed(config: Path, errors: Iterable[tuple[float, ErrorDetail]]) -> dict[str, Mailing]:
    """What each mail handler of a configuration would have sent.

    Args:
        config: the file.
        errors: with their times, the oldest first.

    Raises:
        ConfigurationError: the file cannot be.
    """
    source = read(config)
    if not is_fine(check(source)):
        raise refuse(source, source.errors)
    built = Built({k: v for k, v in source.values.items() if k in ("version", "filters", "handlers")})
    for name in source.values.get("filters") or ():
        built.one("filters", name)
    mailings, concerned = {}, {}
    for name, given in (source.values.get("handlers") or {}).items():
        if str(given.get("class", given.get("()"))).endswith(MAIL_HANDLER):
            handler = _unnamed(given)
            mailings[name], concerned[name] = Mailing(handler._options.windows), handler._concerns
    route = Route(source, built)
    for now, detail in errors:
        record = log_record(detail)
        for name in route.handlers(record):
            if name in mailings and concerned[name](record):
                mailings[name].note(detail, getattr(record, "severity", record.levelname), now)
    for mailing in mailings.values():
        mailing.run_until(_ALL)
    return mailings


def _unnamed(given: Mapping[str, Any]) -> "ThrottledSMTPHandler":
    """The handler without a name, which does nothing until it has one."""
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    return ThrottledSMTPHandler(**{k: v for k, v in given.items() if k not in OWN_KEYS["handlers"]})


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--against", type=Path, metavar="FILE", help="another configuration, side by side")
    parser.add_argument("--since", type=moment, default="7d", metavar="WHEN", help="2h, 3d, 2026-05-04 (default: 7d)")
    add_log(parser)
    add_json(parser)


def rehearse(args: argparse.Namespace) -> int:
    """Replay stored errors through a configuration, with their own times."""
    errors = list(host_times(_stored(open_store(args), args.since)))
    if not errors:
        complain("there are no errors to rehearse with; see --since and --log")
        return FAILED
    new = _summary(rehearsed(args.config, errors))
    old = _summary(rehearsed(args.against, errors)) if args.against else None
    later = list(_later(old["incidents"], new["incidents"])) if old else []
    if args.json:
        say_json({"errors": len(errors), "config": new, "against": old, "later": later})
        return DONE
    for line in _told(args, len(errors), new, old, later):
        say(line)
    return DONE


def _stored(store: ErrorStore, since: datetime) -> Iterator[ErrorDetail]:
    page = store.recent(PAGE, since=since)
    yield from page
    while page.cursor:
        page = store.recent(PAGE, since=since, cursor=page.cursor)
        yield from page


def _summary(mailings: Mapping[str, Mailing]) -> dict[str, Any]:
    handlers = {name: len(mailing.mails) for name, mailing in mailings.items()}
    incidents = [incident for mailing in mailings.values() for incident in mailing.incidents]
    return {"mails": sum(handlers.values()), "handlers": handlers, "incidents": sorted(incidents)}


def _later(old: Sequence[Incident], new: Sequence[Incident]) -> Iterator[dict[str, Any]]:
    """The incidents that would be told later, or not at all."""
    for group, began, told in old:
        then = min((t for g, _, t in new if g == group and t >= began), default=None)
        if then is None or then > told + _LATER:
            yield {"group": group, "began": began, "told": told, "told_later": then}


def _told(
    args: argparse.Namespace, errors: int, new: Mapping[str, Any], old: Mapping[str, Any] | None, later: Sequence[Any]
) -> Iterator[str]:
    yield f"{errors} errors since {args.since:%Y-%m-%d %H:%M}"
    before = f"{old['mails']} mails with {args.against}, " if old else ""
    yield bold(f"{before}{new['mails']} with {args.config}")
    for name, count in new["handlers"].items():
        yield f"  {name}: {count} mails of {len(new['incidents'])} incidents"
    for incident in later:
        yield f"later: {incident['group']} " + (
            f"by {incident['told_later'] - incident['told']:.0f} s" if incident["told_later"] else "never"
        )


REHEARSE = Command("rehearse", "what a configuration would have done with the stored errors", _arguments, rehearse)
