"""What people are told of a recovery: by the logger, so that logs, mails and pages have it."""

import logging
from dataclasses import dataclass

from visigate_logging.recovery.budgets import full_key
from visigate_logging.recovery.steps.base import Context, Outcome, Status

AT_LEAST_EVERY = 48  # times that something is put off: 4 h at the longest rest of 300 s, as for a mail


@dataclass(frozen=True)
class Message:
    """One message, to be logged now or when handlers are there for it.

    Args:
        level: of logging.
        text: what happened, after what it happened to.
        context: the error.
        outcome: for programs.
    """

    level: int
    text: str
    context: Context
    outcome: Outcome

    def log(self) -> None:
        """Log it; a record of this logger starts no other recovery."""
        context = self.context
        logging.getLogger("visigate_logging.recovery").log(
            self.level,
            "Recovery %s for %s %s",
            full_key(context),
            context.error_type or "a request by hand",
            self.text,
            extra={
                "fingerprint": ["recovery", context.procedure, str(self.outcome.status)],
                "recovery": {
                    "procedure": context.procedure,
                    "key": context.key,
                    "status": str(self.outcome.status),
                    "event_id": context.event_id,
                    "details": dict(self.outcome.details),
                },
            },
        )


def level_of(outcome: Outcome, context: Context, *, first: bool) -> int:
    """Return who was told of a fault is told how it ended; that changes are lost is told to everyone.

    Args:
        outcome: how it ended.
        context: the error.
        first: whether this process refuses such an error for the first time.
    """
    if outcome.status is Status.REFUSED:
        return logging.WARNING if first or outcome.details.get("dry_run") else logging.INFO
    if outcome.status is Status.DIAGNOSED:
        return logging.WARNING
    if outcome.details.get("changes_lost"):
        return logging.CRITICAL
    return max(logging.ERROR, logging.getLevelNamesMapping().get(context.severity, 0))


def is_worth_repeating(times: int) -> bool:
    """Return whether something that was put off so many times is told again: ever more rarely, but never no more."""
    return times & (times - 1) == 0 or times % AT_LEAST_EVERY == 0
