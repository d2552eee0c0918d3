"""Rules ``v2``: a text by what its call site says for itself, and by the codes in it; all else as in ``v1``."""

from visigate_logging.detail.grouping import v1
from visigate_logging.detail.grouping.keys import Parts, key_of


def key(parts: Parts, text: str) -> str:
    """Return the key of an error.

    Args:
        parts: what is known of it.
        text: the exception's message, or what was logged.
    """
    for told in ("template", "event"):
        if told in parts:
            names = ("logger", "culprit", told, "codes")
            return key_of("v2", **{n: parts[n] for n in names})
    return v1.key(parts, text)
