"""Mail and recovery handlers under a clock that jumps from one stored error to the next, and never doing anything."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from visigate_logging.config.objects import OWN_KEYS
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.handlers.recovery import RecoveryHandler, key_of
from visigate_logging.handlers.smtp import ThrottledSMTPHandler
from visigate_logging.mail.throttle import Group, Windows, after_telling, note, plan
from visigate_logging.recovery.budgets import full_key
from visigate_logging.recovery.policy import Action, Budget, begin, decide, finish
from visigate_logging.recovery.steps.base import Context, Status

__all__ = ["Incident", "Mailing", "Recovering", "Simulated"]

Incident = tuple[str, float, float]
"""A group, when its first error came, and when a mail first told of it."""
_ALL = float("inf")


@dataclass
class Mailing:
    """One mail handler under a clock that jumps from one event to the next.

    Args:
        windows: how long to wait before telling.
        mails: when each mail went out.
        incidents: group, when its first error came, and when a mail first told of it.
    """

    windows: Windows
    mails: list[float] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    _groups: dict[str, Group] = field(default_factory=dict)
    _now: float = 0.0

    def note(self, detail: ErrorDetail, severity: str, now: float) -> None:
        """An error comes in; what was due before it has been told."""
        self.run_until(now)
        time = detail.timestamp
        news = Group(detail.fingerprint, severity, now, now, time, time, time, untold=1)
        self._groups[detail.fingerprint] = note(self._groups.get(detail.fingerprint), news, self.windows)

    def run_until(self, end: float) -> None:
        """Send what is due before ``end``."""
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

    def _tell(self, due: Sequence[Group]) -> None:
        self.mails.append(self._now)
        for group in due:
            if group.told_at is None:
                self.incidents.append((group.fingerprint, group.since, self._now))
            after = after_telling(group, self._now, self.windows)
            if after is None:
                del self._groups[group.fingerprint]
            else:
                self._groups[group.fingerprint] = after


@dataclass
class Recovering:
    """One recovery handler; each run is taken for a success, since nobody knows.

    Args:
        runs: when a procedure would have run, and its name with what the fault is about.
    """

    runs: list[tuple[float, str]] = field(default_factory=list)
    _budgets: dict[str, Budget] = field(default_factory=dict)

    def note(self, handler: RecoveryHandler, record: logging.LogRecord, now: float) -> None:
        """An error comes in."""
        found = handler.procedure_for(record)
        if found is None:
            return
        procedure, _ = found
        key = full_key(Context(procedure=procedure.name, key=key_of(record, procedure)))
        decision, budget = decide(self._budgets.get(key, Budget()), procedure, now)
        if decision.action is Action.RUN:
            self.runs.append((now, key))
            _, budget = finish(begin(budget, now), procedure, now, Status.DONE, 0.5)
        self._budgets[key] = budget


class Simulated:
    """The mail and recovery handlers of a configuration.

    Args:
        handlers: the section of the configuration.
        nowhere: a directory that does not exist, for what they would keep.
    """

    def __init__(self, handlers: Mapping[str, Any], nowhere: str) -> None:
        self.mailings: dict[str, Mailing] = {}
        self.recoveries: dict[str, Recovering] = {}
        self._mail: dict[str, ThrottledSMTPHandler] = {}
        self._recovery: dict[str, RecoveryHandler] = {}
        for name, given in handlers.items():
            kind = str(given.get("class", given.get("()"))).rpartition(".")[2]
            arguments = {k: v for k, v in given.items() if k not in OWN_KEYS["handlers"]} | {"state_dir": nowhere}
            if kind == ThrottledSMTPHandler.__name__:  # it does nothing until it has a name
                self._mail[name] = ThrottledSMTPHandler(**arguments)
                self.mailings[name] = Mailing(self._mail[name].options.windows)
            elif kind == RecoveryHandler.__name__:
                self._recovery[name] = RecoveryHandler(**arguments)
                self.recoveries[name] = Recovering()

    def emit(self, name: str, record: logging.LogRecord, detail: ErrorDetail, now: float) -> None:
        """Let a handler, if it is one of these, have a record."""
        if name in self._mail and self._mail[name].concerns(record):
            self.mailings[name].note(detail, getattr(record, "severity", record.levelname), now)
        if name in self._recovery and self._recovery[name].filter(record):
            self.recoveries[name].note(self._recovery[name], record, now)

    def finish(self) -> None:
        """Let time pass until nothing is due any more."""
        for mailing in self.mailings.values():
            mailing.run_until(_ALL)
