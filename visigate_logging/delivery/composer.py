"""The composer: puts what is due into the outbox, one process of the host at a time."""

import logging
import time
import uuid
from collections import Counter
from datetime import datetime

from visigate_logging.delivery.channels import Accepted, Message
from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.dispatch import LOOK_AGAIN, Dispatch
from visigate_logging.delivery.letters import LetterRow
from visigate_logging.delivery.summary import Week

__all__ = ["Composer"]

_LONGEST_STAY = 14 * 24 * 3600.0
_LARGEST_OUTBOX = 20 * 1024 * 1024
_AFTER_NEWS = 60.0

_log = logging.getLogger("visigate_logging")


class Composer(Dispatch):
    """Decides and composes, and finishes what a kill has left half-done.

    A letter is first staged in a file, then entered into the books with what it tells, then published into the
    outbox.
    """

    def prepare(self, *, news: bool = False, hurry: bool = False) -> float:
        """Put what is due into the outbox; in how many seconds to come again. For who alone keeps the books.

        While a letter waits that nobody has got, no other is composed: what comes is counted, and told together when
        mails go out again.

        Args:
            news: something came: what could not be sent is tried again soon.
            hurry: the process ends: do not wait for further new groups.

        Raises:
            StateError: the state file cannot be used.
            OSError: the outbox cannot be written.
        """
        self._settle()
        if news and self._outbox.waiting():
            self._letters.hurry(_AFTER_NEWS)
        self._summarise()
        while all(row.reached or row.sent or row.perhaps for row in self._letters.all().values()):
            letter_id = _new_id()
            wait = self._compose(letter_id, hurry=hurry)
            if wait != 0.0:
                return LOOK_AGAIN if wait is None else min(wait, LOOK_AGAIN)
        return LOOK_AGAIN

    def _summarise(self) -> None:
        letter_id = _new_id()

        def stage(week: Week, recovered: Counter[str]) -> None:
            content = self._channel.compose_summary(week, recovered, letter_id)
            self._outbox.stage(letter_id, self._channel.recipients, content)

        if self._ledger.weeks.summarise(letter_id, stage, datetime.now().astimezone()):
            self._outbox.publish(letter_id)

    def _compose(self, letter_id: str, *, hurry: bool) -> float | None:
        look_again = self._ledger.compose(letter_id, lambda digest: self._stage(letter_id, digest), hurry=hurry)
        self._outbox.publish(letter_id)
        return look_again

    def _stage(self, letter_id: str, digest: Digest) -> bool:
        content = self._channel.compose(digest, letter_id)
        try:
            self._outbox.stage(letter_id, self._channel.recipients, content)
        except OSError:
            # Sent at once or not at all: a full card is what is to be told.
            outcomes = self._channel.send(Message(letter_id, self._channel.recipients, content), lambda: None)
            if not any(isinstance(outcome, Accepted) for outcome in outcomes):
                raise
            return False
        return True

    def _settle(self) -> None:
        """Finish what a process that was killed has left half-done, and keep the outbox within its bounds."""
        rows = self._letters.all()
        for letter_id in self._outbox.staged():
            if letter_id in rows and not rows[letter_id].sent:
                self._outbox.publish(letter_id)
            else:
                self._outbox.remove(letter_id)
        waiting = self._outbox.waiting()
        for letter_id in waiting:
            if letter_id not in rows:
                self._letters.adopt(letter_id)
        for letter_id, row in rows.items():
            if row.sent:
                self._finish(letter_id)
            elif letter_id not in waiting:
                self.drop(letter_id, "removed from the outbox")
        self._bound(rows)

    def _bound(self, rows: dict[str, LetterRow]) -> None:
        sizes = self._outbox.sizes()
        total = sum(sizes.values())
        for letter_id, size in sizes.items():
            too_old = letter_id in rows and rows[letter_id].age > _LONGEST_STAY
            if too_old or total > _LARGEST_OUTBOX:
                total -= size
                reason = "too long in the outbox" if too_old else "outbox full"
                _log.error("Mail %s was given up: %s", letter_id, reason)
                self._letters.failed(f"a mail was given up: {reason}")
                self.drop(letter_id, reason)


def _new_id() -> str:
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
