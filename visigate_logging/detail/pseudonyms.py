"""Pseudonyms: the same other name for the same value, which nobody can undo who has not the key.

A number plate is personal data, but whether it is the same plate each time is what an administrator wants to know.
"""

import functools
import hashlib
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from visigate_logging.host.directories import make_directory
from visigate_logging.host.files import open_safely
from visigate_logging.host.sync import force

KEY_FILE = Path("logs/errors/state/pseudonyms.key")
"""Where the key is by default, for all processes of the gate."""
LONGEST = 1000

_report = logging.getLogger("visigate_logging")


class Pseudonyms:
    """Gives the values under some keys another name.

    Args:
        names: keys such as ``plate``, in any case.
        path: of the file with the secret key, made with the first name; the same key gives the same names.
    """

    def __init__(self, names: Iterable[str], path: Path) -> None:
        self._names = {name.lower() for name in names}
        self._path = path
        self._pattern = re.compile(
            rf"\b({'|'.join(map(re.escape, sorted(self._names)))})(\\?[\"']?\s?[=:]\s?)"
            r"(?:(\\?[\"'])([^\"'\\\n]{1,100})(\\?[\"'])|([^\s,;(){}\[\]\"'\\]{1,100}))",
            re.IGNORECASE,
        )
        self.form = tuple(self._names), self._in_text
        """Words without which a text need not be looked at, and what changes ``plate=…`` in it."""

    @functools.cached_property
    def _key(self) -> bytes:
        try:
            return read_key(self._path)
        except OSError as error:  # a name that holds in this process alone is still none that tells anything
            _report.error("%s: pseudonyms are others in each process: %s", self._path, error)
            return os.urandom(32)

    def concerns(self, key: str) -> bool:
        """Return whether the value under a key gets another name."""
        return key.lower() in self._names

    def of(self, key: str, value: Any) -> str | None:
        """Return the other name of a value; None where the key is not concerned."""
        return self._named(key, str(value)) if self.concerns(key) else None

    def _named(self, key: str, value: str) -> str:
        # The same plate, however it is written; and what has a name already keeps it.
        if re.fullmatch(rf"{re.escape(key)}-[0-9a-f]{{10}}", value, re.IGNORECASE):
            return value
        plain = "".join(filter(str.isalnum, value[:LONGEST].upper()))
        digest = hashlib.blake2b(plain.encode("utf-8", "replace"), key=self._key, digest_size=5)
        return f"{key.lower()}-{digest.hexdigest()}"

    def _in_text(self, text: str) -> str:
        def renamed(match: re.Match[str]) -> str:
            key, sign, opening, quoted, closing, bare = match.groups("")
            return f"{key}{sign}{opening}{self._named(key, quoted or bare)}{closing}"

        return self._pattern.sub(renamed, text)


def read_key(path: Path) -> bytes:
    """Return the key in a file, which is made when absent, for its owner alone.

    Raises:
        OSError: it cannot be read or made.
    """
    make_directory(path.parent)
    fd = open_safely(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with open(fd, "r+b") as file:
        if not (key := file.read(32)):
            file.write(os.urandom(32))  # appended: of two who make it at once, the first one's counts for both
            file.flush()
            force(fd)
            file.seek(0)
            key = file.read(32)
    return key
