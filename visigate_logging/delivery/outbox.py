"""Mails that wait to be sent, as files: written whole, kept over crashes, bounded."""

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visigate_logging.detail.masking import mask
from visigate_logging.host.files import make_directory, sync_directory, write_atomically

__all__ = ["Letter", "Outbox"]

_RECIPIENTS = b"X-Visigate-Recipients: "
_ANSWER = b"X-Visigate-Answer: "


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail that waits.

    Args:
        id: its name, which sorts by age.
        path: its file.
        recipients: who has not got it yet.
        message: what is sent.
        answers: for one that was refused, what the server said.
    """

    id: str
    path: Path
    recipients: tuple[str, ...]
    message: bytes
    answers: tuple[str, ...] = ()


class Outbox:
    """A directory of ``.eml`` files; for use by the one sender of the host.

    A file is first staged under a temporary name and made durable, and is in the outbox once it has been
    published under its own. Ahead of the message stand header lines of ours, which are not sent.

    Args:
        directory: made when the first mail is staged.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def refused(self) -> "Outbox":
        """Where mails are set aside that a server refused for good."""
        return Outbox(self.directory / "refused")

    def stage(
        self, letter_id: str, recipients: Sequence[str], message: bytes, answers: Mapping[str, str] | None = None
    ) -> None:
        """Write a mail durably, but not yet into the outbox.

        Args:
            letter_id: its name.
            recipients: who is to get it.
            message: what is sent.
            answers: what the server said to each.

        Raises:
            OSError: it cannot be written.
        """
        make_directory(self.directory)
        head = [_RECIPIENTS + ", ".join(recipients).encode()]
        head += [_ANSWER + f"{who}: {mask(answer)}".encode() for who, answer in (answers or {}).items()]
        write_atomically(self._staged(letter_id), b"\n".join([*head, message]))

    def publish(self, letter_id: str) -> Path:
        """Put a staged mail into the outbox, and say where it is; nothing happens when it is there."""
        path = self._path(letter_id)
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._staged(letter_id), path)
            sync_directory(self.directory)
        return path

    def staged(self) -> list[str]:
        """The ids of mails that were staged and not published."""
        return sorted(p.stem for p in self.directory.glob("*.staged"))

    def waiting(self) -> list[str]:
        """The ids of the mails in the outbox, the oldest first."""
        return sorted(p.stem for p in self.directory.glob("*.eml"))

    def letter(self, letter_id: str) -> Letter | None:
        """One mail of the outbox; None when it has gone."""
        return _read(self._path(letter_id))

    def letters(self) -> list[Letter]:
        """The mails in the outbox, the oldest first."""
        return [letter for letter_id in self.waiting() if (letter := self.letter(letter_id))]

    def remove(self, letter_id: str) -> None:
        """Take a mail out, staged or published."""
        self._staged(letter_id).unlink(missing_ok=True)
        self._path(letter_id).unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        """Bytes of each mail in the outbox, the oldest first."""
        sizes = {}
        for letter_id in self.waiting():
            with contextlib.suppress(OSError):
                sizes[letter_id] = self._path(letter_id).stat().st_size
        return sizes

    def _path(self, letter_id: str) -> Path:
        return self.directory / f"{letter_id}.eml"

    def _staged(self, letter_id: str) -> Path:
        return self.directory / f"{letter_id}.staged"


def _read(path: Path) -> Letter | None:
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
    return Letter(path.stem, path, recipients, content, tuple(answers))
