"""Rules ``v4``: as before, and by the code of a server's answer, where the text is the pair of that and words.

So ``smtplib`` tells a reply (RFC 5321, 4.2), and so do drivers whose exceptions (PEP 249) have the database's code as
their first argument, by themselves or inside SQLAlchemy's text. The masks leave nothing of such a pair.
"""

import re
from collections.abc import Iterator

from visigate_logging.detail.grouping import v3
from visigate_logging.detail.grouping.keys import Parts, key_of

_DRIVER = r"(?:\w+\.)*(?:Operational|Programming|Integrity|Internal|Interface|Data|Database|NotSupported)Error"
_IS_DRIVERS = re.compile(_DRIVER)
"""A class with a name of PEP 249; of another one a pair that begins its text may be anything."""
_PAIR = re.compile(
    rf"\((?P<reply>[2-5]\d\d), b['\"]|\({_DRIVER}\) \((?P<inner>\d{{4,5}}), ['\"]|^\((?P<driver>\d{{4,5}}), ['\"]"
)


def key(parts: Parts, text: str) -> str:
    """Return the key of an error.

    Args:
        parts: what is known of it.
        text: the exception's message, or what was logged.
    """
    former = v3.key(parts, text)
    codes = [] if "named" in parts else sorted(set(_codes(parts, text)))
    return key_of("v4", v3=former, codes=codes) if codes else former


def _codes(parts: Parts, text: str) -> Iterator[str]:
    if "members" in parts:
        for member in parts["members"]:
            yield from _codes(member, member.get("text", ""))
        return
    is_drivers = _IS_DRIVERS.fullmatch(str(parts.get("type"))) is not None
    for match in _PAIR.finditer(text[: v3.MAX_TEXT]):
        if match.lastgroup != "driver" or is_drivers:
            yield match[match.lastgroup or 0]
