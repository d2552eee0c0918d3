"""One recovery from the decision to the outcome: budget, run, audit trail, and what people are told."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from visigate_logging.exceptions import RecoveryError
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Budgets, Marks, full_key, host_lock
from visigate_logging.recovery.execution import Execution
from visigate_logging.recovery.messages import Message, is_worth_repeating, level_of
from visigate_logging.recovery.policy import Action, Decision, begin, decide, finish, resume
from visigate_logging.recovery.procedures import Procedure
from visigate_logging.recovery.steps.base import Context, Outcome, Status

BUSY_RETRY = 5.0  # when another process recovers the same thing, seconds


class Runner:
    """Runs procedures, at most as often as their limits allow.

    Args:
        procedures: what is configured.
        directory: the state directory.
        dry_run: only tell what would be done.
        failed: is called with what went wrong when a run has failed.
        refused: is called with the error when it was not for its procedure.
        tell: is called with what people are to be told.
    """

    def __init__(
        self,
        procedures: Sequence[Procedure],
        directory: Path,
        *,
        dry_run: bool = False,
        failed: Callable[[str], None] = lambda _text: None,
        refused: Callable[[Context], bool] = lambda _context: True,
        tell: Callable[[Message], None] = Message.log,
    ) -> None:
        self.procedures = {p.name: p for p in procedures}
        self.budgets = Budgets(directory)
        self.marks = Marks(directory)
        self.audit = Audit(directory)
        self._directory = directory
        self._dry_run = dry_run
        self._failed, self._refused, self._tell = failed, refused, tell
        self._last: dict[str, Action] = {}

    def close(self) -> None:
        """Close the state file."""
        self.budgets.state.close()

    def answer(self, context: Context, *, error: bool = True) -> float | None:
        """Decide about an error, and run its procedure; never in a caller's thread.

        Args:
            context: the error.
            error: False when an earlier error is taken up again.

        Returns:
            In how many seconds it should be taken up again; None when that is settled.
        """
        procedure = self.procedures[context.procedure]
        key = full_key(context)
        with host_lock(self._directory, key).tried() as is_ours:
            if not is_ours:
                return BUSY_RETRY
            budget, now = self.budgets.load(key)
            decision, budget = decide(budget, procedure, now, error=error)
            if decision.action is Action.RUN:
                budget = begin(budget, now)
            self.budgets.save(key, budget)
            self._note(decision, context, procedure)
            if decision.action is Action.RUN:
                return self._finish(self.run(procedure, context), procedure, context)
            waits = decision.action is Action.REST and not budget.mended
            return max(decision.until - now, 0.0) if waits else None

    def resume(self, context: Context, longest: float) -> float | None:
        """Go on with what was put off or interrupted before this start: it has its attempt already.

        Args:
            context: the error, from :class:`Marks`.
            longest: seconds that it may take, and that a process that is at it already is waited for.

        Returns:
            As :meth:`answer`.
        """
        procedure = self.procedures.get(context.procedure)
        if procedure is None or not any(planned.step.resumes for planned in procedure.steps):
            self.marks.clear(context)
            return None
        key = full_key(context)
        with host_lock(self._directory, key).tried(longest) as is_ours:
            if not is_ours:
                return BUSY_RETRY
            if self.marks.waiting(context) is None:  # who had the lock has finished it
                return None
            budget, _now = self.budgets.load(key)
            self.budgets.save(key, resume(budget))
            self.audit.write("decision", context, action="resume", until=None)
            execution = self._execution(procedure, context, longest)
            untold = self._untold(context)
            outcome = execution.judged(untold) if untold and not self._dry_run else self._run(execution)
            return self._finish(replace(outcome, message=f"at the start: {outcome.message}"), procedure, context)

    def run_by_hand(self, procedure: Procedure, context: Context, *, dry_run: bool = False) -> Outcome:
        """Run a procedure because a person asks for it, whatever its budget.

        Raises:
            RecoveryError: another process runs it right now.
        """
        with host_lock(self._directory, full_key(context)).tried() as is_ours:
            if not is_ours:
                raise RecoveryError(f"{full_key(context)} is being run by another process; wait for it to end")
            outcome = self.run(procedure, context, dry_run=dry_run)
            if not dry_run:
                self.audit.write("outcome", context, status=outcome.status, message=outcome.message, by_hand=True)
                self._clear_done(outcome, context)
            return outcome

    def look_ahead(self, procedure: Procedure, context: Context) -> Outcome:
        """Have what only looks of a procedure look before an error has come; its budget knows nothing of that."""
        outcome = self.run(replace(procedure, steps=procedure.looks, verify=None), context)
        self.audit.write("outcome", context, status=outcome.status, message=outcome.message, ahead=True)
        return outcome

    def standing(self, procedure: Procedure) -> list[dict[str, Any]]:
        """Return how the budgets of a procedure stand, one for each key; nothing is made where nothing is."""
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
        """Go through the steps, whatever the limits say."""
        return self._run(self._execution(procedure, context), dry_run=dry_run)

    def _run(self, execution: Execution, *, dry_run: bool = False) -> Outcome:
        return execution.plan() if dry_run or self._dry_run else execution.run()

    def _execution(self, procedure: Procedure, context: Context, longest: float | None = None) -> Execution:
        """Return a run; with ``longest`` one at the start."""
        return Execution(procedure, context, self.budgets, self.marks, self.audit, longest)

    def _note(self, decision: Decision, context: Context, procedure: Procedure) -> None:
        """Write a decision into the audit trail when it is not the one before it; tell of giving up."""
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
        first = outcome.status is Status.REFUSED and self._refused(context)
        if outcome.status is not Status.DEFERRED or is_worth_repeating(after.failures):
            level = level_of(outcome, context, first=first)
            self._tell(Message(level, f"{outcome.status}: {outcome.message}", context, outcome))
        self._clear_done(outcome, context)
        if gives_up:
            self._tell_giving_up(procedure, context)
        return after.rest_until - now if outcome.status is Status.DEFERRED else None

    def _clear_done(self, outcome: Outcome, context: Context) -> None:
        """Forget what is done; it has been told."""
        if outcome.status is Status.DONE:
            self.marks.clear(context)

    def _untold(self, context: Context) -> Outcome | None:
        """Return the outcome of a step that was done, when the process ended before anybody was told."""
        found = None
        for line in self.audit.read():
            if line["event_id"] == context.event_id and line["procedure"] == context.procedure:
                if line["event"] == "outcome":
                    found = None
                elif line["event"] == "step ends" and line["status"] == Status.DONE:
                    found = Outcome(Status.DONE, f"{line['step']}: {line['message']}", line["details"])
        return found

    def _tell_giving_up(self, procedure: Procedure, context: Context) -> None:
        told = (
            f"given up after {procedure.max_attempts} attempts within {procedure.period:g} s; one trial in "
            f"{procedure.half_open:g} s. Mend it by hand, then: visigate-errors recover reset {procedure.name}"
        )
        self._tell(Message(logging.CRITICAL, told, context, Outcome(Status.FAILED, told)))
