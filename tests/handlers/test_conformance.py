"""The mail handler does what every handler must, while no mail server is there."""

import socket
from pathlib import Path

import pytest

from tests.handlers.conformance import CASES, Case
from visigate_logging import ThrottledSMTPHandler


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_mail_handler_does_what_every_handler_must(case: Case, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    case.run(
        lambda: ThrottledSMTPHandler(
            ["127.0.0.1", port],
            "gate@example.org",
            ["admin@example.org"],
            severity="DEBUG",
            state_dir=tmp_path / "state",
        )
    )
