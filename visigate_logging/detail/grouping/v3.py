"""Rules ``v3``: as before, by masks that know more and eat less, and by the code at the root of a library's error."""

import functools
import re
from collections.abc import Callable

from visigate_logging.detail.codes import CODE_IN_TEXT
from visigate_logging.detail.grouping import v2
from visigate_logging.detail.grouping.keys import Parts, key_of
from visigate_logging.detail.grouping.v1 import keeps_names

MAX_TEXT = 1000
"""Characters of a message that count."""

MAX_ROUNDS = 8
"""Times that a text is masked, until nothing changes any more."""

_EDGE = r"\s()\[\]{}<>,;:=|\"'„“”«»"
_MONTH = (
    r"(?:Jan(?:uary|uar)?|Feb(?:ruary|ruar)?|Mar(?:ch)?|Mär(?:z)?|Apr(?:il)?|May|Mai|June?|Juni|July?|Juli|Aug(?:ust)?"
    r"|Sept?(?:ember)?|O[ck]t(?:ober)?|Nov(?:ember)?|De[cz](?:ember)?)"
)
_DAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So)[a-z]{0,9}\.?,?\s)?"
_CLOCK = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?(?:AM|PM|Uhr)\b)?"
    r"(?:Z\b|\s?[+\-]\d{2}:?\d{2}\b|\s(?:UTC|GMT|CES?T)\b)?"
)
_DATE = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\s?\d{{1,2}}[./]\s?(?:\d{{4}}|\d{{2}})(?!\d)|\d{{4}}/\d{{1,2}}/\d{{1,2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?[\s\-/]{_MONTH}\.?(?:[\s\-/]\d{{4}})?|{_MONTH}\.?\s{{1,2}}\d{{1,2}}(?!\d)(?:,?\s\d{{4}}\b)?"
)
_UNIT = (
    r"(?:[kMGT]?i?B(?:/s)?|[kMG]?bit/s|bytes?|[mµun]?s|ms|secs?|seconds?|mins?|minutes?|hours?|hrs?|h|days?|d|weeks?|%|°[CF]?"
    r"|[mk]?[VAW]|[kMG]?Hz|fps|px|[mck]?m(?:/[sh])?|dBm?|rpm|lux|lx|k?g|hPa|bar|Sekunden?|Minuten?|Stunden?|Tagen?)(?![\w/])"
)
_NUMBER = r"[+\-]?\d+(?:[.,'\u2019\u202f\u00a0]\d+|\s\d{3}(?![\d\w]))*(?:[eE][+\-]?\d+)?"
_UPPER = "A-ZÀ-ÖØ-ÞŁŚŹŻĆČŠŽĐΑ-ΩА-Я"
# Words that stand before a number and are no part of a number plate.
_WORD = (
    r"(?!(?:CAM|PIN|PID|GPIO|TCP|UDP|USB|LED|RAM|CPU|GPU|ID|UID|NR|NO|ROW|COL|LINE|LANE|GATE|PORT|BUS|CH|DB|API|HTTP|RTSP"
    r"|EXIT|IN|OUT)\b)"
)
_PLATE = (
    rf"\b{_WORD}(?:[{_UPPER}]{{1,3}}[ \-][{_UPPER}]{{1,2}}[ \-]?\d{{1,4}}[EH]?"
    r"|[A-Z]{2}\d{2} [A-Z]{3}|\d{4} [A-Z]{3}"
    rf"|[A-Z]{{1,3}}[ \-]\d{{1,5}}[ \-][A-Z]{{1,3}}|\d{{1,3}}[ \-][A-Z]{{1,3}}[ \-]\d{{1,4}}"
    rf"|[A-Z]{{2,3}}[ \-]?\d{{3,6}}[ ]?[A-Z]{{0,2}}|[A-Z][ \-]\d{{4,6}}[ ]?[A-Z]{{0,2}}"
    rf"|[A-Z]{{2,3}} \d[A-Z\d]{{3,5}})(?![\w\-])"
)
_NAMED = (
    r"(?:No module named|has no attribute|cannot import name|[Mm]issing (?:required )?(?:key|field|option|setting"
    r"|parameter|argument|column|environment variable)|[Ss]etting"
    r"|(?:[Uu]nknown|[Uu]nrecognized|[Ii]nvalid|[Uu]nexpected|[Nn]o such) (?:option|key|setting|parameter|field"
    r"|argument|keyword argument|command|attribute|method|function|module))s?:?\s['\"`„“«]?"
    r"(?:--?)?[A-Za-z_][\w.\-]*['\"`“”»]?"
)
_QUOTED = (
    r"(?<![\w#>])[bBrRuU]{0,2}(?:'(?:[^'\n]|'(?=\w)){0,300}'|\"[^\"\n]{0,300}\"|`[^`\n]{0,300}`"
    r"|„[^“”\n]{0,300}[“”]|“[^”\n]{0,300}”|«[^»\n]{0,300}»"
    r"|[\u2018\u2019](?:[^\u2019\n]|\u2019(?=\w)){0,300}\u2019)(?!\w)"
)
_HOST = (
    r"\b(?:[A-Za-z0-9][\w\-]{0,62}\.){1,6}(?:local|lan|home|internal|localdomain|box|example|test|invalid|com|org|net|edu|gov"
    r"|info|de|at|ch|fr|nl|be|pl|cz|sk|hu|dk|se|no|fi|eu|uk|us|io)(?::\d{1,5})?(?![\w\-]|\.\w)"
)
# An address stands where a host's name may stand as well; so does a name of three parts with a digit in it.
_ADDRESS = (
    r"(?<![\w.\-])(?:(?:\d{1,3}\.){3}\d{1,3}|(?=[\w.\-]{0,100}\d)(?:[A-Za-z0-9][\w\-]{0,62}\.){2,8}[a-z]{2,8})"
    r"(?::\d{1,5})?(?![\w\-]|\.\w)"
)
_FILES = (
    r"jpe?g|png|gif|bmp|mp4|avi|mkv|h264|json|ya?ml|toml|ini|cfg|conf|csv|txt|log|db|sqlite3?|bak|tmp|gz|zip|pem|crt|xml"
    r"|onnx|pt"
)
_HEX = (
    r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b|\b(?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}\b"
    r"|\b[0-9A-Fa-f]{2}(?:[ :][0-9A-Fa-f]{2}){3,}\b|(?:\\x[0-9A-Fa-f]{2})+|\b0x[0-9A-Fa-f]+"
    r"|\b[0-9a-f]{16,}\b|\b[0-9A-F]{16,}\b"
    r"|(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?:/\d{1,3})?(?![\w:])"
)
# What has none of this has nothing that varies: most texts, once they are masked.
_MAY_VARY = re.compile(
    r"[\d'\"`„“«\u2018\u2019/\\@]|\w\.\w|:[0-9A-Fa-f]{0,4}:|[0-9A-Fa-f]-[0-9A-Fa-f]|\b[a-fA-F]{16}"
    r"|\b[a-fA-F]{2}(?: [a-fA-F]{2}){3}"
)
# What stays, whatever stands around it; a mask leaves what it has made itself, too.
_KEPT = re.compile(rf"(?i:{CODE_IN_TEXT})|\b{_NAMED}|<(?:url|email|quoted|path|host)>")
_VARIABLE = re.compile(
    rf"(?P<url>\b[a-zA-Z][a-zA-Z0-9+.\-]{{1,20}}://[^\s'\"<>]+)"
    r"|(?P<email>\b[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+)"
    r"|(?P<field>['\"][\w.\- ]{1,60}['\"]\s?:)(?:\s?(?:[Tt]rue|[Ff]alse|[Nn]one|[Nn]ull)\b)?"
    rf"|(?P<quoted>{_QUOTED})"
    rf"|(?P<path>(?<![\w/])(?:~|\.{{1,2}})?/[^\s()\[\]{{}}<>|\"']*[^{_EDGE}.]|\b[A-Za-z]:\\[^{_EDGE}]+|\\\\[\w.\-]+\\[^{_EDGE}]+"
    rf"|\b[\w.\-]+(?:/[\w.\-]+)+\.\w{{1,5}}\b|\b[\w\-]+\.(?:{_FILES})\b)"
    rf"|(?P<address>{_ADDRESS})"
    rf"|(?P<time>\b{_DAY}(?:{_DATE})(?:[T ,]\s?{_CLOCK})?(?:\s\d{{4}}\b)?|(?<![\w.:]){_CLOCK}(?![\w:]))"
    rf"|(?P<hex>{_HEX})"
    rf"|(?P<host>{_HOST})"
    rf"|(?P<plate>{_PLATE})"
    rf"|(?P<number>(?<![\w.\-])(?:{_NUMBER}\s?{_UNIT}(?:\s?\d+\s?{_UNIT})*|{_NUMBER}(?![\w\-.]*\w)))"
    r"|(?P<counted>(?<![\w.])[^\W\d]{2,}[\-_]?(?=\d+(?![\w\-.]*\w)))\d+"
    rf"|(?P<token>(?<![^{_EDGE}])[^{_EDGE}\d]*\d[^{_EDGE}]*)"
)
_KEY = re.compile(r"v\d{1,3}:[0-9a-f]{16}")
"""A name of a group that is the key of one: the error belongs to that."""
_NUMBERS = re.compile(r"#(?:[ ]?[,;:/|\u00d7x\-]{0,2}[ ]?#)+")
_CONTAINER = re.compile(r"\d+ (?:validation )?errors?\b.*|.{0,200}:")
_NAME = re.compile(r"['\"`][\w.]+(?:\(\))?['\"`]")


def key(parts: Parts, text: str) -> str:
    """Return the key of an error.

    Args:
        parts: what is known of it.
        text: the exception's message, or what was logged.
    """
    if _KEY.fullmatch(str(parts.get("named"))):
        return str(parts["named"])
    if "members" in parts:
        return key_of("v3", members=sorted({key(m, m.get("text", "")) for m in parts["members"]}))
    if "type" in parts:
        message = "" if parts["type"] == "RecursionError" else mask(text, keep_names=keeps_names(parts))
        names = ("type", "code", "culprit", "causes")
        return key_of("v3", **{n: parts[n] for n in names}, root=parts.get("root", ""), message=message)
    if "named" in parts or "template" in parts or "event" in parts:
        return v2.key(parts, text)
    return key_of("v3", logger=parts["logger"], culprit=parts["culprit"], message=mask(text))


@functools.lru_cache(maxsize=256)  # the parts of an error have it, and then its key
def mask(message: str, *, keep_names: bool = False) -> str:
    """Return what a message says, with what varies from case to case masked.

    That is its first line; all of them, where the first only names what the others are about.

    Args:
        message: any text.
        keep_names: leave quoted names, which say what is missing or of a wrong type.
    """
    text = message[: 4 * MAX_TEXT].lstrip()
    first, _, others = text.partition("\n")
    if others and _CONTAINER.fullmatch(first.rstrip()):
        text = " | ".join(line.strip() for line in text[:MAX_TEXT].splitlines() if line.strip())
    else:
        text = first[:MAX_TEXT]
    shown = _mask_name if keep_names else _mask
    for _ in range(MAX_ROUNDS):  # what stands beside a mask may be something else now
        before, text = text, _NUMBERS.sub("#", _round(text, shown))[:MAX_TEXT].strip()
        if text == before:
            break
    return text


def _round(text: str, shown: Callable[[re.Match[str]], str]) -> str:
    if not _MAY_VARY.search(text):
        return text
    parts, at = [], 0
    for kept in _KEPT.finditer(text):
        parts += [_VARIABLE.sub(shown, text[at : kept.start()]), kept[0]]
        at = kept.end()
    return "".join([*parts, _VARIABLE.sub(shown, text[at:])])


def _mask(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "field":
        return match["field"] if match.end() == match.end("field") else f"{match['field']} #"
    if kind == "counted":
        return f"{match['counted']}#"
    kind = "host" if kind == "address" else kind
    return f"<{kind}>" if kind in ("url", "email", "quoted", "path", "host") else "#"


def _mask_name(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "quoted" and _NAME.fullmatch(match[0]) else _mask(match)
