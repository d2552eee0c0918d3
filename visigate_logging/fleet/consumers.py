"""The streams of a hub, and the consumers that a collector has of them.

https://docs.nats.io/nats-concepts/jetstream/consumers
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from visigate_logging.forward.hub import Hub, Token

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js.client import JetStreamContext

_BATCH = 1000
_ACK_WAIT = 60.0
_MAX_AGE = 90 * 86_400.0
_STREAMS: dict[str, dict[str, Any]] = {
    "errors": {"subjects": ["visigate.*.*.errors"], "duplicate_window": 120.0, "max_age": _MAX_AGE},
    "states": {"subjects": ["visigate.*.*.state"], "max_msgs_per_subject": 1, "max_age": _MAX_AGE},
}


@dataclass(frozen=True, kw_only=True)
class Subscription(Hub):
    """What is fetched of a hub.

    Args:
        name: of the durable consumer; collectors with different names each get everything.
        sites: only these; empty for all.
    """

    name: Token = "collector"
    sites: tuple[Token, ...] = ()

    def subjects(self, kind: str) -> list[str]:
        """Return the subjects of ``errors`` or ``state``."""
        return [f"visigate.{site}.*.{kind}" for site in self.sites or ("*",)]


async def make_streams(stream: "JetStreamContext") -> None:
    """Make the streams that there are not; those that there are are taken as they are."""
    from nats.js.errors import NotFoundError

    for name, options in _STREAMS.items():
        try:
            await stream.stream_info(name)
        except NotFoundError:
            await stream.add_stream(name=name, **options)


async def errors_of(stream: "JetStreamContext", asked: Subscription) -> "JetStreamContext.PullSubscription":
    """Return what is fetched of the errors: all behind the last that was acknowledged."""
    from nats.js.api import AckPolicy, ConsumerConfig

    config = ConsumerConfig(
        durable_name=asked.name,
        ack_policy=AckPolicy.ALL,
        ack_wait=_ACK_WAIT,
        filter_subjects=asked.subjects("errors"),
        max_ack_pending=2 * _BATCH,
    )
    await _begin_behind_the_last(stream, config)
    return await stream.pull_subscribe_bind(asked.name, "errors")


async def states_of(stream: "JetStreamContext", asked: Subscription) -> "JetStreamContext.PullSubscription":
    """Return what is fetched of the states: the last of each gate, then what comes."""
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        ack_policy=AckPolicy.NONE,
        filter_subjects=asked.subjects("state"),
        inactive_threshold=300.0,
    )
    return await stream.pull_subscribe("", stream="states", config=config)


async def _begin_behind_the_last(stream: "JetStreamContext", config: Any) -> None:
    """Have a consumer that goes on behind the last message that was acknowledged.

    What an earlier connection was given and did not acknowledge would come again only after some time, and behind
    newer messages: a consumer that is made anew brings it first, so that the order of each gate holds.
    """
    from nats.js.api import DeliverPolicy
    from nats.js.errors import NotFoundError

    try:
        found = await stream.consumer_info("errors", config.durable_name)
    except NotFoundError:
        found = None
    if found is not None:
        if not found.num_ack_pending and {*_subjects(found.config)} == {*_subjects(config)}:
            return
        config.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
        config.opt_start_seq = (found.ack_floor.stream_seq if found.ack_floor else 0) + 1
        await stream.delete_consumer("errors", config.durable_name)
    await stream.add_consumer("errors", config)


def _subjects(config: Any) -> Iterable[str]:
    return config.filter_subjects or [config.filter_subject]


async def fetch(fetched: "JetStreamContext.PullSubscription", wait: float) -> "list[Msg]":
    """Return the messages that there are; none when none has come in so many seconds."""
    with contextlib.suppress(TimeoutError):
        return await fetched.fetch(_BATCH, timeout=wait)
    return []
