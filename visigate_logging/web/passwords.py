"""The password of the pages: how it is kept, and how what is given is compared with it."""

import hmac
import re
import secrets
from collections.abc import Callable

from werkzeug.security import check_password_hash, generate_password_hash

_HASH = re.compile(r"(?:scrypt(?::\d+){3}|pbkdf2:\w+:\d+)\$[^$]+\$[0-9a-f]{32,}")


class Password:
    """Compare what is given with a password of which only the hash is known.

    To compare with a hash takes long on purpose, so whoever guesses often makes everybody wait who logs in. Once
    the password itself has been given, its digest under a key of this process tells right from wrong at once; it is
    kept in memory alone, where the password has just been too.

    Args:
        hashed: gives the hash as it is now, as `hashed_password` makes it.
    """

    def __init__(self, hashed: Callable[[], str]) -> None:
        self._hashed = hashed
        self._key = secrets.token_bytes(32)
        self._known = "", b""

    def matches(self, given: str) -> bool:
        """Return whether this is the password.

        Raises:
            ValueError: the hash is none that this computer's OpenSSL can compute.
        """
        hashed = self._hashed()
        digest = hmac.digest(self._key, given.encode("utf-8", "surrogatepass"), "sha256")
        of, right = self._known
        if of == hashed:
            return hmac.compare_digest(digest, right)
        if not check_password_hash(hashed, given):
            return False
        self._known = hashed, digest
        return True


def hashed_password(password: str) -> str:
    """Return what to keep of a password (scrypt, RFC 7914)."""
    return generate_password_hash(password)


def check_hash(text: str) -> str:
    """Return the hash of a password as it is.

    Raises:
        ValueError: it is none.
    """
    if not _HASH.fullmatch(text):
        raise ValueError("holds no hash of a password")
    return text
