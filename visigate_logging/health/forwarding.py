"""Tell how forwarding stands: what waits, since when, and why."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from visigate_logging.config.objects import Object
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.health.findings import Finding, Subject
from visigate_logging.present.words import counted, spoken

if TYPE_CHECKING:
    from visigate_logging.forward.forwarder import Forwarder


_LONGEST = 3600.0
"""Seconds that a record may wait before that is a fault."""


def forwarders(objects: Sequence[Object]) -> "Iterator[tuple[str, Forwarder]]":
    """Yield what the forward handlers of a configuration do, by name; those that are off do nothing.

    Raises:
        ConfigurationError: one of them cannot be; ``key`` is the full path.
    """
    from visigate_logging.forward.forwarder import Forwarder
    from visigate_logging.handlers.forward import ForwardHandler
    from visigate_logging.health import gate_state

    for made in objects:
        if made.makes(ForwardHandler):
            try:
                handler = made.factory(**{p.name: value for p, value in made.arguments()})
            except ConfigurationError as error:
                raise ConfigurationError(f"handlers.{made.key[1]}.{error.key}", error.problem) from error
            if handler.options is not None:
                described = partial(gate_state.described, objects=objects)
                yield str(made.key[1]), Forwarder(handler.options, str(made.key[1]), describe=described)


def standings(objects: Sequence[Object]) -> dict[str, Mapping[str, Any]]:
    """Return how far each handler that has a target has come, as plain data."""
    found: dict[str, Mapping[str, Any]] = {}
    with contextlib.suppress(ConfigurationError):  # which is among the findings about the file
        for name, forwarder in forwarders(objects):
            books = forwarder.books()
            found[name] = {
                "waiting": {lane: own.pending for lane, own in books.lanes.items()},
                "oldest": min(forwarder.oldest().values(), default=None),
                "delivered_at": books.delivered_at or None,
                "trouble": books.trouble,
            }
            forwarder.close()
    return found


def forwarding(subject: Subject) -> Iterator[Finding]:
    """Look for what waits to be forwarded for too long."""
    for name, one in subject.status["forwarding"].items():
        waiting = sum(one["waiting"].values())
        age = time.time() - datetime.fromisoformat(one["oldest"]).timestamp() if one["oldest"] else 0.0
        text = f"{name}: {counted(waiting, 'error')} to be forwarded"
        text += f" since {spoken(age)}: {one['trouble']}" if waiting else ""
        yield Finding("forwarding", age < _LONGEST, text, "Mend what it names; what waits is sent then")


def targets(subject: Subject) -> Iterator[Finding]:
    """Ask whether somebody answers where errors are forwarded to."""
    from visigate_logging.forward.target import unreachable

    for name, forwarder in forwarders(subject.objects):
        problem = unreachable(forwarder.options.target)
        host, port = forwarder.options.target.address
        yield Finding("target", not problem, f"{name}: {problem or f'{host}:{port} answers'}", "Look at the network")
        forwarder.close()
