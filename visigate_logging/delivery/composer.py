"""The composer: puts what is due into the outbox, one process of the host at a time."""

import functools
import logging
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime

from visigate_logging.delivery.channels import Accepted, Channel
from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.outbox import Outbox, Status
from visigate_logging.delivery.spool import Message
from visigate_logging.delivery.summary import Week, summary_text

LOOK_AGAIN = 60.0
"""Seconds after which another process may have stored what this one does not know of, and have died."""

_LONGEST_STAY = 14 * 24 * 3600.0
_LARGEST_OUTBOX = 20 * 1024 * 1024
_AFTER_NEWS = 60.0

_log = logging.getLogger("visigate_logging")


class Composer:
    """Decides and composes, and finishes what a kill has left half-done.

    A message is first staged in a file, then entered into the state file with what it tells, then published into the
    outbox.

    Args:
        incidents: what is to be told.
        outbox: where messages wait.
        channel: what composes them.
        notice: what stands above all else in each.
    """

    def __init__(self, incidents: Incidents, outbox: Outbox, channel: Channel, notice: str = "") -> None:
        self._incidents = incidents
        self._outbox = outbox
        self._channel = channel
        self._notice = notice

    def prepare(self, *, news: bool = False, hurry: bool = False) -> float:
        """Put what is due into the outbox; return in how many seconds to come again. For one at a time.

        While a message waits that nobody has got, no other is composed: what comes is counted, and told together when
        messages go out again.

        Args:
            news: something came: what could not be sent is tried again soon.
            hurry: the process ends: do not wait for further new groups.

        Raises:
            StateError: the state file cannot be used.
            OSError: the outbox cannot be written.
        """
        self._settle()
        if news and self._outbox.spool.waiting():
            self._outbox.hurry(_AFTER_NEWS)
        self._summarise()
        while all(row.reached or row.sent or row.perhaps for row in self._outbox.all().values()):
            message_id = _new_id()
            stage = functools.partial(self._stage, message_id)
            wait = self._incidents.compose(message_id, stage, hurry=hurry)
            self._outbox.spool.publish(message_id)
            if wait != 0.0:
                return LOOK_AGAIN if wait is None else min(wait, LOOK_AGAIN)
        return LOOK_AGAIN

    def _summarise(self) -> None:
        message_id = _new_id()

        def stage(week: Week, recovered: Counter[str]) -> None:
            content = self._channel.compose_text(*summary_text(week, recovered, self._channel.url), message_id)
            self._outbox.spool.stage(message_id, self._channel.recipients, content)

        if self._incidents.summaries.summarise(message_id, stage, datetime.now().astimezone()):
            self._outbox.spool.publish(message_id)

    def _stage(self, message_id: str, digest: Digest) -> bool:
        content = self._channel.compose(replace(digest, notice=self._notice), message_id)
        recipients = self._channel.recipients
        try:
            self._outbox.spool.stage(message_id, recipients, content)
        except OSError:
            # Sent at once or not at all: a full card is what is to be told.
            outcomes = self._channel.send(Message(message_id, recipients, content), lambda: None)
            if not any(isinstance(outcome, Accepted) for outcome in outcomes):
                raise
            return False
        return True

    def _settle(self) -> None:
        """Finish what a process that was killed has left half-done, and keep the outbox within its bounds."""
        rows, spool = self._outbox.all(), self._outbox.spool
        for message_id in spool.staged():
            if message_id in rows and not rows[message_id].sent:
                spool.publish(message_id)
            else:
                spool.remove(message_id)
        waiting = spool.waiting()
        for message_id in waiting:
            if message_id not in rows:
                self._outbox.adopt(message_id)
        for message_id, row in rows.items():
            if row.sent:
                self._outbox.finish(message_id)
            elif message_id not in waiting:
                self._outbox.drop(message_id, "removed from the outbox")
        self._bound(rows)

    def _bound(self, rows: dict[str, Status]) -> None:
        sizes = self._outbox.spool.sizes()
        total = sum(sizes.values())
        for message_id, size in sizes.items():
            too_old = message_id in rows and rows[message_id].age > _LONGEST_STAY
            if too_old or total > _LARGEST_OUTBOX:
                total -= size
                reason = "too long in the outbox" if too_old else "outbox full"
                _log.error("%s %s was given up: %s", self._channel.noun.capitalize(), message_id, reason)
                self._outbox.failed(f"a {self._channel.noun} was given up: {reason}")
                self._outbox.drop(message_id, reason)


def _new_id() -> str:
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
