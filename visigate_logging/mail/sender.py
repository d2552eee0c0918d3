"""The sender: takes what is due through the outbox to the mail server, one process of the host at a time."""

import logging
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from visigate_logging.host import HostLock
from visigate_logging.mail.digest import Digest
from visigate_logging.mail.ledger import Ledger, LetterRow
from visigate_logging.mail.message import Envelope, compose
from visigate_logging.mail.outbox import Letter, Outbox
from visigate_logging.mail.server import MailServer, MailServerError, deliver

__all__ = ["Sender"]

_LOOK_AGAIN = 60.0  # another process may have stored what this one does not know of, and have died
_POLL_WHILE_BUSY = 1.0
_LONGEST_STAY = 14 * 24 * 3600.0
_LARGEST_OUTBOX = 20 * 1024 * 1024
_KEPT_REFUSED = 50

_log = logging.getLogger("visigate_logging")


class Sender:
    """Decides, composes and sends, when it holds the host's lock; else it looks again soon.

    Whatever happens half-way is finished by the next turn, of whichever process: a letter is first staged in a
    file, then entered into the books with what it tells, then published into the outbox, then sent, then booked
    as sent, then removed. A kill between the server's answer and the booking is the one place where a mail is
    sent twice.

    Args:
        ledger: the books.
        outbox: where letters wait.
        server: where they go to.
        envelope: what is the same for all.
        lock: path of the file that the sender of the host locks.
    """

    def __init__(self, ledger: Ledger, outbox: Outbox, server: MailServer, envelope: Envelope, lock: Path) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._server = server
        self._envelope = envelope
        self._lock = HostLock(lock)

    def turn(self, *, hurry: bool = False) -> float:
        """Do what is to be done now; in how many seconds to come again.

        Args:
            hurry: the process ends: do not wait for further new groups.

        Raises:
            StateError: the state file cannot be used.
            OSError: the outbox cannot be written.
        """
        self._lock.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._lock.acquire():
            return _POLL_WHILE_BUSY
        try:
            self._settle()
            return min(self._send_and_compose(hurry=hurry), _LOOK_AGAIN)
        finally:
            self._lock.release()

    def _send_and_compose(self, *, hurry: bool) -> float:
        wait = self._send()
        while self._all_reached():  # else what comes now is counted, and told together when mails go out again
            look_again = self._compose(hurry=hurry)
            if look_again != 0.0:
                return wait if look_again is None else min(wait, look_again)
            wait = self._send()
        return wait

    def _all_reached(self) -> bool:
        return all(row.reached or row.sent for row in self._ledger.letters().values())

    def _compose(self, *, hurry: bool) -> float | None:
        letter_id = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        look_again = self._ledger.compose(letter_id, lambda digest: self._stage(letter_id, digest), hurry=hurry)
        self._outbox.publish(letter_id)
        return look_again

    def _stage(self, letter_id: str, digest: Digest) -> bool:
        message = compose(digest, letter_id, self._envelope)
        try:
            self._outbox.stage(letter_id, self._envelope.recipients, message)
        except OSError as error:
            self._hand_in_unkept(message, error)
            return False
        return True

    def _hand_in_unkept(self, message: bytes, error: OSError) -> None:
        """Send a mail that cannot be written, at once or not at all: a full card is what is to be told."""
        envelope = self._envelope
        try:
            with self._server.session() as smtp:
                refused = deliver(smtp, envelope.sender, envelope.recipients, message)
        except MailServerError:
            raise error from None
        if len(refused) == len(envelope.recipients):
            raise error

    def _settle(self) -> None:
        """Finish what a process that was killed has left half-done, and keep the outbox within its bounds."""
        rows = self._ledger.letters()
        for letter_id in self._outbox.staged():
            if letter_id in rows and not rows[letter_id].sent:
                self._outbox.publish(letter_id)
            else:
                self._outbox.remove(letter_id)
        waiting = self._outbox.waiting()
        for letter_id in waiting:
            if letter_id not in rows:
                self._ledger.adopt(letter_id)
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
                self._ledger.failed(f"a mail was given up: {reason}")
                self.drop(letter_id, reason)

    def drop(self, letter_id: str, reason: str) -> None:
        """Take a letter out of the outbox, and count its errors as dropped; for who holds the host's lock."""
        self._ledger.dropped(letter_id, reason)
        self._finish(letter_id)

    def _finish(self, letter_id: str) -> None:
        self._outbox.remove(letter_id)
        self._ledger.close(letter_id)

    def _send(self) -> float:
        """Try what waits; in how many seconds to try again."""
        due, wait = self._due()
        if not due:
            return wait
        try:
            with self._server.session() as smtp:
                while due:
                    answers = deliver(smtp, self._envelope.sender, due[0].recipients, due[0].message)
                    self._hand_in(due.pop(0), answers)
        except MailServerError as error:
            self._failed(due, error)
        return self._due()[1]

    def _due(self) -> tuple[list[Letter], float]:
        """What may be tried now, and in how many seconds something else may be."""
        due, wait = [], _LOOK_AGAIN
        for row in self._ledger.letters().values():
            letter = None if row.sent or row.wait > 0 else self._outbox.letter(row.id)
            if letter is not None:
                due.append(letter)
            elif not row.sent:
                wait = min(wait, max(row.wait, 0.0))
        return due, wait

    def _hand_in(self, letter: Letter, answers: dict[str, tuple[int, str]]) -> None:
        """Book what the server answered: all that it did not refuse have the letter."""
        for_good = {who: f"{code} {text}" for who, (code, text) in answers.items() if code >= 500}
        for_now = {who: f"{code} {text}" for who, (code, text) in answers.items() if code < 500}
        if for_good:
            self._set_aside(letter, for_good)
        if len(answers) < len(letter.recipients):
            failures = self._ledger.accepted(letter.id, sent=not for_now)
            if failures:
                _log.warning("Mails go out again after %d failed attempts", failures)
        elif not for_now:
            self._ledger.dropped(letter.id, "refused by the mail server")
        if for_now:
            self._wait_for(letter, for_now)
        else:
            self._finish(letter.id)

    def _set_aside(self, letter: Letter, answers: dict[str, str]) -> None:
        refused = self._outbox.refused
        refused.stage(letter.id, list(answers), letter.message, answers)
        path = refused.publish(letter.id)
        for old in refused.waiting()[:-_KEPT_REFUSED]:
            refused.remove(old)
        _log.error("Mail %s was refused for good: %s. It is kept as %s", letter.id, _told(answers), path)
        self._ledger.failed(f"a mail was refused for good: {_told(answers)}")

    def _wait_for(self, letter: Letter, answers: dict[str, str]) -> None:
        if len(answers) < len(letter.recipients):
            self._outbox.stage(letter.id, list(answers), letter.message)
            self._outbox.publish(letter.id)
        _, wait = self._ledger.put_off(letter.id)
        _log.info("Mail %s is tried again in %.0f s: %s", letter.id, wait, _told(answers))
        self._ledger.failed(f"a mail was put off: {_told(answers)}")

    def _failed(self, letters: Sequence[Letter], error: MailServerError) -> None:
        is_news = self._ledger.failed(f"mails cannot be sent: {error}")
        tries = [self._ledger.put_off(letter.id) for letter in letters]
        if is_news or any(failures == 1 for failures, _ in tries):
            wait = min(wait for _, wait in tries)
            _log.error(
                "Mails cannot be sent. %s. Next try in %.0f s; they wait in %s", error, wait, self._outbox.directory
            )


def _told(answers: dict[str, str]) -> str:
    return "; ".join(f"{who}: {answer}" for who, answer in answers.items())
