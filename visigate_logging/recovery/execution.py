"""One run of a procedure: its steps, their verification, and the lines about them in the audit trail."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from visigate_logging.detail.masking import sanitiser
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.recovery.application import call, find
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Budgets, Marks
from visigate_logging.recovery.child import attempt
from visigate_logging.recovery.codes import Verdict
from visigate_logging.recovery.procedures import Planned, Procedure, Verify
from visigate_logging.recovery.process import run_in_child
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step

MAX_OUTCOME = 65_536  # bytes of an outcome's message, and of its details
RELEASE = 10.0  # how long the application's function may take to close its connections, seconds
SHORTEST = 0.1


@dataclass
class Execution:
    """One run.

    Args:
        procedure: what to go through.
        context: the error.
        budgets: of the host.
        marks: of the host.
        audit: of the host.
        longest: seconds for a run at the start, which goes on with nothing but the steps that resume after an
            interruption; None for any other, which takes as long as its steps may.
    """

    procedure: Procedure
    context: Context
    budgets: Budgets
    marks: Marks
    audit: Audit
    longest: float | None = None

    def __post_init__(self) -> None:
        self._at_start = self.longest is not None
        self._steps = [planned for planned in self.procedure.steps if planned.step.resumes or not self._at_start]
        self._deadline = time.monotonic() + (self.longest if self.longest is not None else math.inf)

    def run(self) -> Outcome:
        """Go through the steps until one helps, refuses or puts off."""
        told: list[str] = []
        mended, outcome = False, Outcome(Status.FAILED, "")
        for planned in self._steps:
            outcome = self._step(planned)
            mended = mended or planned.step.mends
            outcome = self.judged(outcome)
            told.append(f"{planned.name}: {outcome.message}")
            if outcome.status is not Status.FAILED:
                break
        if not mended and outcome.status in {Status.DONE, Status.FAILED}:
            well = {**outcome.details, "well": outcome.status is Status.DONE}
            outcome = Outcome(Status.DIAGNOSED, "", well)
        return replace(outcome, message="; ".join(told))

    def judged(self, outcome: Outcome) -> Outcome:
        """Return a step's outcome after the verification; what that does not bear out waits for nothing more."""
        if outcome.status is Status.DONE and self.procedure.verify is not None:
            outcome = self._verified(outcome, self.procedure.verify)
            if outcome.status is not Status.DONE:
                self.marks.clear(self.context)
        return outcome

    def plan(self) -> Outcome:
        """Say what the steps would do."""
        told: list[str] = []
        details: dict[str, Any] = {}
        for planned in self._steps:
            outcome = self._performed(planned, "plan") if type(planned.step).plan is not Step.plan else None
            told.append(f"{planned.name} ({outcome.message})" if outcome else planned.name)
            details.update(outcome.details if outcome else {})
        text = f"dry run: nothing was done; it would run {', then '.join(told)}"
        return Outcome(Status.REFUSED, text, details | {"dry_run": True})

    def _step(self, planned: Planned) -> Outcome:
        if planned.step.reboots and not self.budgets.may_reboot():
            return Outcome(Status.FAILED, "the host was rebooted within a day; not again")
        if planned.step.resumes:
            sure = planned.step.answers(self.context.codes) is Verdict.YES
            self.marks.set(self.context, instead=sure)
        self.audit.write("step begins", self.context, step=planned.name)
        outcome = self._perform("step ends", planned)
        if outcome.status is Status.DEFERRED and self.procedure.release:
            outcome = self._released(planned, outcome)
        if planned.step.resumes:
            self._settle(outcome)
        return outcome

    def _settle(self, outcome: Outcome) -> None:
        """Forget the step, unless it waits, was interrupted, or is done, which is to be told first.

        A refusal is about its own error alone.
        """
        waits = outcome.status in {Status.DEFERRED, Status.DONE}
        waits = waits or bool(outcome.details.keys() & {"died", "timed_out"})
        waiting = None if waits else self.marks.waiting(self.context)
        if waiting is not None and (
            outcome.status is not Status.REFUSED or waiting.event_id == self.context.event_id
        ):
            self.marks.clear(self.context)

    def _released(self, planned: Planned, outcome: Outcome) -> Outcome:
        """Return the outcome of a step that was put off, after the application has let go of what is in its way."""
        if self._at_start or self.context.manual:
            return outcome
        name = self.procedure.release
        reopen, problem = self._call_application(name, lambda: find(name)(asdict(self.context)))
        if not problem:
            outcome = self._perform("step ends", planned)
        if callable(reopen):
            _, problem = self._call_application(f"what {name} returned", reopen)
        return replace(outcome, message=f"{outcome.message}; {problem}") if problem else outcome

    def _call_application(self, name: str, function: Callable[[], Any]) -> tuple[Any, str]:
        """Return what a function of the application returns, and in words what it raises."""
        self.audit.write("release", self.context, step=name)
        try:
            return call(function, name, RELEASE), ""
        except Exception as error:  # noqa: BLE001 -- the application's function may raise anything
            return None, f"{name} raised {type(error).__name__}: {error}"

    def _verified(self, outcome: Outcome, verify: Verify) -> Outcome:
        """Return the outcome of a step, or that it has failed when no attempt of the probe says otherwise."""
        time.sleep(verify.grace)
        for left in range(verify.attempts, 0, -1):
            judged = self._perform("verify", verify.probe)
            if judged.status is Status.DONE:
                return outcome
            if left > 1:
                time.sleep(verify.interval)
        told = f"{outcome.message}; but {verify.probe.name} says: {judged.message}"
        return Outcome(Status.FAILED, told, outcome.details)

    def _perform(self, event: str, planned: Planned) -> Outcome:
        """Run a step, and write its outcome into the audit trail."""
        started = time.monotonic()
        outcome = self._performed(planned, "run")
        if outcome.details.get("timed_out") and self._at_start:
            outcome = replace(outcome, status=Status.DEFERRED, message=f"{outcome.message}; it goes on from here")
        self.audit.write(
            event, self.context, step=planned.name, **asdict(outcome), seconds=round(time.monotonic() - started, 3)
        )
        return outcome

    def _performed(self, planned: Planned, act: str) -> Outcome:
        try:
            filled = planned.filled(self.context)
        except ConfigurationError as error:  # what the error brought does not make a step
            return Outcome(Status.REFUSED, str(error))
        if filled.step.reboots and not planned.step.reboots:
            return Outcome(Status.REFUSED, f"what {planned.name} was given would reboot the host; name it in words")
        if filled.step.inside:
            outcome = attempt(filled.step, self.context, act)
        else:
            timeout = min(filled.step.timeout, max(SHORTEST, self._deadline - time.monotonic()))
            outcome = run_in_child(filled.name, filled.parameters, self.context, timeout, act)
        # The audit trail keeps it, and people are told: what a program prints may hold a secret.
        clean = sanitiser(MAX_OUTCOME)
        return Outcome(outcome.status, clean.text(outcome.message), clean.value(outcome.details))
