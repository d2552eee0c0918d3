"""Who is logged in: kept on this side of the connection, so that a session ends when it should."""

import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visigate_logging.host.clock import Instant, clock
from visigate_logging.host.files import write_atomically

SECONDS = 12 * 3600.0
MOST = 100


class Sessions:
    """The sessions of a server, by the digest of their token; the browser alone has the token.

    A session ends when it is ended, `SECONDS` after it began whatever happens, when the secret that opened it
    is another, and with the boot of the host: across boots no clock tells how long ago it began.

    Args:
        path: a file that outlives the server; None keeps them in memory.
        now: for tests.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], Instant] = clock) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._sessions = _read(path) if path else {}

    def begin(self, secret: str) -> str:
        """Begin a session that was opened with a secret, and return its token."""
        token = secrets.token_urlsafe(32)
        boot, seconds = self._now()
        with self._lock:
            living = [(key, entry) for key, entry in self._sessions.items() if self._lives(entry)]
            self._sessions = dict(living[-MOST + 1 :])
            self._sessions[_digest(token)] = {"boot": boot, "begun": seconds, "secret": _digest(secret)}
            self._write()
        return token

    def holds(self, token: str, secret: str) -> bool:
        """Return whether a token is that of a session that has not ended, opened with this secret."""
        entry = self._sessions.get(_digest(token))
        return entry is not None and self._lives(entry) and entry.get("secret") == _digest(secret)

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            if self._sessions.pop(_digest(token), None):
                self._write()

    def _lives(self, entry: dict[str, Any]) -> bool:
        boot, seconds = self._now()
        begun = entry.get("begun")
        return entry.get("boot") == boot and isinstance(begun, float) and 0 <= seconds - begun < SECONDS

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            write_atomically(self._path, json.dumps(self._sessions).encode(), mode=0o600)
        except OSError as error:
            logging.getLogger("visigate_logging").warning(
                "Sessions are not kept beyond a restart: %s: %s", self._path, error.strerror
            )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a file holds; what is no file of this user's alone, or is damaged, holds nothing."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return {}
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: entry for key, entry in found.items() if isinstance(entry, dict)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
