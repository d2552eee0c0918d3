"""What arrives from gates, and whether it can be taken: who sent it is in the subject, and nobody else says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from visigate_logging.exceptions import RefusedError
from visigate_logging.store.identity import id_bytes
from visigate_logging.store.lines import parse
from visigate_logging.store.times import parse_timestamp

_SUBJECT = re.compile(r"visigate\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})\.(?:errors|state)")
_SENDER = "site", "gate"


@dataclass(frozen=True, slots=True)
class Message:
    """What the hub hands over.

    Args:
        subject: that it was published to, which its sender's credentials allow.
        body: what was published; what it says of its sender counts for nothing.
        at: when, by the hub's clock, seconds since 1970.
    """

    subject: str
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Sender:
    """A gate.

    Args:
        site: where it is.
        gate: its name there.
    """

    site: str
    gate: str

    def __str__(self) -> str:
        return f"{self.site}/{self.gate}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that can be taken.

    Args:
        sender: the gate that sent it.
        record: as it was sent, with the sender among its facets.
        at: when the hub got it, seconds since 1970.
    """

    sender: Sender
    record: Mapping[str, Any]
    at: float

    @property
    def event_id(self) -> str:
        """By which it is known again."""
        return str(self.record["event_id"])

    @property
    def line(self) -> bytes:
        """What is written of it."""
        return orjson.dumps(self.record, option=orjson.OPT_APPEND_NEWLINE)


def sender_of(subject: str) -> Sender:
    """Return the gate that a subject is of.

    Raises:
        RefusedError: it is none of a gate.
    """
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        raise RefusedError(f"the subject {subject[:200]!r} is none of a gate")
    return Sender(found[1], found[2])


def opened(message: Message) -> Arrival:
    """Return what a message brings.

    Raises:
        RefusedError: it is no record.
    """
    sender = sender_of(message.subject)
    try:
        first = parse(message.body, 0)[0]
        if (record := first.record) is None or first.length < len(message.body):
            raise ValueError(first.problem or "nothing")
        if id_bytes(record["event_id"]) is None:
            raise ValueError("no id of an event")
        parse_timestamp(record["timestamp"])
        own = record.get("facets")
        others = {n: v for n, v in own.items() if n not in _SENDER} if isinstance(own, dict) else {}
        facets = {"site": sender.site, "gate": sender.gate, **others}
        arrival = Arrival(sender, record | {"facets": facets}, message.at)
        arrival.line  # noqa: B018 -- nested too deep to be written is refused like the rest
    except (ValueError, TypeError, LookupError) as error:
        raise RefusedError(f"no record: {type(error).__name__}: {error}") from None
    return arrival
