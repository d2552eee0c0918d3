"""Ways to reach people: one file each, all behind one Protocol."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.spool import Message


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side has taken it for these recipients, and answers for it from now on."""

    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """Nobody has taken it for these recipients yet.

    Args:
        recipients: who waits.
        reason: what was met and what to do, in words that an operator can act on.
        after: seconds to the next try, where the other side has named them.
        perhaps: it was handed over whole, and no answer came: they may have it.
        about_all: the reason is not this message: no other would be taken either.
    """

    recipients: tuple[str, ...]
    reason: str
    after: float | None = None
    perhaps: bool = False
    about_all: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take it for these recipients."""

    recipients: tuple[str, ...]
    reason: str


Outcome = Accepted | Later | Refused


def takes_connections(address: tuple[str, int], timeout: float = 5.0) -> bool:
    """Return whether there is a server; nothing is sent."""
    import socket

    try:
        socket.create_connection(address, timeout).close()
    except OSError:
        return False
    return True


class Channel(Protocol):
    """One way to reach people. It keeps nothing: what waits, and how often it was tried, is the outbox's to know."""

    @property
    def noun(self) -> str:
        """Return what is sent this way, as ``mail``."""

    @property
    def other_side(self) -> str:
        """Return what takes it, as ``mail server``."""

    @property
    def url(self) -> str | None:
        """Return the address of the web pages, for links."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return who gets what is sent this way; names without secrets."""

    def batches(self, recipients: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """Return which recipients get a message together, in one call of ``send``."""

    def compose(self, digest: Digest, message_id: str) -> bytes:
        """Return the content of the message that tells a digest."""

    def compose_text(self, title: str, text: str, message_id: str) -> bytes:
        """Return the content of a message that tells something else than errors."""

    def reachable(self) -> bool:
        """Return whether the other side can be reached at all; nothing is sent, and it takes some seconds at most."""

    def send(self, message: Message, commit: Callable[[], None]) -> Sequence[Outcome]:
        """Hand a message over, however long that takes; one outcome for each recipient, and no exception.

        Args:
            message: what is to be handed over.
            commit: to be called just before the last step, after which the message may have arrived even when no
                answer comes.
        """
