"""The parts that one mail handler works with, and where they are on disk."""

from pathlib import Path

from visigate_logging.mail.ledger import SCHEMA, Ledger
from visigate_logging.mail.options import MailOptions
from visigate_logging.mail.outbox import Outbox
from visigate_logging.mail.sender import Sender
from visigate_logging.state import State

__all__ = ["MailDesk"]


class MailDesk:
    """State file, books, outbox and sender of the handler of one name; nothing is opened before it is used.

    Args:
        options: of the handler.
        name: of the handler; two in one state directory need two names.
    """

    def __init__(self, options: MailOptions, name: str) -> None:
        directory = options.state_dir
        self.owner = f"{directory.resolve()} {name}"
        self.lock: Path = directory / f"mail-{_safe(name)}.lock"
        self.state = State(directory, SCHEMA)
        self.ledger = Ledger(self.state, name, options.windows)
        self.outbox = Outbox(directory / "outbox" / _safe(name))
        self.sender = Sender(self.ledger, self.outbox, options.server, options.envelope, self.lock)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
