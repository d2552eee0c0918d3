"""The sender: takes what is due through the outbox to a channel, one process of the host at a time."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from visigate_logging.delivery.channels import Accepted, Channel, Later, Message, Outcome, Refused
from visigate_logging.delivery.dispatch import LOOK_AGAIN, Dispatch
from visigate_logging.delivery.ledger import Ledger
from visigate_logging.delivery.letters import LetterRow, Letters
from visigate_logging.delivery.outbox import Letter, Outbox
from visigate_logging.host import HostLock

__all__ = ["Sender"]

_POLL_WHILE_BUSY = 1.0
_KEPT_REFUSED = 50
_MOST_PERHAPS = 3
_PERHAPS = "perhaps delivered"
_PROBE_EVERY = 30.0
_LATE = 300.0

_log = logging.getLogger("visigate_logging")


class Sender(Dispatch):
    """Hands letters over, however long that takes.

    Each attempt is booked before it is made, and the handing over of the message once more: a kill between that and
    the server's answer is the one place where a mail is sent twice. What was sent is booked as sent, then removed.

    Args:
        ledger: the books of errors.
        letters: the books of letters.
        outbox: where letters wait.
        channel: where they go to.
        lock: path of the file that the sender of the host locks.
    """

    def __init__(self, ledger: Ledger, letters: Letters, outbox: Outbox, channel: Channel, lock: Path) -> None:
        super().__init__(ledger, letters, outbox, channel)
        self._lock = HostLock(lock)
        self._probe_at = time.monotonic() + _PROBE_EVERY

    def send(self) -> float:
        """Try what waits, however long that takes; in how many seconds to try again.

        Raises:
            StateError: the state file cannot be used: then nothing is sent, since nothing could be booked.
            OSError: the outbox cannot be written.
        """
        due, wait = self._due()
        if not due:
            return min(wait, self._probe())
        if not self._lock.acquire():
            return _POLL_WHILE_BUSY
        try:
            due, wait = self._due()  # another process may have tried meanwhile
            while due:
                letter = due.pop(0)
                failed = self._try(letter)
                if failed:
                    self._put_off_all([letter, *due], failed)
                    break
        finally:
            self._lock.release()
        return 0.0

    def _probe(self) -> float:
        """Look now and then whether a server that could not be reached can be: then it is tried at once."""
        away = [row for row in self._letters.all().values() if row.reason.startswith("connect")]
        if not away:
            return LOOK_AGAIN
        if time.monotonic() < self._probe_at:
            return max(self._probe_at - time.monotonic(), 0.0)
        found = self._channel.reachable()
        self._probe_at = time.monotonic() + _PROBE_EVERY
        if not found:
            return _PROBE_EVERY
        self._letters.hurry(0.0)
        return 0.0

    def retry_refused(self) -> list[str]:
        """Put what was refused back into the outbox, for those who are still, or now, to get it; which that is.

        For who holds the host's lock.
        """
        done = []
        for letter in self._outbox.refused.letters():
            head = letter.message.partition(b"\r\n\r\n")[0]
            wanted = [who for who in self._channel.recipients if who in letter.recipients or who.encode() not in head]
            if wanted:
                self._outbox.stage(letter.id, wanted, letter.message)
                self._outbox.publish(letter.id)
                self._letters.adopt(letter.id)
                self._outbox.refused.remove(letter.id)
                done.append(letter.id)
        return done

    def _due(self) -> tuple[list[Letter], float]:
        """What may be tried now, and in how many seconds something else may be."""
        due, wait = [], LOOK_AGAIN
        for row in self._letters.all().values():
            letter = None if row.sent or row.wait > 0 else self._outbox.letter(row.id)
            if letter is not None:
                due.append(letter)
            elif not row.sent:
                wait = min(wait, max(row.wait, 0.0))
        return due, wait

    def _try(self, letter: Letter) -> Later | None:
        """Try one letter; what stands against all others as well."""
        row = self._letters.all().get(letter.id)
        if row is None:
            return None
        if row.perhaps >= _MOST_PERHAPS:
            self._give_up_perhaps(letter)
            return None
        self._letters.attempt(letter.id)
        message = Message(letter.id, letter.recipients, letter.message, _delayed(row))
        outcomes = self._channel.send(message, lambda: self._letters.commit(letter.id))
        later = [outcome for outcome in outcomes if isinstance(outcome, Later)]
        if later and later[0].about_all:
            return later[0]
        if later and later[0].perhaps:
            self._letters.failed(f"a mail has perhaps arrived: {later[0].reason}")
            if row.perhaps + 1 >= _MOST_PERHAPS:
                self._give_up_perhaps(letter)
            else:
                self._wait_for(letter, later)
            return None
        self._letters.answered(letter.id)
        self._hand_in(letter, outcomes, later)
        return None

    def _hand_in(self, letter: Letter, outcomes: Sequence[Outcome], later: Sequence[Later]) -> None:
        """Book what the other side answered."""
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        if refused:
            self._set_aside(letter, {who: outcome.reason for outcome in refused for who in outcome.recipients})
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            failures = self._letters.accepted(letter.id, sent=not later)
            if failures:
                _log.warning("Mails go out again after %d failed attempts", failures)
        elif not later:
            self._letters.dropped(letter.id, "refused by the mail server")
        if later:
            self._wait_for(letter, later)
        else:
            self._finish(letter.id)

    def _set_aside(self, letter: Letter, answers: dict[str, str]) -> None:
        told = "; ".join(f"{who}: {answer}" for who, answer in answers.items())
        path = self._keep(letter, answers)
        if self._letters.failed(f"a mail was refused for good: {told}"):
            _log.error("Mail %s was refused for good: %s. It is kept as %s", letter.id, told, path)

    def _give_up_perhaps(self, letter: Letter) -> None:
        path = self._keep(letter, dict.fromkeys(letter.recipients, f"{_PERHAPS}: handed over, and no answer came"))
        _log.error(
            "Mail %s has perhaps been delivered: %d times no answer came. It is kept as %s",
            letter.id,
            _MOST_PERHAPS,
            path,
        )
        self.drop(letter.id, _PERHAPS)

    def _keep(self, letter: Letter, answers: dict[str, str]) -> Path:
        refused = self._outbox.refused
        refused.stage(letter.id, list(answers), letter.message, answers)
        path = refused.publish(letter.id)
        for old in refused.waiting()[:-_KEPT_REFUSED]:
            refused.remove(old)
        return path

    def _wait_for(self, letter: Letter, later: Sequence[Later]) -> None:
        waiting = [who for outcome in later for who in outcome.recipients]
        if len(waiting) < len(letter.recipients):
            self._outbox.stage(letter.id, waiting, letter.message)
            self._outbox.publish(letter.id)
        told = "; ".join(f"{', '.join(o.recipients)}: {o.reason}" for o in later)
        wait = self._letters.put_off(letter.id, told, later[0].after)
        _log.info("Mail %s is tried again in %.0f s: %s", letter.id, wait, told)
        self._letters.failed(f"a mail was put off: {told}")

    def _put_off_all(self, letters: Sequence[Letter], later: Later) -> None:
        is_news = self._letters.failed(f"mails cannot be sent: {later.reason}")
        waits = [self._letters.put_off(letter.id, later.reason, later.after) for letter in letters]
        if is_news or self._letters.all()[letters[0].id].tries == 1:
            text = "Mails cannot be sent. %s. Next try in %.0f s; they wait in %s"
            _log.error(text, later.reason, min(waits), self._outbox.directory)


def _delayed(row: LetterRow) -> str:
    """When a mail was made that comes late, and why; the age is measured: the clock may have been set since."""
    if row.age < _LATE:
        return ""
    now = datetime.now().astimezone()
    made = now - timedelta(seconds=row.age)
    shown = "%H:%M" if made.date() == now.date() else "%Y-%m-%d %H:%M"
    reason = f": {row.reason}" if row.reason else ""
    return f"This mail was made at {made:{shown}} and could be sent only at {now:{shown}}{reason}"
