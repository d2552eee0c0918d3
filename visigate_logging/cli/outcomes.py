"""How a step of a recovery ended, for people and programs."""

import argparse
from typing import TYPE_CHECKING

from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import answer

if TYPE_CHECKING:
    from visigate_logging.recovery.steps.base import Outcome


def say_outcome(outcome: "Outcome", args: argparse.Namespace, *, fine: set[str]) -> int:
    """Say how it ended, and return the exit code, which is DONE for an outcome that is ``fine``."""
    data = {"status": str(outcome.status), "message": outcome.message, "details": dict(outcome.details)}
    answer(args, data, [f"{outcome.status}: {outcome.message}"])
    return DONE if outcome.status in fine or outcome.details.get("well") else FAILED
