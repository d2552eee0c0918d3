"""Was the host shut down, or was the power away? Known at the next start, by a sign of life of the last one.

``alive.json`` of the state directory has the last sign of life, written and synced at most once a minute by one of
the host's processes. ``shutdown.json`` is a mark that a systemd unit writes when the host has started and when it is
shut down, ``visigate-errors power``. What is to be told waits until the clock is right: a Pi has none with a battery.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.host.clock import boot_id, clock, utc_text
from visigate_logging.host.directories import make_directory
from visigate_logging.host.files import write_atomically
from visigate_logging.host.lock import HostLock
from visigate_logging.lifecycle.clock_state import clock_is_right
from visigate_logging.lifecycle.outages import Absence, Sign
from visigate_logging.lifecycle.processes import FOLDER

SIGN_EVERY = 60.0
"""Seconds between two signs of life, each of which is written to the card."""
PATIENCE = 600.0
"""Seconds after which it is told also by a clock that is not known to be right."""
_MOST_PENDING = 20
_ALIVE, _SHUTDOWN = "alive.json", "shutdown.json"
_PSTORE = (Path("/sys/fs/pstore"), Path("/var/lib/systemd/pstore"))


@dataclass
class _Book:
    """What is in the file."""

    sign: Sign | None = None
    pending: list[Sign] = field(default_factory=list)


class Power:
    """Gives signs of life for the host, and finds out how its last boots ended.

    Args:
        directory: the state directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / _ALIVE
        self._lock = HostLock(directory / f".{_ALIVE}.lock", 0o660)
        self._began: float | None = None

    def look(self) -> list[Absence] | None:
        """Give a sign of life if it is time.

        Returns:
            What is to be told now, to be ended with `told`; None while another process finds out how the last boot
            ended: until then what the dead have left must stay.

        Raises:
            OSError: the state directory cannot be used.
        """
        now = clock()
        self._began = self._began if self._began is not None else now.seconds
        book = self._read()
        is_new = book.sign is None or book.sign.boot_id != now.boot_id
        if not now.boot_id or not (is_new or book.pending or self._is_due(book, now.seconds)):
            return []
        with self._lock.tried() as is_ours:
            if is_ours:
                return self._in_turn(now.seconds)
        return None if is_new else []

    def _in_turn(self, seconds: float) -> list[Absence]:
        book = self._read()
        is_right = clock_is_right()
        if book.sign is not None and book.sign.boot_id != boot_id():
            book.pending = [*book.pending, self._closed(book.sign)][-_MOST_PENDING:]
            book.sign = None
        if book.sign is None or self._is_due(book, seconds):
            book.sign = Sign(boot_id(), seconds, time.time(), is_right)
            self._write(book)
        waited = seconds - (self._began or seconds)
        if not book.pending or not (is_right or waited >= PATIENCE):
            return []
        return self._absences(book.pending, seconds)

    def told(self, absences: list[Absence]) -> None:
        """Note that they are told, each once."""
        with self._lock.tried(1.0) as is_ours:
            if is_ours:
                book = self._read()
                book.pending = book.pending[len(absences) :]
                self._write(book)

    def _is_due(self, book: _Book, seconds: float) -> bool:
        return book.sign is None or seconds - book.sign.monotonic >= SIGN_EVERY

    def _closed(self, sign: Sign) -> Sign:
        """Return the last sign of a boot with what is known of its end."""
        return replace(sign, cut_off=self._cut_off(sign.boot_id), mark=self._mark(sign))

    def _cut_off(self, boot: str) -> tuple[str, ...]:
        """Names of the processes that had neither said goodbye nor been told to end."""
        found = []
        for path in sorted((self._directory / FOLDER).glob("*.json")):
            with contextlib.suppress(OSError, orjson.JSONDecodeError, AttributeError):
                facts = orjson.loads(path.read_bytes().partition(b"\n")[0])
                dump = path.with_suffix(".dump")
                is_left = facts.get("said_goodbye") or (dump.exists() and dump.stat().st_size)
                if facts.get("boot_id") == boot and not is_left:
                    found.append(str(facts.get("name")))
        return tuple(found)

    def _mark(self, sign: Sign) -> str:
        """Return what the unit says; a mark that signs of life came after was made by hand, with the host up."""
        with contextlib.suppress(OSError, orjson.JSONDecodeError, KeyError):
            mark = orjson.loads((self._directory / _SHUTDOWN).read_bytes())
            if mark["boot_id"] == sign.boot_id:
                is_old = mark["state"] == "down" and sign.monotonic - mark["monotonic"] > 2 * SIGN_EVERY
                return "" if is_old else str(mark["state"])
        return ""

    def _absences(self, pending: list[Sign], seconds: float) -> list[Absence]:
        """Return what was between the boots; a time that a wrong clock gave is none."""
        began: list[float | None] = [sign.began if sign.is_right else None for sign in pending[1:]]
        began.append(time.time() - seconds if clock_is_right() else None)
        found = []
        for sign, until in zip(pending, began, strict=True):
            since = sign.at if sign.is_right else None
            cannot_be = since is not None and until is not None and until < since
            found.append(Absence(sign, since, None if cannot_be else until, kernel=_kernel_has_crashed(sign)))
        return found

    def _read(self) -> _Book:
        with contextlib.suppress(OSError, orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            data = orjson.loads(self._path.read_bytes())
            sign = _sign(data["sign"]) if data.get("sign") else None
            return _Book(sign, [_sign(one) for one in data.get("pending", ())])
        return _Book()

    def _write(self, book: _Book) -> None:
        make_directory(self._directory)
        data = {"sign": book.sign and asdict(book.sign), "pending": [asdict(sign) for sign in book.pending]}
        write_atomically(self._path, orjson.dumps(data))


def mark_shutdown(directory: Path, state: str) -> None:
    """Note that the host has started, or is being shut down; for a systemd unit.

    Args:
        directory: the state directory; made when absent.
        state: ``up`` or ``down``.

    Raises:
        OSError: it cannot be written.
    """
    make_directory(directory)
    now = clock()
    mark = {"boot_id": now.boot_id, "state": state, "monotonic": now.seconds, "time": utc_text()}
    write_atomically(directory / _SHUTDOWN, orjson.dumps(mark))


def _sign(data: Mapping[str, Any]) -> Sign:
    return Sign(**{**data, "cut_off": tuple(data.get("cut_off", ()))})


def _kernel_has_crashed(sign: Sign) -> bool:
    """Return whether the kernel has left its last words since (https://docs.kernel.org/admin-guide/pstore-blk.html)."""
    for folder in _PSTORE:
        with contextlib.suppress(OSError):
            if any((folder / name).stat().st_mtime > sign.at for name in os.listdir(folder)):
                return True
    return False
