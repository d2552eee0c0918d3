"""What is wrong with an option, in words: what was met, what is possible, what may have been meant."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and indices from the top."""
NOTHING: Any = object()

_SECRET = re.compile(r"(pass(word|wd|phrase)?|secret|token|api_?key|authorization|dsn)$", re.I)
_NO_SECRET = re.compile(r"^(0|user(name)?)$|_(env|file|credential)$")
_MOST_LISTED = 30


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        path: where, below what was read.
        text: what, as the rest of a sentence that begins with ``met``.
        met: the value; none for a sentence that is complete without.
        is_shape: the value is of another type than any that can be.
    """

    path: KeyPath
    text: str
    met: Any = NOTHING
    is_shape: bool = False

    def told(self) -> str:
        """Return the sentence; a secret is not repeated in it."""
        if self.met is NOTHING:
            return self.text
        return f"{'***' if is_secret(self.path) else shown(self.met)} {self.text}"


def shown(value: Any) -> str:
    """Return a value for a message, as YAML has it."""
    return "null" if value is None else f"{value!r:.80}"


def is_secret(path: KeyPath) -> bool:
    """Return whether the value at a path is nobody's business; whose, or where, a secret is may be told."""
    if "urls" in path:  # addresses of services: the key is in them
        return True
    if not path or _NO_SECRET.search(last := str(path[-1])):
        return False
    return "credentials" in path or bool(_SECRET.search(last))


def path_of(key: str) -> KeyPath:
    """Return the parts of a key as `ConfigurationError` has it: ``procedures.camera.steps.0``."""
    parts = key.replace("[", ".").replace("]", "").split(".") if key else []
    return tuple(int(part) if part.isdigit() else part for part in parts)


def meant(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``; did you mean …?`` for a word that is near a known one, else nothing."""
    by_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word).lower(), by_case, n=1, cutoff=cutoff)
    return f"; did you mean {by_case[near[0]]}?" if near else ""


def possible(word: object, known: Iterable[str]) -> str:
    """Return ``; possible are …``, and what may have been meant."""
    names = [name for name in known if not name.startswith("_")]
    unseen = "" if str(word).isprintable() and str(word).isascii() else f": it has {word!r}"
    listed = ", ".join(sorted(names)) if len(names) <= _MOST_LISTED else ""
    return unseen + (f"; possible are {listed}" if listed else "") + meant(word, names)
