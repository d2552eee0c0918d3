"""How the hub is reached: the NATS server that gathers what many gates send."""

import contextlib
import importlib.util
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.forward.client import Timeout, Tls
from visigate_logging.options import Via

if TYPE_CHECKING:
    from nats.aio.client import Client

_CLOSING = 2.0
"""Seconds to say goodbye: after a TLS handshake that has failed, the client would wait for its end for ever."""


def _token(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("is no name for a subject: letters, digits, _ and - alone")
    return value


Token = Annotated[str, Via(_token)]
"""One part of a subject, or the name of a consumer."""


def _servers(value: str | Sequence[str]) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    found = (value,) if isinstance(value, str) else tuple(value)
    for server in found:
        parts = urlsplit(server)
        if parts.scheme not in {"nats", "tls"} or not parts.hostname:
            raise ConfigurationError("", "has what is no address such as nats://hub.example.org:4222")
    return found


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A NATS server with JetStream, or a cluster of them.

    Args:
        servers: addresses, ``nats://HOST:PORT`` or ``tls://HOST:PORT``.
        credentials_file: of ``nsc``, with the user's JWT and key.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds for the connection, and for the answers to a batch.
    """

    servers: Annotated[str | Sequence[str], Via(_servers, "an address or a list of addresses")]
    credentials_file: str | None = None
    tls: Tls | None = None
    timeout: Timeout = 10.0

    def __post_init__(self) -> None:
        if importlib.util.find_spec("nats") is None:
            raise ConfigurationError("", str(MissingExtraError("nats-py", "fleet")))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first server."""
        from urllib.parse import urlsplit

        parts = urlsplit(_servers(self.servers)[0])
        return parts.hostname or "", parts.port or 4222

    async def connect(self, client: "Client", name: str, note: Callable[[Exception], Awaitable[None]]) -> None:
        """Connect a client, which does not connect again by itself.

        Args:
            client: a new one.
            name: what the server calls it; it hears its answers below ``_INBOX.NAME``, so that an account can be
                allowed to hear its own and no other's.
            note: told what the server says beside its answers.

        Raises:
            OSError, nats.errors.Error: nobody answers, or who answers lets nobody in.
        """
        options: dict[str, Any] = {}
        if self.credentials_file:
            options["user_credentials"] = self.credentials_file
        if self.tls:
            options["tls"] = self.tls.context()
        await client.connect(
            list(_servers(self.servers)),
            name=name,
            inbox_prefix=f"_INBOX.{name}",
            allow_reconnect=False,
            max_reconnect_attempts=1,  # else each server is tried 60 times before the first connection
            reconnect_time_wait=0,
            connect_timeout=max(1, int(self.timeout)),
            error_cb=note,
            **options,
        )


async def disconnect(client: "Client") -> None:
    """Close a client, whatever state it is in."""
    import asyncio

    import nats.errors

    with contextlib.suppress(OSError, nats.errors.Error):
        await asyncio.wait_for(client.close(), _CLOSING)
    await asyncio.sleep(0)  # the transport closes in the loop's next round
