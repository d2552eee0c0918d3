"""What those have in common who put letters into the outbox and who take them out."""

from visigate_logging.delivery.channels import Channel
from visigate_logging.delivery.ledger import Ledger
from visigate_logging.delivery.letters import Letters
from visigate_logging.delivery.outbox import Outbox

__all__ = ["LOOK_AGAIN", "Dispatch"]

LOOK_AGAIN = 60.0
"""Seconds after which another process may have stored what this one does not know of, and have died."""


class Dispatch:
    """Books, outbox and channel of one handler.

    Args:
        ledger: the books of errors.
        letters: the books of letters.
        outbox: where letters wait.
        channel: where they go to.
    """

    def __init__(self, ledger: Ledger, letters: Letters, outbox: Outbox, channel: Channel) -> None:
        self._ledger = ledger
        self._letters = letters
        self._outbox = outbox
        self._channel = channel

    def drop(self, letter_id: str, reason: str) -> None:
        """Take a letter out of the outbox, and count its errors as dropped; for who holds the host's lock."""
        self._letters.dropped(letter_id, reason)
        self._finish(letter_id)

    def _finish(self, letter_id: str) -> None:
        self._outbox.remove(letter_id)
        self._letters.close(letter_id)
