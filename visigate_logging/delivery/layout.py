"""How a mail looks: plain text, and HTML for a phone at night, in light and dark."""

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from visigate_logging.delivery.digest import Section
from visigate_logging.present.facts import Fact, Place

if TYPE_CHECKING:
    from visigate_logging.host import Sheet

IN_FULL = 10
"""How many groups are shown with all that is known of them, and have the mail in their thread."""
_COLOURS = {"CRITICAL": "#b91c1c", "ERROR": "#c2410c", "WARNING": "#a16207"}
_PLAIN = {"ERROR"}
"""Severities that go without saying."""
# In the element itself what every program shows; in the style sheet what those add that know of dark.
_BODY = (
    "margin:0 auto;padding:16px;max-width:640px;overflow-wrap:anywhere;"
    "font:16px/1.45 -apple-system,'Segoe UI',Roboto,sans-serif"
)
_PRE = (
    "font:13px/1.4 ui-monospace,Consolas,monospace;padding:10px;margin:4px 0 12px;border-radius:6px;"
    "white-space:pre-wrap;overflow-wrap:anywhere"
)
_SHEET = """:root{color-scheme:light dark}body{background:#fff;color:#1a1a1a}pre,.do{background:#f1f1f4}
.dim{color:#57606a}a{color:#0b57d0}@media(prefers-color-scheme:dark){body{background:#121314!important;
color:#e8e8ea!important}pre,.do{background:#26282c!important}.dim{color:#a8adb5!important}a{color:#8ab4f8!important}
h2 b{filter:brightness(1.7)}}"""


def as_text(sections: Sequence[Section], notice: str, end: str) -> str:
    """Return the mail as plain text."""
    parts = [notice] if notice else []
    parts += [_text_of(s) for s in sections[:IN_FULL]]
    if rest := sections[IN_FULL:]:
        lines = [f"And {len(rest)} more:", *(f"- {_word(s)}{s.title}: {s.summary}" for s in rest)]
        parts.append("\n".join(lines))
    return f"\n\n{'-' * 40}\n\n".join([*parts, end]) + "\n"


def as_html(sections: Sequence[Section], notice: str, end: str) -> str:
    """Return the mail as a page."""
    body = f"<p><b>{html.escape(notice)}</b></p>" if notice else ""
    body += "<hr>".join(_html_of(s) for s in sections[:IN_FULL])
    if rest := sections[IN_FULL:]:
        lines = "".join(f"<li><b>{html.escape(_word(s) + s.title)}</b>: {html.escape(s.summary)}</li>" for s in rest)
        body += f"<hr><p>And {len(rest)} more:</p><ul>{lines}</ul>"
    return _page(f'{body}<hr><p class="dim" style="font-size:12px">{html.escape(end)}</p>')


def text_page(text: str) -> str:
    """Return a text as a page, with its lines kept."""
    return _page(f'<pre style="{_PRE}">{html.escape(text)}</pre>')


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{_SHEET}</style></head>'
        f'<body style="{_BODY}">{body}</body></html>'
    )


def footer(sheet: "Sheet") -> str:
    """Return what became of all errors, in one line."""
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in sheet["dropped"].items()) or "0"
    return (
        f"Errors accepted for mail on this host: {sheet['accepted']:,} = told {sheet['delivered']:,} + folded into "
        f"counts {sheet['folded']:,} + dropped {dropped} + pending {sheet['pending']:,}"
    )


def _word(shown: Section) -> str:
    return "" if shown.severity in _PLAIN else f"{shown.severity} "


def _text_of(shown: Section) -> str:
    lines = [f"{_word(shown)}{shown.title}", shown.summary, *filter(None, [shown.message]), ""]
    return "\n".join([*lines, *shown.lines()]).rstrip()


def _html_of(shown: Section) -> str:
    colour = _COLOURS.get(shown.severity, "#374151")
    word = f'<b style="color:{colour}">{html.escape(shown.severity)}</b> ' if _word(shown) else ""
    heading = 'style="font-size:19px;line-height:1.3;margin:0 0 6px"'
    message = f"<p>{html.escape(shown.message)}</p>" if shown.message else ""
    first, then, rest = ([f for f in shown.facts if f.place is p] for p in (Place.FIRST, Place.THEN, Place.REST))
    return (
        f"<h2 {heading}>{word}{html.escape(shown.title)}</h2>"
        f'<p style="margin:0 0 10px"><b>{html.escape(shown.summary)}</b></p>{message}'
        f"{_facts(first)}<hr>{_facts(then)}{_folded(rest)}"
    )


def _facts(facts: Sequence[Fact]) -> str:
    return "".join(_block(fact) if fact.is_block else _row(fact) for fact in facts)


def _row(fact: Fact) -> str:
    value = html.escape(fact.value)
    if re.fullmatch(r"https?://\S+", fact.value):
        return f'<div style="margin:3px 0"><a href="{value}">Open the page of this error</a></div>'
    if fact.label == "Command":
        value = f"<code>{value}</code>"
    elif fact.label == "To do":
        value = re.sub("`([^`]+)`", r"<code>\1</code>", value)
        return f'<p class="do" style="padding:10px;margin:8px 0;border-radius:6px"><b>{fact.label}</b>: {value}</p>'
    return f'<div style="margin:3px 0"><span class="dim">{html.escape(fact.label)}</span> {value}</div>'


def _block(fact: Fact) -> str:
    label = f'<div class="dim" style="margin-top:10px">{html.escape(fact.label)}</div>'
    return f'{label}<pre style="{_PRE}">{html.escape(fact.value)}</pre>'


def _folded(facts: Sequence[Fact]) -> str:
    """Folded where the program knows how; shown at the end where it does not."""
    return "".join(
        f"<details><summary>{html.escape(fact.label)}</summary>"
        f'<pre style="{_PRE}">{html.escape(fact.value)}</pre></details>'
        for fact in facts
    )
