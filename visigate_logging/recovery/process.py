"""One step run in a child process that can be ended with everything it started."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from visigate_logging.recovery.proc import end_descendants
from visigate_logging.recovery.steps.base import Context, Outcome, Status

INSIDE = "VISIGATE_RECOVERY_SESSION"  # in the environment of a step: the session that must not start recoveries
START = 10.0  # what a child may need besides its step's time: Python starts slowly on a busy Pi, seconds


def is_inside() -> bool:
    """Return whether this process belongs to a step. A service that a step has started leads its own session."""
    return os.environ.get(INSIDE) == str(os.getsid(0))


def run_in_child(
    name: str, parameters: Mapping[str, Any], context: Context, timeout: float, act: str = "run"
) -> Outcome:
    """Return the outcome of the step ``name``; a child that dies or takes longer than ``timeout`` seconds has failed.

    The child is started with subprocess, not by fork: it shares neither locks nor files nor threads with us. It ends
    itself in time; we do it when it is too stuck for that, or too slow to start.
    """
    request = {
        "step": name,
        "parameters": parameters,
        "context": asdict(context),
        "timeout": timeout,
        "act": act,
        "pythonpath": os.environ.get("PYTHONPATH"),  # what the step's own programs shall have
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "visigate_logging.recovery.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    with child:
        try:
            answer, _ = child.communicate(json.dumps(request).encode(), timeout + START)
        except subprocess.TimeoutExpired:
            return Outcome(Status.FAILED, f"{name} was ended after {timeout:g} s", {"timed_out": True})
        finally:
            _end_group(child)
    if not answer:
        return Outcome(Status.FAILED, f"{name} died ({_how(child.returncode)}) without an outcome", {"died": True})
    values = json.loads(answer)
    return Outcome(Status(values["status"]), values["message"], values["details"])


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    """End the child, if it still runs, with all that it started."""
    if child.poll() is None:
        end_descendants(child.pid)
        with suppress(ProcessLookupError, PermissionError):  # macOS has EPERM for a group of zombies
            os.killpg(child.pid, signal.SIGKILL)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
