"""Mail: hands messages to one mail server."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from visigate_logging.delivery.channels import Accepted, Later, Outcome, Refused, takes_connections
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.mail import MailTemplate, compose, compose_text, with_notice
from visigate_logging.delivery.spool import Message
from visigate_logging.exceptions import MailServerError


@dataclass(frozen=True)
class SmtpChannel:
    """Hands mails to a server.

    Args:
        server: which.
        template: what is the same for all mails.
    """

    server: MailServer
    template: MailTemplate
    noun: str = "mail"
    other_side: str = "mail server"

    @property
    def url(self) -> str | None:
        """Return the address of the web pages."""
        return self.template.url

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return who gets the mails."""
        return self.template.recipients

    def batches(self, recipients: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """Return all together: one mail has many recipients."""
        return [recipients]

    def compose(self, digest: Digest, message_id: str) -> bytes:
        """Return the mail that tells a digest."""
        return compose(digest, message_id, self.template)

    def compose_text(self, title: str, text: str, message_id: str) -> bytes:
        """Return a mail that tells something else than errors."""
        return compose_text(title, text, message_id, self.template)

    def reachable(self) -> bool:
        """Return whether the server's port takes connections."""
        return takes_connections((self.server.host, self.server.port), self.server.timeout)

    def send(self, message: Message, commit: Callable[[], None]) -> Sequence[Outcome]:
        """Hand a mail in."""
        from visigate_logging.delivery.channels.cures import cure_of
        from visigate_logging.delivery.channels.session import opened

        content = with_notice(message.content, message.delayed) if message.delayed else message.content
        try:
            with opened(self.server) as session:
                answers = session.deliver(self.template.sender, message.recipients, content, commit)
        except MailServerError as error:
            return [Later(message.recipients, str(error), perhaps=error.perhaps, about_all=not error.perhaps)]
        taken = tuple(who for who in message.recipients if who not in answers)
        outcomes: list[Outcome] = [Accepted(taken)] if taken else []
        for who, (code, text) in answers.items():
            outcomes.append((Refused if code >= 500 else Later)((who,), f"{code} {text}. {cure_of(code, text)}"))
        return outcomes
