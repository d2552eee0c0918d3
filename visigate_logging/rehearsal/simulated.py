"""Mail and recovery handlers under a clock that jumps from one stored error to the next, and never doing anything."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from visigate_logging.config.build import Built
from visigate_logging.config.objects import OWN_KEYS
from visigate_logging.delivery.entries import signs_of
from visigate_logging.delivery.throttle import Incident, Windows, after_telling, note, plan
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.forward.selection import Selection
from visigate_logging.handlers.forward import ForwardHandler
from visigate_logging.handlers.recovery import RecoveryHandler, key_of
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.recovery.budgets import full_key
from visigate_logging.recovery.policy import Action, Budget, begin, decide, finish
from visigate_logging.recovery.steps.base import Context, Status
from visigate_logging.rehearsal.replay import log_record

FirstTold = tuple[str, float, float]
"""A group, when its first error came, and when a mail first told of it."""
_ALL = float("inf")
_ERROR = "rehearsed"
_MUTED = "rehearsed_muted"
"""Where a record has the stored error, and its time, for the handlers here."""


class Telling(logging.Handler):
    """Stands for a handler that tells people: each of its routes has a throttle of its own."""

    def __init__(self, handler: ThrottledHandler, level: int | str, name: str) -> None:
        super().__init__(level)
        self.routes = {
            route.full_name(name): Throttled(route.delivery.windows, route.delivery.channel.noun)
            for route in handler.routes
        }
        self.routes = self.routes or {name: Throttled(Windows())}  # one that is off tells nothing
        self._handler = handler
        self._name = name

    def emit(self, record: logging.LogRecord) -> None:
        """Let an error go the way that it would go."""
        if not record.__dict__[_MUTED] and (route := self._handler.route_of(record)):
            now, detail = record.__dict__[_ERROR]
            self.routes[route.full_name(self._name)].meet(
                detail, str(getattr(record, "severity", record.levelname)), now
            )


class Throttled:
    """One throttle: ``mails`` is when each message went out, ``incidents`` what they told of first."""

    def __init__(self, windows: Windows, noun: str = "mail") -> None:
        self.noun = noun
        self.mails: list[float] = []
        self.incidents: list[FirstTold] = []
        self._windows = windows
        self._groups: dict[str, Incident] = {}
        self._now = 0.0

    def meet(self, detail: ErrorDetail, severity: str, now: float) -> None:
        """Take an error in; what was due before it has been told."""
        self.run_until(now)
        time, key = detail.timestamp, detail.fingerprint
        news = Incident(key, severity, now, now, time, time, time, untold=1, signs=signs_of(detail))
        self._groups[key] = note(self._groups.get(key), news, self._windows)

    def run_until(self, end: float) -> None:
        """Send what is due before ``end``."""
        while True:
            mailed = self.mails[-self._windows.max_per_hour :]
            decision = plan(self._groups.values(), mailed, self._now, self._windows)
            if decision.due:
                self._tell(decision.due)
            elif decision.look_again is not None and decision.look_again < end:
                self._now = max(self._now, decision.look_again)
            else:
                break
        if end != _ALL:
            self._now = max(self._now, end)

    def _tell(self, due: Sequence[Incident]) -> None:
        self.mails.append(self._now)
        for group in due:
            if group.told_at is None:
                self.incidents.append((group.fingerprint, group.since, self._now))
            after = after_telling(group, self._now, self._windows)
            if after is None:
                del self._groups[group.fingerprint]
            else:
                self._groups[group.fingerprint] = after


class Recovering(logging.Handler):
    """Stands for one recovery handler: ``runs`` is when a procedure would have run, and for what.

    Each run is taken for a success, since nobody knows.
    """

    def __init__(self, handler: RecoveryHandler, level: int | str) -> None:
        super().__init__(level)
        self.runs: list[tuple[float, str]] = []
        self._handler = handler
        self._budgets: dict[str, Budget] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Let an error come in."""
        found = self._handler.procedure_for(record) if self._handler.filter(record) else None
        if found is None:
            return
        procedure, (now, _) = found[0], record.__dict__[_ERROR]
        key = full_key(Context(procedure=procedure.name, key=key_of(record, procedure)))
        decision, budget = decide(self._budgets.get(key, Budget()), procedure, now)
        if decision.action is Action.RUN:
            self.runs.append((now, key))
            _, budget = finish(begin(budget, now), procedure, now, Status.DONE, 0.5)
        self._budgets[key] = budget


class Simulated:
    """The loggers of a configuration, apart from those of this process, with handlers that do nothing.

    Args:
        values: the configuration.
        nowhere: a directory that does not exist, for what they would keep.
        is_muted: whether an error's group was muted when it came: it is told to nobody.
    """

    def __init__(
        self, values: Mapping[str, Any], nowhere: str, is_muted: Callable[[ErrorDetail], bool] = lambda _: False
    ) -> None:
        self._is_muted = is_muted
        self.mailings: dict[str, Throttled] = {}
        self._selections: dict[str, Selection] = {}
        self.recoveries: dict[str, Recovering] = {}
        self.forwarded: dict[str, int] = {}
        made = Built({name: values.get(name) or {} for name in ("filters", "handlers", "loggers", "root")})
        for name in made.config["filters"]:
            made.one("filters", name)
        for name, given in made.config["handlers"].items():
            stand_in = made.config["handlers"][name] = self._stand_in(made, name, given, nowhere)
            made.add_filters(stand_in, given.get("filters") or ())
        self._loggers = logging.Manager(logging.RootLogger(logging.WARNING))
        made.common_logger_config(self._loggers.root, made.config["root"])
        for name, given in made.config["loggers"].items():
            made.common_logger_config(self._loggers.getLogger(name), given)
            self._loggers.getLogger(name).propagate = given.get("propagate", True)

    # complex: one kind of handler each
    def _stand_in(self, made: Built, name: str, given: Mapping[str, Any], nowhere: str) -> logging.Handler:
        kind, level = made.resolve(given.get("()") or given["class"]), given.get("level") or logging.NOTSET
        arguments = {k: v for k, v in given.items() if k not in OWN_KEYS["handlers"]} | {"state_dir": nowhere}
        if isinstance(kind, type) and issubclass(kind, ThrottledHandler):  # it does nothing without a name
            telling = Telling(kind(**arguments), level, name)
            self.mailings |= telling.routes
            return telling
        if isinstance(kind, type) and issubclass(kind, RecoveryHandler):
            return self.recoveries.setdefault(name, Recovering(kind(**arguments), level))
        is_forward = isinstance(kind, type) and issubclass(kind, ForwardHandler)
        if is_forward and (options := kind(**arguments).options):
            self.forwarded[name], self._selections[name] = 0, options.selection
        return _Nothing(level)

    def meet(self, detail: ErrorDetail, now: float) -> None:
        """Let a stored error take the way that it would take."""
        record = log_record(detail)
        record.__dict__[_ERROR] = now, detail
        record.__dict__[_MUTED] = self._is_muted(detail)
        for name, selection in self._selections.items():
            self.forwarded[name] += selection.lane(vars(detail)) is not None
        logger = self._loggers.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)

    def finish(self) -> None:
        """Let time pass until nothing is due any more."""
        for mailing in self.mailings.values():
            mailing.run_until(_ALL)


class _Nothing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Say that filters have seen the record, and may have changed it for the others."""
