"""The handlers that tell people do what every handler must, while nobody takes what they send."""

import socket
from pathlib import Path

import pytest

from tests.handlers.conformance import CASES, Case
from visigate_logging import NotificationHandler, ThrottledSMTPHandler

# Its counts are the host's, so those of a forked child do not begin at zero; test_smtp forks it.
OF_MAIL = [case for case in CASES if str(case) != "forks"]


@pytest.mark.parametrize("case", OF_MAIL, ids=str)
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


@pytest.mark.parametrize("case", OF_MAIL, ids=str)
def test_the_notification_handler_does_what_every_handler_must(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    urls = ["json://127.0.0.1:1/gate"]
    case.run(lambda: NotificationHandler(urls, severity="DEBUG", state_dir=tmp_path / "state"))
