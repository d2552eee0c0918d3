"""VisiGate's own notification manager as a channel: told as rarely as by mail, and outside the caller."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from visigate_logging.delivery.channels import Accepted, Later, Outcome
from visigate_logging.delivery.digest import Digest, Item, section, title
from visigate_logging.delivery.mail import cleaned, new_message, parsed
from visigate_logging.delivery.pipeline import Delivery
from visigate_logging.delivery.routes import Route
from visigate_logging.delivery.spool import Message
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.exceptions import StateError
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.host import State

NAME = "notification manager"
SUBJECT = "VisiGate Error"
AGAIN_AFTER = 5.0
"""Seconds after which a manager that has raised is called again."""
_ENDS = "X-Visigate-Ends"


class NotificationManager(Protocol):
    """What VisiGate's notification manager offers."""

    def send_email_notification(self, *, subject: str, message: str) -> Any:
        """Send a mail."""


class ManagerHandler(ThrottledHandler):
    """Gives errors to a notification manager: the first of a group at once, repeats as counts.

    When to tell is decided as for mail, for all processes of the host together. What the manager does is its own;
    when it raises, what it was to tell is told again later, and that is said on the logger ``visigate_logging``.

    Args:
        manager: its method ``send_email_notification(subject=, message=)`` is called in a thread of the handler.
        state_dir: directory that the processes of the host share.
        windows: how long to wait before telling.
    """

    def __init__(
        self, manager: NotificationManager, state_dir: str | os.PathLike[str], windows: Windows | None = None
    ) -> None:
        directory = Path(state_dir).absolute()
        super().__init__([Route(Delivery(_ManagerChannel(manager), windows or Windows(), directory), 0)])
        with contextlib.suppress(StateError):
            _take_over(State(directory, SCHEMA))
        self.set_name(NAME)


@dataclass(frozen=True)
class _ManagerChannel:
    """Hands messages to the manager; the end of an incident it is not told of."""

    manager: NotificationManager
    noun: str = "notification"
    other_side: str = NAME
    url: str | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the manager."""
        return (NAME.replace(" ", "-"),)

    def batches(self, recipients: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """Return the manager."""
        return [recipients]

    def compose(self, digest: Digest, message_id: str) -> bytes:
        """Return subject and text of what is new."""
        told = [item for item in digest.items if item.group.untold]
        text = "\n\n".join(filter(None, [digest.notice, *map(_text, told or digest.items)]))
        return self._written(_subject(told or digest.items), text, message_id, ends=not told)

    def compose_text(self, title: str, text: str, message_id: str) -> bytes:
        """Return a message that tells something else than errors."""
        return self._written(title, text, message_id)

    def _written(self, subject: str, text: str, message_id: str, *, ends: bool = False) -> bytes:
        message = new_message(message_id, "visigate-errors", self.recipients, subject)
        if ends:
            message[_ENDS] = "yes"
        message.set_content(cleaned(text))
        return bytes(message)

    def reachable(self) -> bool:
        """Return that it may be called."""
        return True

    def send(self, message: Message, commit: Callable[[], None]) -> Sequence[Outcome]:
        """Call the manager."""
        found = parsed(message.content)
        if found[_ENDS]:
            return [Accepted(message.recipients)]
        body = found.get_body(("plain",))
        text = str(body.get_content()).replace("\r\n", "\n") if body else ""
        text = f"{message.delayed}\n\n{text}" if message.delayed else text
        commit()
        try:
            self.manager.send_email_notification(subject=str(found["Subject"] or ""), message=text)
        except Exception as error:  # noqa: BLE001 -- the manager is the application's
            reason = f"the notification manager has raised {type(error).__name__}: {error}"
            return [Later(message.recipients, reason, after=AGAIN_AFTER, about_all=True)]
        return [Accepted(message.recipients)]


def _subject(told: Sequence[Item]) -> str:
    worst = told[0]
    times = f" ({worst.group.untold:,} times)" if worst.group.untold > 1 else ""
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{SUBJECT}: {title(worst.detail)}{times}{more}"


def _text(item: Item) -> str:
    told = section(item)
    return "\n".join([f"{told.severity} {told.title}", told.message, told.summary, *told.lines()])


def _take_over(state: State) -> None:
    """Take over what versions up to 0.1 have kept in tables of their own: what was told is not told anew."""
    if not state.path.exists():
        return
    try:
        with state.transaction() as connection:
            query = "SELECT count(*) FROM sqlite_master WHERE name = 'notified'"
            if not connection.execute(query).fetchone()[0]:
                return
            groups = []
            for fingerprint, incident, detail in connection.execute("SELECT * FROM notified").fetchall():
                groups.append(orjson.loads(incident))
                connection.execute("INSERT OR IGNORE INTO mail_details VALUES (?, ?, ?)", (NAME, fingerprint, detail))
            kept = NAME, orjson.dumps(groups)
            connection.execute("INSERT OR IGNORE INTO mail_incidents VALUES (?, ?)", kept)
            connection.execute("DROP TABLE notified")
    finally:
        state.close()
