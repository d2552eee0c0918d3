"""Text from records for the eyes of people."""

import re

__all__ = ["plain"]

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, *, one_line: bool = False) -> str:
    """Text without what steers a terminal or misleads a reader: control characters, changes of direction."""
    text = " ".join(text.split()) if one_line else text
    return CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", text)
