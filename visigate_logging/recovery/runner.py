"""One recovery from the decision to the outcome: steps, verification, audit trail, and what people are told."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.values import Sanitiser
from visigate_logging.exceptions import RecoveryError
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Budgets, Marks, full_key, host_lock
from visigate_logging.recovery.child import attempt
from visigate_logging.recovery.policy import Action, Decision, begin, decide, finish
from visigate_logging.recovery.procedures import Planned, Procedure, Verify
from visigate_logging.recovery.process import run_in_child
from visigate_logging.recovery.steps.base import Context, Outcome, Status

__all__ = ["Runner"]

BUSY_RETRY = 5.0  # when another process recovers the same thing, seconds
MAX_OUTCOME = 65_536  # bytes of an outcome's message, and of its details


def _level(outcome: Outcome, context: Context) -> int:
    """Who was told of a fault is told how it ended; that changes are lost is told to everyone."""
    if outcome.status is Status.REFUSED:
        return logging.WARNING if outcome.details.get("dry_run") else logging.INFO
    if outcome.details.get("changes_lost"):
        return logging.CRITICAL
    return max(logging.ERROR, logging.getLevelNamesMapping().get(context.severity, 0))


class Runner:
    """Runs procedures, at most as often as their limits allow.

    Args:
        procedures: what is configured.
        directory: the state directory.
        dry_run: only tell what would be done.
        failed: is called with what went wrong when a run has failed.
    """

    def __init__(
        self,
        procedures: Sequence[Procedure],
        directory: Path,
        *,
        dry_run: bool = False,
        failed: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.procedures = {p.name: p for p in procedures}
        self.budgets = Budgets(directory)
        self.marks = Marks(directory)
        self.audit = Audit(directory)
        self._directory = directory
        self._dry_run = dry_run
        self._failed = failed
        self._last: dict[str, Action] = {}

    def close(self) -> None:
        """Close the state file."""
        self.budgets.state.close()

    def answer(self, context: Context, *, error: bool = True, resumed: bool = False) -> float | None:
        """Decide about an error, and run its procedure; never in a caller's thread.

        Args:
            context: the error.
            error: False when an earlier error is taken up again.
            resumed: it was left unfinished before this start: a rest is not waited for.

        Returns:
            In how many seconds it should be taken up again; None when that is settled.
        """
        procedure = self.procedures.get(context.procedure)
        if procedure is None:
            self.marks.clear(context)
            return None
        key = full_key(context)
        lock = host_lock(self._directory, key)
        if not lock.acquire():
            return BUSY_RETRY
        try:
            budget, now = self.budgets.load(key)
            if resumed:
                budget = replace(budget, rest_until=0.0)
            decision, budget = decide(budget, procedure, now, error=error)
            if decision.action is Action.RUN:
                budget = begin(budget, now)
            self.budgets.save(key, budget)
            self._note(decision, context, procedure)
            if decision.action is Action.RUN:
                return self._finish(self.run(procedure, context), procedure, context)
            waits = decision.action is Action.REST and not budget.mended
            return max(decision.until - now, 0.0) if waits else None
        finally:
            lock.release()

    def run_by_hand(self, procedure: Procedure, context: Context, *, dry_run: bool = False) -> Outcome:
        """Run a procedure because a person asks for it, whatever its budget.

        Raises:
            RecoveryError: another process runs it right now.
        """
        lock = host_lock(self._directory, full_key(context))
        if not lock.acquire():
            raise RecoveryError(f"{full_key(context)} is being run by another process; wait for it to end")
        try:
            outcome = self.run(procedure, context, dry_run=dry_run)
            if not dry_run:
                self.audit.write("outcome", context, status=outcome.status, message=outcome.message, by_hand=True)
            return outcome
        finally:
            lock.release()

    def standing(self, procedure: Procedure) -> list[dict[str, Any]]:
        """How the budgets of a procedure stand, one for each key; nothing is made where nothing is."""
        if not self.budgets.state.path.exists():
            return []
        found = []
        for key in self.budgets.keys(procedure.name):
            budget, now = self.budgets.load(key)
            recent = [t for t in budget.attempts if now - t < procedure.period]
            resting = "resting" if now < budget.rest_until else "ready"
            state = resting if budget.given_up is None else "given up"
            found.append({"key": key, "attempts": len(recent), "failures": budget.failures, "state": state})
        return found

    def run(self, procedure: Procedure, context: Context, *, dry_run: bool = False) -> Outcome:
        """Go through the steps, whatever the limits say, until one helps, refuses or puts off."""
        if dry_run or self._dry_run:
            plan = ", then ".join(p.name for p in procedure.steps)
            return Outcome(Status.REFUSED, f"dry run: nothing was done; it would run {plan}", {"dry_run": True})
        told: list[str] = []
        for planned in procedure.steps:
            outcome = self._step(planned, context)
            if outcome.status is Status.DONE and procedure.verify is not None:
                outcome = self._verified(outcome, procedure.verify, context)
            told.append(f"{planned.name}: {outcome.message}")
            if outcome.status is not Status.FAILED:
                break
        return Outcome(outcome.status, "; ".join(told), outcome.details)

    def _step(self, planned: Planned, context: Context) -> Outcome:
        if planned.step.reboots and not self.budgets.may_reboot():
            return Outcome(Status.FAILED, "the host was rebooted within a day; not again")
        if planned.step.resumes:
            self.marks.set(context)
        self.audit.write("step begins", context, step=planned.name)
        outcome = self._perform("step ends", planned, context)
        interrupted = outcome.details.get("died") or outcome.details.get("timed_out")
        if planned.step.resumes and outcome.status is not Status.DEFERRED and not interrupted:
            self.marks.clear(context)
        return outcome

    def _verified(self, outcome: Outcome, verify: Verify, context: Context) -> Outcome:
        """The outcome of a step, or that it has failed when no attempt of the probe says otherwise."""
        time.sleep(verify.grace)
        for left in range(verify.attempts, 0, -1):
            judged = self._perform("verify", verify.probe, context)
            if judged.status is Status.DONE:
                return outcome
            if left > 1:
                time.sleep(verify.interval)
        told = f"{outcome.message}; but {verify.probe.name} says: {judged.message}"
        return Outcome(Status.FAILED, told, outcome.details)

    def _perform(self, event: str, planned: Planned, context: Context) -> Outcome:
        """Run a step, and write its outcome into the audit trail."""
        started = time.monotonic()
        outcome = _execute(planned, context)
        self.audit.write(
            event, context, step=planned.name, **asdict(outcome), seconds=round(time.monotonic() - started, 3)
        )
        return outcome

    def _note(self, decision: Decision, context: Context, procedure: Procedure) -> None:
        """A decision goes into the audit trail when it is not the one before it; giving up is told."""
        key = full_key(context)
        if self._last.get(key) != decision.action or decision.action is Action.RUN:
            self.audit.write("decision", context, action=decision.action, until=decision.until or None)
        self._last[key] = decision.action
        if decision.action is Action.GIVE_UP:
            self._tell_giving_up(procedure, context)

    def _finish(self, outcome: Outcome, procedure: Procedure, context: Context) -> float | None:
        key = full_key(context)
        budget, now = self.budgets.load(key)
        chance = random.random()  # noqa: S311 -- spreads hosts, keeps no secret
        gives_up, after = finish(budget, procedure, now, outcome.status, chance)
        self.budgets.save(key, after)
        self.audit.write("outcome", context, status=outcome.status, message=outcome.message, gives_up=gives_up)
        if outcome.status is Status.FAILED:
            self._failed(f"{key} failed: {outcome.message}")
        if outcome.status is not Status.DEFERRED or after.failures == 1:  # put off again and again: told once
            self.tell(_level(outcome, context), f"{outcome.status}: {outcome.message}", context, outcome)
        if gives_up:
            self._tell_giving_up(procedure, context)
        return after.rest_until - now if outcome.status is Status.DEFERRED else None

    def _tell_giving_up(self, procedure: Procedure, context: Context) -> None:
        told = (
            f"given up after {procedure.max_attempts} attempts within {procedure.period:g} s; one trial in "
            f"{procedure.half_open:g} s. Mend it by hand, then: visigate-errors recover reset {procedure.name}"
        )
        self.tell(logging.CRITICAL, told, context, Outcome(Status.FAILED, told))

    def tell(self, level: int, text: str, context: Context, outcome: Outcome) -> None:
        """Log how a recovery went: mail and pages tell it, and it starts no other recovery."""
        logging.getLogger("visigate_logging.recovery").log(
            level,
            "Recovery %s for %s %s",
            full_key(context),
            context.error_type or "a request by hand",
            text,
            extra={
                "recovery": {
                    "procedure": context.procedure,
                    "key": context.key,
                    "status": str(outcome.status),
                    "event_id": context.event_id,
                    "details": dict(outcome.details),
                }
            },
        )


def _execute(planned: Planned, context: Context) -> Outcome:
    filled = planned.filled(context)
    if filled.step.inside:
        outcome = attempt(filled.step, context)
    else:
        outcome = run_in_child(filled.name, filled.parameters, context, filled.step.timeout)
    # The audit trail keeps it, and people are told: what a program prints may hold a secret.
    return Outcome(outcome.status, _clean.text(outcome.message), _clean.value(outcome.details))


_clean = Sanitiser(Redactor(), MAX_OUTCOME)
