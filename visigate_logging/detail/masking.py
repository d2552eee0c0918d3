"""What is secret in this process: one policy, which all that writes, sends or shows something asks."""

import contextlib
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

from visigate_logging.detail.pseudonyms import Pseudonyms
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.values import Sanitiser

_keys: frozenset[str] = frozenset()
_pseudonyms: tuple[frozenset[str], Path] | None = None
_policy = Redactor()


def policy() -> Redactor:
    """Return what masks secrets here, now; another object as soon as more is secret."""
    return _policy


def mask(text: str) -> str:
    """Return a text without its secrets."""
    return _policy.text(text)


def sanitiser(limit: int) -> Sanitiser:
    """Return what makes texts and values fit to be written, by the policy as it is now.

    Args:
        limit: bytes that a text, or all values of a mapping together, may have.
    """
    return _sanitiser(_policy, limit)


@functools.lru_cache(maxsize=16)
def _sanitiser(redactor: Redactor, limit: int) -> Sanitiser:
    return Sanitiser(redactor, limit)


def mask_also(keys: Iterable[str]) -> None:
    """Let the values under further keys be secret, in the whole process and from now on.

    What is secret once stays so while the process runs: what was built earlier may still be writing.

    Args:
        keys: names, of which each word counts.
    """
    _put(_keys.union(keys), _pseudonyms)


def pseudonymise(names: Iterable[str], key: Path) -> None:
    """Let the values under some keys have another name instead, in the whole process and from now on.

    Args:
        names: keys, as :class:`~visigate_logging.detail.pseudonyms.Pseudonyms` takes them.
        key: the file with the key that the other names are made with; the first that is given holds.
    """
    known = _pseudonyms[0] if _pseudonyms else frozenset()
    if names := known.union(names):
        _put(_keys, (names, _pseudonyms[1] if _pseudonyms else key))


@contextlib.contextmanager
def unless_refused() -> Iterator[None]:
    """Take back what the body has made secret when it raises: a configuration that is refused changes nothing."""
    before = _keys, _pseudonyms
    try:
        yield
    except BaseException:
        _put(*before)
        raise


def _put(keys: frozenset[str], pseudonyms: tuple[frozenset[str], Path] | None) -> None:
    global _keys, _pseudonyms, _policy  # noqa: PLW0603 -- replaced whole
    if (keys, pseudonyms) != (_keys, _pseudonyms):
        _keys, _pseudonyms = keys, pseudonyms
        _policy = Redactor(sorted(keys), Pseudonyms(*pseudonyms) if pseudonyms else None)
