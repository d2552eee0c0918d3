"""The parts that one mail handler works with, and where they are on disk."""

import dataclasses
import hashlib
import os
import stat
from pathlib import Path

from visigate_logging.host import State
from visigate_logging.mail.ledger import SCHEMA, Ledger
from visigate_logging.mail.options import MailOptions
from visigate_logging.mail.outbox import Outbox
from visigate_logging.mail.sender import Sender
from visigate_logging.mail.tally import SHARED_MEMORY

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

    @classmethod
    def in_memory(cls, options: MailOptions, name: str) -> "MailDesk":
        """The same in shared memory: what serves while the card is full, read-only or gone, until the next boot."""
        digest = hashlib.sha256(str(options.state_dir.resolve()).encode()).hexdigest()[:16]
        directory = SHARED_MEMORY / f"visigate-{os.geteuid()}-{digest}"
        notice = f"{options.state_dir} cannot be used: what is to be told is kept in memory, until the next boot."
        envelope = dataclasses.replace(options.envelope, notice=notice)
        return cls(dataclasses.replace(options, state_dir=directory, envelope=envelope), name)

    def begin(self) -> None:
        """Make the directory of a desk in shared memory, where everybody may write.

        Raises:
            OSError: it cannot be made, or it is not ours alone.
        """
        self.state.directory.mkdir(mode=0o700, exist_ok=True)
        if not self.is_begun:
            raise PermissionError(f"{self.state.directory} belongs to somebody else")

    @property
    def is_begun(self) -> bool:
        """Whether the directory is there, and nobody else's."""
        try:
            found = self.state.directory.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
