"""The sender: takes what is due out of the outbox to a channel, one process of the host at a time."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from visigate_logging.delivery.channels import Accepted, Channel, Later, Outcome, Refused
from visigate_logging.delivery.composer import LOOK_AGAIN
from visigate_logging.delivery.outbox import Outbox, Status
from visigate_logging.delivery.spool import Message
from visigate_logging.host import HostLock

_POLL_WHILE_BUSY = 1.0
_KEPT_REFUSED = 50
_MOST_PERHAPS = 2
"""How often a message is handed over without an answer: so often may it arrive."""
_PERHAPS = "perhaps delivered"
_PROBE_EVERY = 30.0
_LATE = 300.0

_log = logging.getLogger("visigate_logging")


class Sender:
    """Hands messages over, however long that takes.

    Each attempt is booked before it is made, and the handing over of the message once more: a kill between that and
    the other side's answer is the one place where it is sent twice. What was sent is booked as sent, then removed.

    Args:
        outbox: where messages wait.
        channel: where they go to.
        lock: path of the file that the sender of the host locks.
    """

    def __init__(self, outbox: Outbox, channel: Channel, lock: Path) -> None:
        self._outbox = outbox
        self._channel = channel
        self._name = channel.noun.capitalize()
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
                message = due.pop(0)
                failed = self._try(message)
                if failed:
                    self._put_off_all([message, *due], failed)
                    break
        finally:
            self._lock.release()
        return 0.0

    def _probe(self) -> float:
        """Look now and then whether a server that could not be reached can be: then it is tried at once."""
        away = [row for row in self._outbox.all().values() if row.reason.startswith("connect")]
        if not away:
            return LOOK_AGAIN
        if time.monotonic() < self._probe_at:
            return max(self._probe_at - time.monotonic(), 0.0)
        found = self._channel.reachable()
        self._probe_at = time.monotonic() + _PROBE_EVERY
        if not found:
            return _PROBE_EVERY
        self._outbox.hurry(0.0)
        return 0.0

    def retry_refused(self) -> list[str]:
        """Put what was refused back into the outbox, for those who are still, or now, to get it; which that is.

        For who holds the host's lock.
        """
        done = []
        for message in self._outbox.spool.refused.messages():
            head = message.content.partition(b"\r\n\r\n")[0]
            wanted = [
                who for who in self._channel.recipients if who in message.recipients or who.encode() not in head
            ]
            if wanted:
                self._outbox.spool.stage(message.id, wanted, message.content)
                self._outbox.spool.publish(message.id)
                self._outbox.adopt(message.id)
                self._outbox.spool.refused.remove(message.id)
                done.append(message.id)
        return done

    def _due(self) -> tuple[list[Message], float]:
        """Return what may be tried now, and in how many seconds something else may be."""
        due, wait = [], LOOK_AGAIN
        for row in self._outbox.all().values():
            message = None if row.sent or row.wait > 0 else self._outbox.spool.message(row.id)
            if message is not None:
                due.append(message)
            elif not row.sent:
                wait = min(wait, max(row.wait, 0.0))
        return due, wait

    def _try(self, message: Message) -> Later | None:
        """Try one message; return what stands against all others as well."""
        row = self._outbox.all().get(message.id)
        if row is None:
            return None
        if row.perhaps >= _MOST_PERHAPS:
            self._give_up_perhaps(message)
            return None
        self._outbox.attempt(message.id)
        message = replace(message, delayed=self._delayed(row))
        batches, later = list(self._channel.batches(message.recipients)), list[Later]()
        for n, recipients in enumerate(batches, 1):
            behind = [*_recipients(later), *(who for batch in batches[n:] for who in batch)]
            later += self._hand_over(replace(message, recipients=recipients), behind)
        if not later:
            self._outbox.finish(message.id)
        elif len(later) == len(batches) and all(outcome.about_all for outcome in later):
            return later[0]
        else:
            self._wait_for(message, later)
        return None

    def _hand_over(self, message: Message, behind: Sequence[str]) -> list[Later]:
        """Hand a message over, and book what the other side answered; return what is to be tried again.

        Args:
            message: with those who are to get it now.
            behind: who else has not got it yet.
        """
        committed = False

        def commit() -> None:
            nonlocal committed
            if not committed:  # a short form, after the whole was too large, is the same handing over
                committed = True
                self._outbox.commit(message.id)

        outcomes = self._channel.send(message, commit)
        later = [outcome for outcome in outcomes if isinstance(outcome, Later)]
        left, is_taken = [*_recipients(later), *behind], any(isinstance(outcome, Accepted) for outcome in outcomes)
        if is_taken and left:
            self._outbox.spool.stage(message.id, left, message.content)
            self._outbox.spool.publish(message.id)
        if committed and not any(outcome.perhaps for outcome in later):
            self._outbox.answered(message.id)
        self._book(message, outcomes, has_some=is_taken, is_last=not left)
        return later

    def _book(self, message: Message, outcomes: Sequence[Outcome], *, has_some: bool, is_last: bool) -> None:
        """Count what a message tells as told or dropped, and set aside what was refused."""
        if refused := {who: o.reason for o in outcomes if isinstance(o, Refused) for who in o.recipients}:
            self._set_aside(message, refused)
        if has_some:
            failures = self._outbox.accepted(message.id, sent=is_last)
            if failures:
                _log.warning("%ss go out again after %d failed attempts", self._name, failures)
        elif is_last:
            self._outbox.dropped(message.id, f"refused by the {self._channel.other_side}")

    def _set_aside(self, message: Message, answers: dict[str, str]) -> None:
        told = "; ".join(f"{who}: {answer}" for who, answer in answers.items())
        path = self._keep(message, answers)
        if self._outbox.failed(f"a {self._channel.noun} was refused for good: {told}"):
            text = "%s %s was refused for good: %s. It is kept as %s"
            _log.error(text, self._name, message.id, told, path)

    def _give_up_perhaps(self, message: Message) -> None:
        path = self._keep(message, dict.fromkeys(message.recipients, f"{_PERHAPS}: handed over, and no answer came"))
        text = "%s %s has perhaps been delivered: %d times no answer came. It is kept as %s"
        _log.error(text, self._name, message.id, _MOST_PERHAPS, path)
        self._outbox.drop(message.id, _PERHAPS)

    def _keep(self, message: Message, answers: dict[str, str]) -> Path:
        refused = self._outbox.spool.refused
        known = refused.message(message.id)
        answers = dict(one.split(": ", 1) for one in known.answers) | answers if known else answers
        refused.stage(message.id, list(answers), message.content, answers)
        path = refused.publish(message.id)
        for old in refused.waiting()[:-_KEPT_REFUSED]:
            refused.remove(old)
        return path

    def _wait_for(self, message: Message, later: Sequence[Later]) -> None:
        told = "; ".join(f"{', '.join(o.recipients)}: {o.reason}" for o in later)
        has_perhaps = any(outcome.perhaps for outcome in later)
        what = "has perhaps arrived" if has_perhaps else "was put off"
        self._outbox.failed(f"a {self._channel.noun} {what}: {told}")
        if has_perhaps and self._outbox.all()[message.id].perhaps >= _MOST_PERHAPS:
            self._give_up_perhaps(replace(message, recipients=tuple(_recipients(later))))
            return
        wait = self._outbox.put_off(message.id, told, max((o.after for o in later if o.after), default=None))
        _log.info("%s %s is tried again in %.0f s: %s", self._name, message.id, wait, told)

    def _put_off_all(self, messages: Sequence[Message], later: Later) -> None:
        is_news = self._outbox.failed(f"{self._channel.noun}s cannot be sent: {later.reason}")
        waits = [self._outbox.put_off(message.id, later.reason, later.after) for message in messages]
        if is_news or self._outbox.all()[messages[0].id].tries == 1:
            text = "%ss cannot be sent. %s. Next try in %.0f s; they wait in %s"
            _log.error(text, self._name, later.reason, min(waits), self._outbox.spool.directory)

    def _delayed(self, row: Status) -> str:
        """Return when a late message was made, and why it is late; by its age: the clock may have been set since."""
        if row.age < _LATE:
            return ""
        now = datetime.now().astimezone()
        made = now - timedelta(seconds=row.age)
        shown = "%H:%M" if made.date() == now.date() else "%Y-%m-%d %H:%M"
        reason = f": {row.reason}" if row.reason else ""
        return f"This {self._channel.noun} was made at {made:{shown}} and could be sent only at {now:{shown}}{reason}"


def _recipients(outcomes: Sequence[Outcome]) -> list[str]:
    return [who for outcome in outcomes for who in outcome.recipients]
