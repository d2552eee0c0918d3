"""Records to NATS JetStream, where a collector gathers those of many gates.

https://docs.nats.io/nats-concepts/jetstream, https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-20.md
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from visigate_logging.forward.hub import Hub, Token
from visigate_logging.forward.target import Accepted, Later, Outcome, Record, Refused
from visigate_logging.host import ForkAware, watch_forks

if TYPE_CHECKING:
    import asyncio

    from visigate_logging.forward.connection import Connection

_IDLE = 60.0
"""Seconds after which a connection is made anew: nobody answers the server's pings between two batches."""
_LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Nats(Hub):
    """A NATS server with JetStream.

    Records go to ``visigate.SITE.GATE.errors``, each with its ``event_id`` as ``Nats-Msg-Id``: the server drops one
    that comes twice within its window. How the gate is goes each minute to ``visigate.SITE.GATE.state``.

    Args:
        servers: addresses, ``nats://HOST:PORT`` or ``tls://HOST:PORT``.
        site: where the gate is: letters, digits, ``_`` and ``-``.
        gate: which gate.
        credentials_file: of ``nsc``, with the gate's JWT and key.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds for the connection, and for the answers to a batch.
    """

    site: Token
    gate: Token

    most: ClassVar[int] = 25  # so many in flight: with 50 a gate's process has 0.1 MiB more, with 200 3 MiB

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
        self._connection: Connection | None = None
        self._used = 0.0
        watch_forks(self)

    def publish(self, subject: str, messages: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        """Publish messages with their ids; an empty one is none."""
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._publish(subject, messages))

    async def _publish(self, subject: str, messages: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        import nats.errors

        was_open = self._connection is not None
        try:
            connection = await self._connected()
        except (OSError, nats.errors.Error, ValueError) as error:
            outcomes: list[Outcome] = [self._later(error)] * len(messages)
            await self._disconnect()
            return outcomes
        requests = (
            connection.stream.publish(subject, body, headers={"Nats-Msg-Id": name} if name else None)
            for name, body in messages
        )
        outcomes = [self._outcome(answer) for answer in await connection.answers(requests)]
        self._used = time.monotonic()
        if any(isinstance(outcome, Later) for outcome in outcomes):
            # Nobody looks for the end of a connection while nothing is sent: one that was lost then is made anew.
            is_stale = was_open and not connection.is_open and Accepted() not in outcomes
            await self._disconnect()
            return await self._publish(subject, messages) if is_stale else outcomes
        return outcomes

    async def _connected(self) -> "Connection":
        from visigate_logging.forward.connection import Connection

        if self._connection and not (self._connection.is_open and time.monotonic() - self._used < _IDLE):
            await self._disconnect()
        if self._connection is None:
            # Known before it is open: what fails half-way is closed as well.
            self._connection = Connection(self._target, f"{self._target.site}.{self._target.gate}")
            await self._connection.open()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _outcome(self, answer: Any) -> Outcome:
        import nats.errors

        if isinstance(answer, nats.errors.MaxPayloadError):
            return Refused("larger than the server takes (max_payload)")
        return self._later(answer) if isinstance(answer, BaseException) else Accepted()

    def _later(self, error: BaseException) -> Later:
        assert self._connection is not None  # noqa: S101 -- for mypy
        return Later(self._connection.problem(error)[:_LONGEST])

    def close(self) -> None:
        """Close the connection and the loop."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.run(self._disconnect())
            runner.close()

    def after_fork_in_child(self) -> None:
        """Forget what is the parent's: to close it here would end the parent's session."""
        _never_closed.append((self._runner, self._connection))
        self._runner = self._connection = None


_never_closed: list[object] = []
