"""Secrets that have a checksum: numbers of bank accounts and of payment cards."""

import re

# The look behind and ahead keep out parts of longer numbers and words.
_IBAN = r"(?<![A-Za-z0-9])(?P<iban>[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
_CARD = (
    r"(?<![\w.\-])(?P<card>(?:3[47]\d{2}[ \-]?\d{6}[ \-]?\d{5}"
    r"|(?:4\d|5[1-5]|2[2-7]|6\d)\d{2}(?:[ \-]?\d{4}){3}))(?![\w\-]|\.\d)"
)
_NUMBER = re.compile(f"{_IBAN}|{_CARD}")
_TEN_DIGITS = re.compile(r"\d[ \-\dA-Z]{11}")


def mask_numbers(text: str, shown: str) -> str:
    """Return a text without the numbers whose checksum is right.

    Args:
        text: any.
        shown: what stands for a number.
    """
    if not _TEN_DIGITS.search(text):
        return text
    return _NUMBER.sub(lambda match: shown if _is_right(match) else match[0], text)


def _is_right(match: re.Match[str]) -> bool:
    bare = re.sub(r"[ \-]", "", match[0])
    if match["iban"]:  # ISO 7064, mod 97-10
        return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(bare)))  # Luhn, ISO/IEC 7812-1
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
