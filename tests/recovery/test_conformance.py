"""The recovery handler does what every handler must."""

from pathlib import Path

import pytest

from tests.handlers.conformance import CASES, Case
from visigate_logging.handlers.recovery import RecoveryHandler

EVERYTHING = {"all": {"exceptions": ["BaseException"], "message": ".", "steps": [{"command": {"argv": ["true"]}}]}}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_recovery_handler_does_what_every_handler_must(case: Case, tmp_path: Path) -> None:
    case.run(lambda: RecoveryHandler(EVERYTHING, tmp_path / "state"))
