"""How a step of a recovery ended, for people and programs."""

import argparse

from visigate_logging.cli.output import answer
from visigate_logging.recovery.steps.base import Outcome


def say_outcome(outcome: Outcome, args: argparse.Namespace, *, fine: set[str]) -> int:
    """Say how it ended, and return the exit code, which is DONE for an outcome that is ``fine``."""
    data = {"status": str(outcome.status), "message": outcome.message, "details": dict(outcome.details)}
    well = outcome.status in fine or bool(outcome.details.get("well"))
    return answer(args, data, [f"{outcome.status}: {outcome.message}"], failed=not well)
