"""What somebody may have meant."""

import difflib
from collections.abc import Iterable

__all__ = ["meant", "possible"]

_SHOWN = 30


def meant(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``; did you mean …?`` for a word that is near a known one, else nothing."""
    by_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word).lower(), by_case, n=1, cutoff=cutoff)
    return f"; did you mean {by_case[near[0]]}?" if near else ""


def possible(word: object, known: Iterable[str]) -> str:
    """``; possible are …``, and what may have been meant."""
    names = [name for name in known if not name.startswith("_")]
    unseen = "" if str(word).isprintable() and str(word).isascii() else f": it has {word!r}"
    listed = ", ".join(sorted(names)) if len(names) <= _SHOWN else ""
    return unseen + (f"; possible are {listed}" if listed else "") + meant(word, names)
