"""The child process of one step: ``python -m visigate_logging.recovery.child``.

The step's name, parameters and context come as JSON on stdin; the outcome goes as JSON to stdout. Whatever the step
itself prints goes to stderr. The process leads its own session, so that it, or its parent, can end it together with
everything that it started; by itself it does so when the step has had its time, even if its parent is gone.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from types import FrameType
from typing import Any

from visigate_logging.options import build
from visigate_logging.recovery.proc import adopt_orphans, end_descendants
from visigate_logging.recovery.process import INSIDE
from visigate_logging.recovery.steps import step_named
from visigate_logging.recovery.steps.base import Context, Outcome, Status


def main() -> None:
    """Run the step that stdin describes."""
    output = os.dup(1)
    os.dup2(2, 1)  # a step's print() must not mix with the outcome
    request = json.loads(sys.stdin.buffer.read())
    os.environ.pop("PYTHONPATH", None)
    if request["pythonpath"] is not None:
        os.environ["PYTHONPATH"] = request["pythonpath"]
    os.environ[INSIDE] = str(os.getsid(0))
    step = build(step_named(request["step"]), request["parameters"], request["step"])
    if os.getpgrp() == os.getpid():
        adopt_orphans()
        _end_when_late(request["step"], request["timeout"], output)
    outcome = attempt(step, Context(**request["context"]), request["act"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    _say(outcome, output)


def _say(outcome: Outcome, output: int) -> None:
    with suppress(BrokenPipeError):  # who asked has ended
        os.write(output, json.dumps(asdict(outcome)).encode())


def _end_when_late(name: str, timeout: float, output: int) -> None:
    def end(_signum: int, _frame: FrameType | None) -> None:
        _say(Outcome(Status.FAILED, f"{name} was ended after {timeout:g} s", {"timed_out": True}), output)
        end_descendants(os.getpid())
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, timeout or 1e-3)


def attempt(step: Any, context: Context, act: str = "run") -> Outcome:
    """Return the outcome of a step, or what it plans (``act`` is the method); an exception counts as failed."""
    try:
        outcome: Outcome = getattr(step, act)(context)
        return outcome
    except Exception as error:  # noqa: BLE001 -- whatever a step raises is its outcome
        return Outcome(Status.FAILED, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
