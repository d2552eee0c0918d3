"""Text from records for the eyes of people."""

import re

# Control characters but for tab and newline, what changes the direction of writing, and other ends of a line.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufff9-\ufffb]"
)


def plain(text: str, *, one_line: bool = False) -> str:
    r"""Text in which what steers a terminal or misleads a reader is shown, as in ``\u001b``."""
    text = " ".join(text.split()) if one_line else text
    return text if text.isprintable() else _CONTROL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
