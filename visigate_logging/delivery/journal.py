"""The journal: errors that are to be told, appended by all processes of the host and read by the one that tells."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from visigate_logging.delivery.throttle import level_number
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import ForkAware, HostLock, watch_forks
from visigate_logging.host.follower import Cursor, Follower
from visigate_logging.host.shared_file import SharedFile

__all__ = ["OTHER", "Entry", "Intake", "Journal", "entries_of", "family_of", "signs_of"]

OTHER = "other"
"""Fingerprint under which errors are counted that there is no room for."""

_SEGMENT = 1024 * 1024
_MOST_SEGMENTS = 16
_LEFT = 2
"""Files behind the newest that are not removed: a writer may still be at them."""
_HELD = 0.1
"""Seconds for which a writer in a storm does not look whether the file still has its name."""
_LOOK_EVERY = 64 * 1024
_AVOIDED = 1.0
_MOST_SEEN = 2000
_MOST_FOLDED = 200


@dataclass(slots=True)
class Entry:
    """Errors of one group that were read from a journal.

    Args:
        fingerprint: the group.
        count: how many.
        first_time: timestamp of the first.
        last_time: timestamp of the last.
        severity: the worst, as a level name.
        event_id: of the first.
        detail: the first whole record among them, as JSON.
        signs: what tells them apart within the group: cause and host.
        family: what they are results of.
    """

    fingerprint: str
    count: int
    first_time: str
    last_time: str
    severity: str
    event_id: str = ""
    detail: bytes | None = None
    signs: tuple[str, ...] = ()
    family: str = ""


class JournalFullError(OSError):
    """Nobody has read for so long that there is no room any more."""


class Journal(ForkAware):
    """One append-only file. For use by many threads, and by destructors that interrupt them.

    The whole record is written for the first error of a group and whenever the number of its errors has doubled;
    for a repeat a line of some ninety bytes is enough.

    Args:
        path: of the file.
        whole_after: seconds after which a group is taken for a new one, and written whole again.
    """

    def __init__(self, path: Path, whole_after: float) -> None:
        self.path = path
        self.follower = Follower(path)
        self._whole_after = whole_after
        self._file = SharedFile(path, max_bytes=_SEGMENT, backups=8 * _MOST_SEGMENTS)
        self._busy = False
        self._seen: dict[tuple[str, ...], tuple[int, float]] = {}
        self._until_look = 0
        self._held: tuple[int, int, float] | None = None
        self._lock = threading.RLock()
        watch_forks(self)

    def append(self, detail: ErrorDetail, count: int = 1) -> None:
        """Write one error, or ``count`` of the same group.

        Raises:
            OSError: nothing of it counts: the file cannot be written, or has its size.
        """
        with self._lock:
            line = self._line(detail, count)
            if self._held is not None and not self._busy and self._write_held(self._held, line):
                return
            if self._busy:  # a destructor or a signal handler logs in the middle of its own thread's write
                self._write_aside(line)
                return
            self._busy = True
            try:
                self._write(line)
            except OSError:
                self._seen.clear()
                raise
            finally:
                self._busy = False

    def _write(self, line: bytes) -> None:
        self._until_look -= len(line)
        if self._until_look < 0:
            if Path(f"{self.path}.{_MOST_SEGMENTS}").exists():
                raise JournalFullError(f"{self.path} has its size: errors come faster than they can be told")
            self._until_look = _LOOK_EVERY
        self._file.append(line)
        self._hold()

    def _hold(self) -> None:
        """Keep the file at hand: in a storm nearly all of an append goes into looking for the file by its name."""
        self._let_go()
        with contextlib.suppress(OSError):
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._held = fd, os.fstat(fd).st_ino, time.monotonic() + _HELD

    def _write_held(self, held: tuple[int, int, float], line: bytes) -> bool:
        fd, inode, until = held
        if time.monotonic() < until:
            with contextlib.suppress(OSError):
                found = os.fstat(fd)  # somebody may have closed the number and have got it again
                # The newline first: what stands before may be half a line of a writer that was killed.
                if found.st_ino == inode and found.st_nlink:
                    return os.write(fd, b"\n" + line) > len(line)
            self._held = None
            return False
        self._let_go()
        return False

    def _let_go(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            with contextlib.suppress(OSError):
                if os.fstat(held[0]).st_ino == held[1]:
                    os.close(held[0])

    def _write_aside(self, line: bytes) -> None:
        aside = self._file.aside()
        try:
            aside.append(line)
        finally:
            aside.close()

    def _line(self, detail: ErrorDetail, count: int) -> bytes:
        values = detail.__dict__
        key = (values["fingerprint"], values["severity"], *signs_of(detail))
        now = time.monotonic()
        n, since = self._seen.get(key, (0, now))
        if now - since > self._whole_after:
            n, since = 0, now
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[key] = n + 1, since
        short = f"{key[0]} {values['timestamp']} {key[1]} {values['event_id']}"
        if (
            n & (n + 1) and len(short.split()) == 4 and short[0] != "{"
        ):  # neither the first, nor twice as many as at the last whole one
            return f"{short} {count}\n".encode() if count > 1 else f"{short}\n".encode()
        rest = f"{short} {count - 1}\n".encode() if count > 1 else b""
        return detail.to_json() + b"\n" + rest

    def tidy(self, cursor: Cursor) -> None:
        """Remove what has been read; some rotations late, since a writer may still be at a file just rotated."""
        left = {Path(f"{self.path}.{n + 1}") for n in range(_LEFT)}
        with contextlib.suppress(FileNotFoundError):
            done = [path for path in self.follower.read_through(cursor) if path not in left]
            if not done:
                return
            lock = HostLock(self.path.with_name(f".{self.path.name}.lock"), 0o640)  # of the rotation
            if lock.acquire():
                try:
                    for path in self.follower.read_through(cursor):
                        if path in done:
                            path.unlink()
                finally:
                    lock.release()

    def close(self) -> None:
        """Close the file; the next error opens it again."""
        with self._lock:
            self._let_go()
            self._file.close()

    def after_fork_in_child(self) -> None:
        """Begin afresh: the first error of each group is written whole."""
        self._lock = threading.RLock()
        self._busy = False
        self._seen.clear()
        self._until_look = 0
        self._let_go()
        self._file.forget()


def signs_of(detail: ErrorDetail) -> tuple[str, ...]:
    """Return what tells errors apart within a group, for an administrator: where it is, and what it comes from."""
    causes = detail.exceptions[1:]
    return (f"host {detail.host}", f"cause {causes[0].type}") if causes else (f"host {detail.host}",)


def family_of(detail: ErrorDetail) -> str:
    """Return what the outcomes of one procedure have in common; empty for all other errors."""
    outcome = detail.additional_info.get("recovery") if detail.logger == "visigate_logging.recovery" else None
    return f"recovery {outcome.get('procedure')}" if isinstance(outcome, Mapping) else ""


class Intake(ForkAware):
    """Takes errors in, without any wait: into the journal, else into the spare one, else folded in memory.

    Args:
        journal: on the card.
        spare: in shared memory.
        begin: makes the place for the spare one; raises OSError.
    """

    def __init__(self, journal: Journal, spare: Journal, begin: Callable[[], None]) -> None:
        self._journal = journal
        self._spare = spare
        self._begin = begin
        self.trouble: OSError | None = None
        """Why the journal on the card did not take the last error."""
        self._avoid_until = 0.0
        self._folded: dict[str, tuple[ErrorDetail, int]] = {}
        self._lock = threading.RLock()
        watch_forks(self)

    def add(self, detail: ErrorDetail) -> None:
        """Keep one error."""
        if self._folded:
            self.write_folded()
        if not self._write(detail, 1):
            self._fold(detail)

    def avoid(self, seconds: float) -> None:
        """Leave the journal on the card alone for a while: who reads it cannot keep the books there."""
        self._avoid_until = time.monotonic() + seconds

    def write_folded(self) -> None:
        """Write what is kept in memory, if that is possible now."""
        with self._lock:
            for key in list(self._folded):
                if not self._write(*self._folded[key]):
                    return
                del self._folded[key]

    @property
    def folded(self) -> int:
        """How many errors are kept in memory alone."""
        with self._lock:
            return sum(count for _, count in self._folded.values())

    def after_fork_in_child(self) -> None:
        """Begin with nothing: what is kept in memory is the parent's."""
        self._lock = threading.RLock()
        self._folded.clear()

    def _write(self, detail: ErrorDetail, count: int) -> bool:
        if not self._avoid_until or time.monotonic() >= self._avoid_until:
            try:
                self._journal.append(detail, count)
            except OSError as error:
                self.trouble = error
                self.avoid(_AVOIDED)
            else:
                self.trouble, self._avoid_until = None, 0.0
                return True
        try:
            self._begin()
            self._spare.append(detail, count)
        except OSError:
            return False
        return True

    def _fold(self, detail: ErrorDetail) -> None:
        with self._lock:
            known = detail.fingerprint in self._folded or len(self._folded) < _MOST_FOLDED
            key = detail.fingerprint if known else OTHER
            first, count = self._folded.get(key, (detail if known else _other(detail), 0))
            self._folded[key] = first, count + 1


