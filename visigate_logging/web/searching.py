"""Read the search line: words, and ``type:``, ``is:`` and the like among them."""

import re
from collections.abc import Mapping, Sequence

from visigate_logging.present.times import EXAMPLES, moment
from visigate_logging.store.facets import GROUP, spelt

IS = ("new", "open", "resolved", "muted", "all")
"""What ``is:`` can be asked with."""
_TERM = re.compile(r'(?:(?P<name>\w+):)?(?:"(?P<quoted>[^"]*)"|(?P<word>\S+))')


def asked_for(line: str, choices: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[str]]:
    """Return what a search line asks for as arguments of an address, and what of it cannot be, in sentences.

    Args:
        line: such as ``type:TimeoutError is:new since:yesterday no answer``. What stands before a colon and is no
            name of a filter is part of the text, as in ``rtsp://…``.
        choices: the values that there are, by facet.
    """
    asked: dict[str, str] = {}
    words: list[str] = []
    problems: list[str] = []
    for term in _TERM.finditer(line):
        name, value = (term["name"] or "").lower(), term["quoted"] if term["word"] is None else term["word"]
        if name == "is":
            _ask_is(value.lower(), asked, problems)
        elif name in ("since", "until"):
            _ask_time(name, value, asked, problems)
        elif name == GROUP:
            asked[name] = value
        elif name in choices:
            asked[name] = spelt(value, choices[name]) or value
        else:
            words.append(term[0].replace('"', ""))
    if words:
        asked["text"] = " ".join(words)
    return asked, problems


def _ask_is(value: str, asked: dict[str, str], problems: list[str]) -> None:
    if value == "new":
        asked["new"] = "1"
    elif value in IS:
        asked["state"] = value
    else:
        problems.append(f"is:{value} is none of {', '.join(IS)}")


def _ask_time(name: str, value: str, asked: dict[str, str], problems: list[str]) -> None:
    try:
        asked[name] = moment(value).strftime("%Y-%m-%dT%H:%M")
    except (ValueError, OverflowError):
        problems.append(f"{name}:{value} is no time; give {EXAMPLES}")
