"""Tell people, and go on."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from visigate_logging.detail.masking import mask
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


@dataclass(frozen=True, kw_only=True)
class Notify(Step):
    """Log a message at level CRITICAL, which mail and pages tell. It mends nothing, so the next step follows.

    Args:
        message: for people.
    """

    mends = False

    inside: ClassVar[bool] = True

    message: str

    def run(self, context: Context) -> Outcome:
        """Tell them."""
        logging.getLogger("visigate_logging.recovery").critical(
            "%s (procedure %s, %s)", mask(self.message), context.procedure, context.error_type
        )
        return Outcome(Status.FAILED, "people were told")
