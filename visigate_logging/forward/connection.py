"""A connection to the hub: what is lost is known at once, and everything else has its time.

https://docs.nats.io/nats-concepts/jetstream
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any, NoReturn

import nats.errors
from nats.aio.client import Client

from visigate_logging.detail.masking import mask
from visigate_logging.forward.hub import Hub

_CLOSING = 2.0
"""Seconds to say goodbye: after a TLS handshake that has failed, the client would wait for its end for ever."""


class Connection:
    """A connection to a hub, for one event loop; it does not connect again by itself.

    Args:
        hub: where to.
        name: what the server calls it; it hears its answers below ``_INBOX.NAME``, so that an account can be allowed
            to hear its own and no other's.
    """

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._client = Client()
        self.stream = self._client.jetstream(timeout=hub.timeout)
        """What its streams are asked by, while it is open."""
        self._lost = asyncio.Event()
        self._said = ""

    @property
    def is_open(self) -> bool:
        """Whether it is, as far as is known: the loop has to run to see that the other side has ended it."""
        return self._client.is_connected

    async def open(self) -> None:
        """Connect.

        Raises:
            OSError, nats.errors.Error: nobody answers, or who answers lets nobody in.
        """
        options: dict[str, Any] = {}
        if self._hub.credentials_file:
            options["user_credentials"] = self._hub.credentials_file
        if self._hub.tls:
            options["tls"] = self._hub.tls.context()
        await self._client.connect(
            self._hub.addresses,
            name=self._name,
            inbox_prefix=f"_INBOX.{self._name}",
            allow_reconnect=False,
            max_reconnect_attempts=1,  # else each server is tried 60 times before the first connection
            reconnect_time_wait=0,
            connect_timeout=max(1, int(self._hub.timeout)),
            error_cb=self._note,
            closed_cb=self._note_loss,
            **options,
        )

    async def lost(self) -> NoReturn:
        """Wait until it is lost.

        Raises:
            ConnectionError: it is.
        """
        await self._lost.wait()
        raise ConnectionError("the connection was lost")

    async def answers(self, requests: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Return what comes of requests that are made at once, for each an answer or an exception.

        When the connection is lost the client lets those wait that cannot be answered any more: they are ended.
        """
        tasks = [asyncio.ensure_future(request) for request in requests]
        answered, lost = asyncio.gather(*tasks, return_exceptions=True), asyncio.ensure_future(self.lost())
        await asyncio.wait((answered, lost), return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, lost):
            task.cancel()
        *found, reason = await asyncio.gather(*tasks, lost, return_exceptions=True)
        return [reason if isinstance(answer, asyncio.CancelledError) else answer for answer in found]

    def problem(self, error: BaseException) -> str:
        """Return an error in words: where, and what the server has said beside its answers; without secrets."""
        host, port = self._hub.address
        said = f"{self._said}; " if self._said else ""
        return mask(f"{host}:{port}: {said}{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close it, whatever state it is in."""
        with contextlib.suppress(OSError, nats.errors.Error):
            await asyncio.wait_for(self._client.close(), _CLOSING)
        await asyncio.sleep(0)  # the transport closes in the loop's next round

    async def _note(self, error: Exception) -> None:
        self._said = str(error)

    async def _note_loss(self) -> None:
        self._lost.set()
