"""Rules ``v1``: an exception by type, code, culprit and masked message; a text by logger, place and masked text."""

import re

from visigate_logging.detail.grouping.keys import KEEPS_NAMES, Parts, key_of

MAX_MESSAGE = 500
"""Characters of a message's first line that count."""

_EDGE = r"\s()\[\]{}<>,;:=|\"'"
_VARIABLE = re.compile(
    r"(?P<errno>\[(?:Errno|WinError) -?\d+\])"
    r"|(?P<url>\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s'\"<>]+)"
    r"|(?P<email>\b[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+)"
    r"|(?P<quoted>(?<!\w)(?:'[^'\n]{0,300}'|\"[^\"\n]{0,300}\"|`[^`\n]{0,300}`)(?!\w))"
    r"|(?P<address>\b0x[0-9a-fA-F]+)"
    rf"|(?P<path>(?<![\w/])(?:~|\.{{1,2}})?/[^{_EDGE}]+|\b[A-Za-z]:\\[^{_EDGE}]+|\b[\w.\-]+(?:/[\w.\-]+)+\.\w{{1,5}}\b)"
    # Number plates whose parts stand apart; in one piece they are tokens with a digit.
    r"|(?P<plate>\b(?:[A-ZÄÖÜ]{1,3}[ \-][A-Z]{1,3}[ \-]?\d{1,4}[A-Z]?|[A-Z]{2}\d{2} [A-Z]{3}|\d{4} [A-Z]{3}"
    r"|[A-Z]{1,3} \d{1,5} [A-Z]{1,3}|\d{1,3} [A-Z]{1,3} \d{1,4}|[A-Z]{1,3} (?=[A-Z]{0,2}\d)[A-Z\d]{2,7})\b)"
    rf"|(?P<token>(?<![^{_EDGE}])[^{_EDGE}\d]*\d[^{_EDGE}]*)"
)
_NAME = re.compile(r"['\"`][\w.]+(?:\(\))?['\"`]")


def key(parts: Parts, text: str) -> str:
    """Return the key of an error.

    Args:
        parts: what is known of it.
        text: the exception's message, or what was logged before its arguments were filled in.
    """
    if "named" in parts:
        return key_of("v1", named=parts["named"])
    if "members" in parts:
        return key_of("v1", members=sorted({key(m, m.get("text", "")) for m in parts["members"]}))
    if "type" in parts:
        message = "" if parts["type"] == "RecursionError" else mask(text, keep_names=keeps_names(parts))
        names = ("type", "code", "culprit")
        return key_of("v1", **{n: parts[n] for n in names}, message=message, causes=parts["causes"])
    return key_of("v1", logger=parts["logger"], culprit=parts["culprit"], message=mask(text))


def keeps_names(parts: Parts) -> bool:
    """Return whether the names in an exception's message say what is wrong."""
    return "keeps_names" in parts or parts["type"] in KEEPS_NAMES


def mask(message: str, *, keep_names: bool = False) -> str:
    """Return the first line of a message with what varies from case to case masked.

    Args:
        message: any text.
        keep_names: leave quoted names, which say what is missing or of a wrong type.
    """
    line = message.lstrip().partition("\n")[0][:MAX_MESSAGE]
    return _VARIABLE.sub(_mask_name if keep_names else _mask, line).strip()


def _mask(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "errno":
        return match[0]
    return "#" if kind in ("plate", "token") else f"<{kind}>"


def _mask_name(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "quoted" and _NAME.fullmatch(match[0]) else _mask(match)
