"""The collector: fetches what gates have sent from the hub, and acknowledges it when it is on disk.

https://docs.nats.io/nats-concepts/jetstream/consumers
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import nats.errors

from visigate_logging.exceptions import GateSilentError, HubLostError, IncidentError, SiteSilentError, StoreError
from visigate_logging.fleet.arrivals import Message
from visigate_logging.fleet.consumers import Subscription, errors_of, fetch, make_streams, states_of
from visigate_logging.fleet.intake import Intake
from visigate_logging.fleet.silence import Silence, silences
from visigate_logging.forward.backoff import Backoff
from visigate_logging.forward.connection import Connection
from visigate_logging.host.clock import utc_text
from visigate_logging.host.supervision import notify
from visigate_logging.lifecycle.telling import Origin, tell

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext

_NOTICE = 0.1
"""Seconds until an end that was asked for is noticed."""
_WAIT = 1.0
"""Seconds between two signs of life, and that one request for messages waits for the first."""
_LOOK = 60.0
"""Seconds between two looks for silent gates."""
_SETTLED = 600.0
"""Seconds of connection before anybody counts as silent: gates wait up to 5 min before they try the hub again."""
_LOST = 600.0
"""Seconds without the hub after which that is an incident."""

_logger = logging.getLogger("visigate_logging")


class Collector:
    """Follows the streams of a hub, for use by one thread.

    Args:
        hub: where they are, and what of them is fetched.
        intake: what becomes of it.
    """

    def __init__(self, hub: Subscription, intake: Intake) -> None:
        self._told = "begins"
        self._hub = hub
        self._intake = intake
        self._backoff = Backoff()
        self._taking = asyncio.Lock()
        self._worked = time.monotonic()  # when what had come was taken in last
        self._is_lost = False

    def run(self, ended: threading.Event) -> None:
        """Collect until that is set; what goes wrong is said, and tried again."""
        asyncio.run(self._run(ended))

    async def _run(self, ended: threading.Event) -> None:
        collecting = asyncio.ensure_future(self._collect())
        while not ended.is_set() and not collecting.done():
            await asyncio.wait((collecting,), timeout=_NOTICE)
        async with self._taking:  # what is on disk is acknowledged first, so that it need not come again
            collecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collecting

    async def _collect(self) -> NoReturn:
        while True:
            begun = time.monotonic()
            self._note_trouble(await self._follow(), went_on=self._worked > begun)
            until = time.monotonic() + self._backoff.wait
            while (rest := until - time.monotonic()) > 0:
                await asyncio.sleep(min(rest, _WAIT))
                self._show()

    def _note_trouble(self, trouble: str, *, went_on: bool) -> None:
        self._backoff.fail(went_on=went_on)
        self._is_lost = self._is_lost and not went_on
        self._told = f"waits: {trouble}"
        log = _logger.warning if self._backoff.tries == 1 else _logger.info
        log("what gates send waits at the hub: %s", trouble)
        if not self._is_lost and time.monotonic() - self._worked > _LOST:
            self._is_lost = True
            _tell(HubLostError, f"what gates send cannot be collected: {trouble}")

    async def _follow(self) -> str:
        """Collect, and return why that is not possible any more."""
        connection = Connection(self._hub, f"collector.{self._hub.name}")
        try:
            await connection.open()
            await make_streams(connection.stream)
            following = self._errors(connection.stream), self._states(connection.stream)
            await _together(*following, self._silence(), connection.lost())
        except (OSError, nats.errors.Error, StoreError) as error:
            return connection.problem(error)
        finally:
            await connection.close()
        return ""

    async def _errors(self, stream: "JetStreamContext") -> NoReturn:
        fetched = await errors_of(stream, self._hub)
        self._told, number = "collects", 0
        while True:
            messages = await fetch(fetched, _WAIT)
            for message in messages:
                number = number or message.metadata.sequence.consumer
                if message.metadata.sequence.consumer != number:
                    raise ConnectionError("a message was lost on its way; all behind the last one are fetched again")
                number += 1
            if messages:
                async with self._taking:
                    self._intake.take([_plain(message) for message in messages])
                    await messages[-1].ack_sync(self._hub.timeout)
            self._worked = time.monotonic()

    async def _states(self, stream: "JetStreamContext") -> NoReturn:
        fetched = await states_of(stream, self._hub)
        while True:
            if messages := await fetch(fetched, _WAIT):
                self._intake.take_states([_plain(message) for message in messages])

    async def _silence(self) -> NoReturn:
        due = time.monotonic() + _SETTLED
        while True:
            await asyncio.sleep(_WAIT)
            self._show()
            if time.monotonic() >= due:
                due = time.monotonic() + _LOOK
                self.look_for_silence(time.time())

    def _show(self) -> None:
        """Tell systemd that the loop comes round, and what it does."""
        notify("WATCHDOG=1", f"STATUS={self._told}")

    def look_for_silence(self, now: float) -> None:
        """Tell of gates and sites that have fallen silent, each silence once."""
        for silence in silences(self._intake.gates(), now):
            _tell_of(silence)
            self._intake.note_told(silence.gates)


async def _together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all parts; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _plain(message: "Msg") -> Message:
    return Message(message.subject, message.data, message.metadata.timestamp.timestamp())


def _tell_of(silence: Silence) -> None:
    since = utc_text(silence.since)
    if silence.is_site:
        site, n = silence.gates[0].sender.site, len(silence.gates)
        _tell(SiteSilentError, f"{site}: all {n} gates are silent since {since}; its link may be lost")
    else:
        _tell(GateSilentError, f"{silence.gates[0].sender} is silent since {since}")


def _tell(kind: type[IncidentError], text: str) -> None:
    # CRITICAL: of which mails tell, as they are configured
    tell("visigate.fleet", logging.CRITICAL, kind, text, Origin.here("collector"))
