"""Records to NATS JetStream, where a collector gathers those of many gates.

https://docs.nats.io/nats-concepts/jetstream, https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-20.md
"""

import importlib.util
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import orjson

from visigate_logging.detail.masking import mask
from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.forward.client import Timeout, Tls
from visigate_logging.forward.targets.base import Accepted, Later, Outcome, Record, Refused
from visigate_logging.host import ForkAware, watch_forks
from visigate_logging.options import Via

if TYPE_CHECKING:
    import asyncio

    from nats.aio.client import Client

__all__ = ["Nats"]

_IDLE = 60.0
"""Seconds after which a connection is made anew: nobody answers the server's pings between two batches."""
_LONGEST = 300


def _token(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("is no name for a subject: letters, digits, _ and - alone")
    return value


def _servers(value: str | Sequence[str]) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    found = (value,) if isinstance(value, str) else tuple(value)
    for server in found:
        parts = urlsplit(server)
        if parts.scheme not in {"nats", "tls"} or not parts.hostname:
            raise ConfigurationError("", "has what is no address such as nats://hub.example.org:4222")
    return found


Token = Annotated[str, Via(_token)]


@dataclass(frozen=True, kw_only=True)
class Nats:
    """A NATS server with JetStream.

    Records go to ``visigate.SITE.GATE.errors``, each with its ``event_id`` as ``Nats-Msg-Id``: the server drops one
    that comes twice within its window. What ``visigate-errors forward`` knows of the gate goes each minute to
    ``visigate.SITE.GATE.state``.

    Args:
        servers: addresses, ``nats://HOST:PORT`` or ``tls://HOST:PORT``.
        site: where the gate is: letters, digits, ``_`` and ``-``.
        gate: which gate.
        credentials_file: of ``nsc``, with the gate's JWT and key.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds for the connection, and for the answers to a batch.
    """

    servers: Annotated[str | Sequence[str], Via(_servers, "an address or a list of addresses")]
    site: Token
    gate: Token
    credentials_file: str | None = None
    tls: Tls | None = None
    timeout: Timeout = 10.0

    most: ClassVar[int] = 200

    def __post_init__(self) -> None:
        if importlib.util.find_spec("nats") is None:
            raise ConfigurationError("", str(MissingExtraError("nats-py", "fleet")))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first server."""
        from urllib.parse import urlsplit

        parts = urlsplit(_servers(self.servers)[0])
        return parts.hostname or "", parts.port or 4222

    @property
    def subject(self) -> str:
        """What the gate's subjects begin with."""
        return f"visigate.{self.site}.{self.gate}"

    def send(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Publish the records, all on their way at once, and wait for the acknowledgements."""
        messages = [(str(record["event_id"]), orjson.dumps(record)) for record in records]
        outcomes = self._link.publish(f"{self.subject}.errors", messages)
        # Behind the first that was not taken all are sent again, so that their order holds; the server drops doubles.
        for n, outcome in enumerate(outcomes):
            if isinstance(outcome, Later):
                return [*outcomes[:n], *[outcome] * (len(outcomes) - n)]
        return outcomes

    def tell(self, state: bytes) -> Outcome:
        """Publish the gate's state, of which the server keeps the last."""
        return self._link.publish(f"{self.subject}.state", [("", state)])[0]

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    @cached_property
    def _link(self) -> "_Link":
        return _Link(self)


class _Link(ForkAware):
    """The connection, and the event loop that it lives in while something is sent."""

    def __init__(self, target: Nats) -> None:
        self._target = target
        self._runner: asyncio.Runner | None = None
        self._client: Client | None = None
        self._used = 0.0
        self._said = ""
        watch_forks(self)

    def publish(self, subject: str, messages: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        """Publish messages with their ids; an empty one is none."""
        import asyncio

        import nats.errors

        if self._runner is None:
            self._runner = asyncio.Runner()
        self._said = ""
        try:
            return self._runner.run(self._publish(subject, messages))
        except (OSError, nats.errors.Error, TimeoutError, ValueError) as error:
            self.close()
            return [self._later(error)] * len(messages)

    async def _publish(self, subject: str, messages: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        import asyncio

        client = await self._connected()
        stream, timeout = client.jetstream(), self._target.timeout
        made = [
            stream.publish(subject, body, timeout=timeout, headers={"Nats-Msg-Id": name} if name else None)
            for name, body in messages
        ]
        answers = await asyncio.gather(*made, return_exceptions=True)
        self._used = time.monotonic()
        outcomes = [self._outcome(answer) for answer in answers]
        if any(isinstance(outcome, Later) for outcome in outcomes):
            await client.close()
        return outcomes

    async def _connected(self) -> "Client":
        from nats.aio.client import Client

        client = self._client
        if client is not None and client.is_connected and time.monotonic() - self._used < _IDLE:
            return client
        if client is not None:
            await client.close()
        target = self._target
        options: dict[str, Any] = {"user_credentials": target.credentials_file} if target.credentials_file else {}
        if target.tls:
            options["tls"] = target.tls.context()
        self._client = client = Client()  # known before it is connected: what fails half-way is closed as well
        await client.connect(
            list(_servers(target.servers)),
            name=target.subject,
            # Of its own, so that an account can be allowed to hear its own answers and no other's.
            inbox_prefix=f"_INBOX.{target.site}.{target.gate}",
            allow_reconnect=False,
            connect_timeout=max(1, int(target.timeout)),
            error_cb=self._note,
            **options,
        )
        return client

    async def _note(self, error: Exception) -> None:
        self._said = str(error)

    def _outcome(self, answer: Any) -> Outcome:
        import nats.errors

        if isinstance(answer, nats.errors.MaxPayloadError):
            return Refused("larger than the server takes (max_payload)")
        return self._later(answer) if isinstance(answer, BaseException) else Accepted()

    def _later(self, error: BaseException) -> Later:
        host, port = self._target.address
        said = f"{self._said}; " if self._said else ""
        return Later(mask(f"{host}:{port}: {said}{type(error).__name__}: {error}")[:_LONGEST])

    def close(self) -> None:
        """Close the connection and the loop."""
        runner, client, self._runner, self._client = self._runner, self._client, None, None
        if runner is not None:
            if client is not None:
                runner.run(_closed(client))
            runner.close()

    def after_fork_in_child(self) -> None:
        """Forget what is the parent's: to close it here would end the parent's session."""
        _never_closed.append((self._runner, self._client))
        self._runner = self._client = None


async def _closed(client: "Client") -> None:
    import asyncio

    await client.close()
    await asyncio.sleep(0)  # the transport closes in the loop's next round


_never_closed: list[object] = []