def _other(detail: ErrorDetail) -> ErrorDetail:
    values = {"fingerprint": OTHER, "error_type": "Errors of further groups", "severity": "CRITICAL"}
    return ErrorDetail.from_dict(values | {"timestamp": detail.timestamp, "event_id": detail.event_id})


def entries_of(lines: bytes, entries: dict[str, Entry]) -> None:
    """Add to the entries, by fingerprint, what journal lines tell; what is no such line is passed over."""
    for line in lines.decode("utf-8", "replace").split("\n"):
        if line.startswith("{"):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                _add(entries, _whole_entry(line))
            continue
        fields = line.split(" ")
        if 4 <= len(fields) <= 5 and (fields[-1].isdecimal() or len(fields) == 4):
            _add_repeat(entries, *fields)


def _add_repeat(entries: dict[str, Entry], key: str, time_: str, severity: str, event_id: str, n: str = "1") -> None:
    known = entries.get(key)
    if known is None or severity != known.severity:
        _add(entries, Entry(key, int(n), time_, time_, severity, event_id))
    else:  # of a storm, nearly all
        known.count += int(n)
        known.last_time = time_


def _whole_entry(line: str) -> Entry:
    detail = ErrorDetail.from_dict(orjson.loads(line))
    time_, key = detail.timestamp, detail.fingerprint or OTHER
    told_apart = signs_of(detail), family_of(detail)
    return Entry(key, 1, time_, time_, detail.severity, detail.event_id, line.encode(), *told_apart)


def _add(entries: dict[str, Entry], news: Entry) -> None:
    known = entries.setdefault(news.fingerprint, news)
    if known is news:
        return
    known.count += news.count
    known.last_time = news.last_time
    known.detail = known.detail or news.detail
    known.severity = max(known.severity, news.severity, key=level_number)
    known.signs = tuple(dict.fromkeys(known.signs + news.signs))
