"""Messages that wait to be sent, as files: written whole, kept over crashes."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.detail.masking import mask
from visigate_logging.host.directories import make_directory, rename, sync_directory
from visigate_logging.host.files import write_atomically

_RECIPIENTS = b"X-Visigate-Recipients: "
_ANSWER = b"X-Visigate-Answer: "


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way.

    Args:
        id: its name for ever, which sorts by age: one that comes twice can be known as one.
        recipients: who has not got it yet.
        content: as the channel composed it: headers and text, as a mail has them (RFC 5322).
        answers: for one that was refused, what the other side said.
        delayed: for one that had to wait, when it was made and what it waited for; else empty.
    """

    id: str
    recipients: tuple[str, ...]
    content: bytes
    answers: tuple[str, ...] = ()
    delayed: str = ""


class Spool:
    """A directory of ``.eml`` files; for use by the one sender of the host.

    A file is first staged under a temporary name and made durable, and is in the spool once it has been
    published under its own. Ahead of the message stand header lines of ours, which are not sent.

    Args:
        directory: made when the first message is staged.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def refused(self) -> "Spool":
        """Return where messages are set aside that were refused for good."""
        return Spool(self.directory / "refused")

    def stage(
        self, message_id: str, recipients: Sequence[str], content: bytes, answers: Mapping[str, str] | None = None
    ) -> None:
        """Write a message durably, but not yet into the spool.

        Args:
            message_id: its name.
            recipients: who is to get it.
            content: what is sent.
            answers: what the other side said to each.

        Raises:
            OSError: it cannot be written.
        """
        make_directory(self.directory)
        head = [_RECIPIENTS + ", ".join(recipients).encode()]
        head += [_ANSWER + f"{who}: {mask(answer)}".encode() for who, answer in (answers or {}).items()]
        write_atomically(self._staged(message_id), b"\n".join([*head, content]))

    def publish(self, message_id: str) -> Path:
        """Put a staged message into the spool, and return where it is; do nothing when it is there."""
        path = self.path(message_id)
        with contextlib.suppress(FileNotFoundError):
            rename(self._staged(message_id), path.name)
            sync_directory(self.directory)
        return path

    def staged(self) -> list[str]:
        """Return the ids of messages that were staged and not published."""
        return sorted(p.stem for p in self.directory.glob("*.staged"))

    def waiting(self) -> list[str]:
        """Return the ids of the messages in the spool, the oldest first."""
        return sorted(p.stem for p in self.directory.glob("*.eml"))

    def message(self, message_id: str) -> Message | None:
        """Return one message of the spool; None when it has gone."""
        return _read(self.path(message_id))

    def messages(self) -> list[Message]:
        """Return the messages in the spool, the oldest first."""
        return [message for message_id in self.waiting() if (message := self.message(message_id))]

    def remove(self, message_id: str) -> None:
        """Take a message out, staged or published."""
        self._staged(message_id).unlink(missing_ok=True)
        self.path(message_id).unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each message in the spool, the oldest first."""
        sizes = {}
        for message_id in self.waiting():
            with contextlib.suppress(OSError):
                sizes[message_id] = self.path(message_id).stat().st_size
        return sizes

    def path(self, message_id: str) -> Path:
        """Return where a message is, once it has been published."""
        return self.directory / f"{message_id}.eml"

    def _staged(self, message_id: str) -> Path:
        return self.directory / f"{message_id}.staged"


def _read(path: Path) -> Message | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    recipients: tuple[str, ...] = ()
    answers = []
    while match := re.match(rb"X-Visigate-[A-Za-z]+: (.*)\r?\n", content):
        if match[0].startswith(_RECIPIENTS):
            recipients = tuple(r.strip() for r in match[1].decode("utf-8", "replace").split(",") if r.strip())
        elif match[0].startswith(_ANSWER):
            answers.append(match[1].decode("utf-8", "replace"))
        content = content[match.end() :]
    return Message(path.stem, recipients, content, tuple(answers))
