"""The way from an error to those who are told of it, for one handler in one directory: all parts, wired."""

import contextlib
import hashlib
import math
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from visigate_logging.delivery import legacy
from visigate_logging.delivery.channels import Channel
from visigate_logging.delivery.composer import Composer
from visigate_logging.delivery.entries import Entry, entries_of
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.journal import Journal
from visigate_logging.delivery.outbox import Outbox
from visigate_logging.delivery.sender import Sender
from visigate_logging.delivery.spool import Spool
from visigate_logging.delivery.summary import Schedule
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.host import HostLock, Sheet, State
from visigate_logging.host.follower import Cursor, Follower, furthest

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- the directory there is ours alone, or it is not used
"""Where files are that need no disk."""

_MOST_AT_ONCE = 4 * 1024 * 1024
_POLL_WHILE_BUSY = 1.0
_AT_EXIT = 1.0
_MOST_NAMES = 100


@dataclass(frozen=True)
class Delivery:
    """What is to be told to whom, and when.

    Args:
        channel: the way to those who are told.
        windows: how long to wait before telling.
        state_dir: directory that the processes of the host share.
        summary: when summaries are told.
        digest: when all is told together; None for as soon as the windows have it.
        notice: what stands above all else in each message.
        decisions: where it stands what was decided about groups; default ``groups.jsonl`` beside ``state_dir``.
    """

    channel: Channel
    windows: Windows
    state_dir: Path
    summary: Schedule | None = None
    digest: Schedule | None = None
    notice: str = ""
    decisions: Path | None = None

    def in_memory(self) -> "Delivery":
        """Return the same in shared memory: what serves while the card is full, read-only or gone."""
        digest = hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:16]
        notice = (
            f"{self.state_dir} cannot be used, or errors come faster than they can be told: "
            "what is to be told is kept in memory, until the next boot."
        )
        place = _place(f"visigate-{os.geteuid()}-{digest}")
        decisions = self.decisions or self.state_dir.parent / "groups.jsonl"
        return replace(self, state_dir=place, summary=None, notice=notice, decisions=decisions)


class Pipeline:
    """Journal, incidents, outbox and channel of one handler; nothing is opened before it is used.

    Args:
        delivery: what is to be told to whom.
        name: of the handler; two in one state directory need two names.
    """

    def __init__(self, delivery: Delivery, name: str) -> None:
        directory, safe, self._name = delivery.state_dir, _safe(name), name
        self.channel = delivery.channel
        self.lock: Path = directory / f"mail-{safe}.lock"
        self.state = State(directory, SCHEMA)
        self.journal = Journal(directory / f"journal-{safe}", delivery.windows.quiet / 2)
        self.incidents = Incidents(
            self.state,
            name,
            delivery.windows,
            summary=delivery.summary,
            digest=delivery.digest,
            decisions=delivery.decisions,
        )
        self.outbox = Outbox(self.state, name, Spool(directory / "outbox" / safe))
        self.composer = Composer(self.incidents, self.outbox, delivery.channel, delivery.notice)
        self.sender = Sender(self.outbox, delivery.channel, self.lock)
        self._reading = HostLock(directory / f"journal-{safe}.lock")
        self._passed = directory / f"journal-{safe}.cursor"

    def begin(self) -> None:
        """Make the directory in shared memory, where everybody may write.

        Raises:
            OSError: it cannot be made, or it is not ours alone.
        """
        if not self.is_begun:
            self.state.directory.mkdir(mode=0o700, exist_ok=True)
            if not self.is_begun:
                raise PermissionError(f"{self.state.directory} belongs to somebody else")

    @property
    def is_begun(self) -> bool:
        """Return whether the directory is there, and nobody else's."""
        return _is_ours(self.state.directory)

    def take_over(self) -> None:
        """Take into the journal what a process of version 0.1.0 has left."""
        places = (SHARED_MEMORY, self.state.directory)
        legacy.take_over(f"{self.state.directory.resolve()} {self._name}", places, self.journal)

    def turn(self, other: "Pipeline | None" = None, *, follows_other: bool = False, hurry: bool = False) -> float:
        """Read what is new, and send what is due; return in how many seconds to come again.

        Args:
            other: a pipeline that may have read our journal, while our state file could not be used.
            follows_other: read the journal of that one as well, whose state file cannot be used now.
            hurry: the process ends: do not wait for further new groups.

        Raises:
            StateError: the state file cannot be used.
            OSError: the outbox cannot be written, or the journal not be read.
        """
        self.state.directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            if not self._reading.acquire(_AT_EXIT if hurry else 0.0):
                return _POLL_WHILE_BUSY
            held.callback(self._reading.release)
            followers = [self.journal.follower]
            # What this process cannot book others may: then they read it, and both would count it.
            if follows_other and other is not None and other.claim():
                held.callback(other.release)
                followers.append(other.journal.follower)
            news = self._read(followers, other.passed() if other else {})
            wait = self.composer.prepare(news=news, hurry=hurry)
        return min(wait, self.sender.send())

    def claim(self) -> bool:
        """Return whether nobody else reads the journal, until `release`; also where no lock can be had any more."""
        try:
            return self._reading.acquire()
        except OSError:
            return True

    def release(self) -> None:
        """Let others read the journal again."""
        self._reading.release()

    def _read(self, followers: Sequence[Follower], passed: Cursor) -> bool:
        """Book what is new in the journals; return whether anything was."""
        if not any(f.path.exists() for f in followers):
            return False
        came: list[Entry] = []

        def read(known: Cursor) -> tuple[Sequence[Entry], Cursor]:
            entries, cursor = _entries(followers, furthest(known or self.passed(), passed))
            came.extend(entries)
            return entries, cursor

        cursor = self.incidents.book(read)
        with contextlib.suppress(OSError):  # a copy, for when the state file cannot be used
            _overwrite(self._passed, orjson.dumps(cursor))
        self.journal.tidy(cursor)
        return bool(came)

    def passed(self) -> Cursor:
        """Return how far the journal has been read, as far as is known without the state file."""
        try:
            found: Cursor = orjson.loads(self._passed.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def idle(self) -> float:
        """Return for how many seconds no process of the host has read the journal; endless where nobody knows."""
        with contextlib.suppress(OSError):
            seconds = time.time() - self._passed.stat().st_mtime
            return seconds if seconds >= 0 else math.inf  # the clock was put back
        return math.inf

    def sheet(self, other: "Pipeline") -> Sheet:
        """Return the handler's counts, with what is in the journal and not booked yet as pending.

        Args:
            other: the pipeline that may have read our journal.
        """

        def unread(known: Cursor) -> int:
            passed = furthest(known or self.passed(), other.passed())
            return sum(entry.count for entry in _entries([self.journal.follower], passed)[0])

        return self.incidents.sheet(unread)

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.state.close()


def _entries(followers: Sequence[Follower], cursor: Cursor) -> tuple[Sequence[Entry], Cursor]:
    """Return what is new; in small bits, since a caller that logs meanwhile waits while this thread computes."""
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


def _place(name: str) -> Path:
    """Return a directory in shared memory that is ours or may become so: others may have taken the first names."""
    places = [SHARED_MEMORY / (f"{name}-{number}" if number else name) for number in range(_MOST_NAMES)]
    free = (place for place in places if not os.path.lexists(place))
    return next(filter(_is_ours, places), None) or next(free, places[0])


def _is_ours(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
