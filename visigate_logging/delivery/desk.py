"""What serves the mails of one handler: journal, books, outbox and sender, on the card or in shared memory."""

import contextlib
import dataclasses
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import orjson

from visigate_logging.delivery.books import SCHEMA
from visigate_logging.delivery.channels.smtp import SmtpChannel
from visigate_logging.delivery.composer import Composer
from visigate_logging.delivery.entries import Entry, entries_of
from visigate_logging.delivery.journal import Journal
from visigate_logging.delivery.ledger import Ledger
from visigate_logging.delivery.letters import Letters
from visigate_logging.delivery.options import MailOptions
from visigate_logging.delivery.outbox import Outbox
from visigate_logging.delivery.sender import Sender
from visigate_logging.host import HostLock, Sheet, State
from visigate_logging.host.follower import Cursor, Follower, furthest

__all__ = ["SHARED_MEMORY", "MailDesk"]

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- the directory there is ours alone, or it is not used
"""Where files are that need no disk."""

_MOST_AT_ONCE = 4 * 1024 * 1024
_POLL_WHILE_BUSY = 1.0
_AT_EXIT = 1.0


class MailDesk:
    """The parts behind the handler of one name; nothing is opened before it is used.

    Args:
        options: of the handler.
        name: of the handler; two in one state directory need two names.
    """

    def __init__(self, options: MailOptions, name: str) -> None:
        directory, safe = options.state_dir, _safe(name)
        self.lock: Path = directory / f"mail-{safe}.lock"
        self.state = State(directory, SCHEMA)
        self.journal = Journal(directory / f"journal-{safe}", options.windows.quiet / 2)
        self.ledger = Ledger(self.state, name, options.windows, schedule=options.summary)
        self.letters = Letters(self.state, name)
        self.outbox = Outbox(directory / "outbox" / safe)
        channel = SmtpChannel(options.server, options.envelope)
        self.composer = Composer(self.ledger, self.letters, self.outbox, channel)
        self.sender = Sender(self.ledger, self.letters, self.outbox, channel, self.lock)
        self._books = HostLock(directory / f"journal-{safe}.lock")
        self._passed = directory / f"journal-{safe}.cursor"

    @classmethod
    def in_memory(cls, options: MailOptions, name: str) -> "MailDesk":
        """Return the same in shared memory: what serves while the card is full, read-only or gone."""
        digest = hashlib.sha256(str(options.state_dir.resolve()).encode()).hexdigest()[:16]
        directory = SHARED_MEMORY / f"visigate-{os.geteuid()}-{digest}"
        notice = (
            f"{options.state_dir} cannot be used, or errors come faster than they can be told: "
            "what is to be told is kept in memory, until the next boot."
        )
        envelope = dataclasses.replace(options.envelope, notice=notice)
        return cls(dataclasses.replace(options, state_dir=directory, envelope=envelope, summary=None), name)

    def begin(self) -> None:
        """Make the directory of a desk in shared memory, where everybody may write.

        Raises:
            OSError: it cannot be made, or it is not ours alone.
        """
        if not self.is_begun:
            self.state.directory.mkdir(mode=0o700, exist_ok=True)
            if not self.is_begun:
                raise PermissionError(f"{self.state.directory} belongs to somebody else")

    @property
    def is_begun(self) -> bool:
        """Whether the directory is there, and nobody else's."""
        try:
            found = self.state.directory.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022

    def turn(self, other: "MailDesk | None" = None, *, follows_other: bool = False, hurry: bool = False) -> float:
        """Book what is new, and send what is due; in how many seconds to come again.

        Args:
            other: a desk that may have read our journal, while our books could not be kept.
            follows_other: read the journal of that desk as well, whose books cannot be kept now.
            hurry: the process ends: do not wait for further new groups.

        Raises:
            StateError: the state file cannot be used.
            OSError: the outbox cannot be written, or the journal not be read.
        """
        self.state.directory.mkdir(parents=True, exist_ok=True)
        if not self._books.acquire(_AT_EXIT if hurry else 0.0):
            return _POLL_WHILE_BUSY
        try:
            news = self._book(other, follows_other=follows_other)
            wait = self.composer.prepare(news=news, hurry=hurry)
        finally:
            self._books.release()
        return min(wait, self.sender.send())

    def _book(self, other: "MailDesk | None", *, follows_other: bool) -> bool:
        """Book what is new in the journal; whether anything was."""
        followers = [self.journal.follower, *([other.journal.follower] if other and follows_other else ())]
        if not any(f.path.exists() for f in followers):
            return False
        came: list[Entry] = []
        passed = other.passed() if other else {}

        def read(known: Cursor) -> tuple[Sequence[Entry], Cursor]:
            entries, cursor = _read(followers, furthest(known or self.passed(), passed))
            came.extend(entries)
            return entries, cursor

        cursor = self.ledger.book(read)
        with contextlib.suppress(OSError):  # a copy, for when the books cannot be read
            _overwrite(self._passed, orjson.dumps(cursor))
        self.journal.tidy(cursor)
        return bool(came)

    def passed(self) -> Cursor:
        """How far the journal has been read, as far as is known without the books."""
        try:
            found: Cursor = orjson.loads(self._passed.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def sheet(self, other: "MailDesk") -> Sheet:
        """The handler's counts, with what is in the journal and not in the books yet as pending.

        Args:
            other: the desk that may have read our journal.
        """

        def unread(known: Cursor) -> int:
            passed = furthest(known or self.passed(), other.passed())
            return sum(entry.count for entry in _read([self.journal.follower], passed)[0])

        return self.ledger.sheet(unread)

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.state.close()


def _read(followers: Sequence[Follower], cursor: Cursor) -> tuple[Sequence[Entry], Cursor]:
    """What is new; in small bits, since a caller that logs meanwhile waits while this thread computes."""
    entries: dict[str, Entry] = {}
    room = _MOST_AT_ONCE
    for follower in followers:
        while room > 0 and (batch := follower.read(cursor)).cursor != cursor:
            cursor = batch.cursor
            room -= len(batch.lines)
            entries_of(batch.lines, entries)
    return list(entries.values()), cursor


def _overwrite(path: Path, content: bytes) -> None:
    """Write in place: what is there has its room also on a card that is full."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.ftruncate(fd, os.pwrite(fd, content, 0))
    finally:
        os.close(fd)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
