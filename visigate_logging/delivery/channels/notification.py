"""Notifications: hands messages to push and SMS services, chats, and message brokers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from visigate_logging.delivery.channels import Outcome, Refused, takes_connections
from visigate_logging.delivery.channels.services import Service
from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.mail import from_here
from visigate_logging.delivery.short import compose_short, compose_short_text, read_short
from visigate_logging.delivery.spool import Message
from visigate_logging.present.advice import Advice

_TRIAL = "This is a test of visigate-errors. Notifications about errors will arrive like this one."


@dataclass(frozen=True)
class NotificationChannel:
    """Hands messages to services, each on its own: what one does is nothing to the others.

    Args:
        services: who is told.
        url: address of the web pages.
        advice: what to do, by the administrator's own table.
    """

    services: tuple[Service, ...]
    url: str | None = None
    advice: tuple[Advice, ...] = ()
    noun: str = "notification"
    other_side: str = "service"

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the names of the services."""
        return tuple(service.name for service in self.services)

    def batches(self, recipients: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """Return each on its own."""
        return [(name,) for name in recipients]

    def compose(self, digest: Digest, message_id: str) -> bytes:
        """Return the message that tells a digest, in a form for each medium."""
        return compose_short(digest, message_id, self.recipients, self.url, self.advice)

    def compose_text(self, title: str, text: str, message_id: str) -> bytes:
        """Return a message that tells something else than errors."""
        return compose_short_text(from_here(title), text, message_id, self.recipients)

    def try_out(self) -> Sequence[Outcome]:
        """Send a message that only shows that messages arrive; one outcome for each service."""
        content = self.compose_text("a test", _TRIAL, "trial")
        return self.send(Message("trial", self.recipients, content), lambda: None)

    def reachable(self) -> bool:
        """Return whether a server of one's own takes connections; of others' services that is not known."""
        return any(map(takes_connections, filter(None, (service.address() for service in self.services))))

    def send(self, message: Message, commit: Callable[[], None]) -> Sequence[Outcome]:
        """Hand a message to its services."""
        known = {service.name: service for service in self.services}
        texts, outcomes = read_short(message.content), list[Outcome]()
        for name in message.recipients:
            if name not in known:
                outcomes.append(Refused((name,), "it is not among urls any more"))
                continue
            commit()
            outcomes.append(known[name].send(texts, message.delayed))
        return outcomes
