"""What a mail looks like: headers, plain text, and HTML that reads well on a phone."""

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visigate_logging.delivery.digest import Digest, Section, section, title
from visigate_logging.delivery.throttle import Group, level_number

if TYPE_CHECKING:
    from email.message import EmailMessage

    from visigate_logging.host import Sheet

__all__ = ["Envelope", "compose", "message_id", "shortened", "subject_of", "trial_message"]

_IN_FULL = 10
"""How many groups are shown with all that is known of them, and have the mail in their thread."""
_LONGEST_SUBJECT = 150
_SHORT = 2000
"""Characters of the short form of a mail."""
_CRITICAL = 50
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STYLE = "font:15px/1.45 -apple-system,'Segoe UI',Roboto,sans-serif;color:#1a1a1a;max-width:640px;margin:0 auto"
_PRE = "font:12px/1.4 ui-monospace,Consolas,monospace;background:#f4f4f5;padding:10px;white-space:pre-wrap"
_COLOURS = {"CRITICAL": "#b91c1c", "ERROR": "#c2410c", "WARNING": "#a16207"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same for all mails of a handler.

    Args:
        sender: who they come from.
        recipients: whom they go to.
        subject: what their subject begins with.
        url: address of the web pages.
        notice: what stands above all else.
    """

    sender: str
    recipients: tuple[str, ...]
    subject: str
    url: str | None = None
    notice: str = ""


def compose(digest: Digest, letter_id: str, envelope: Envelope) -> bytes:
    """The mail of a digest, as it is sent.

    Args:
        digest: what it tells.
        letter_id: makes its Message-ID, so that a mail that is sent twice can be known as one.
        envelope: what is the same for all mails.
    """
    sections = [section(item, envelope.url) for item in digest.items]
    notice = " ".join(filter(None, (envelope.notice, _held_back(digest.held_back))))
    footer = _footer(digest.sheet)
    message = _message(letter_id, envelope, subject_of(digest, envelope.subject))
    _put_into_threads(message, [item.group for item in digest.items[:_IN_FULL]])
    if any(level_number(item.group.severity) >= _CRITICAL for item in digest.items if item.group.untold):
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    message.set_content(_clean(_as_text(sections, notice, footer)))
    message.add_alternative(_clean(_as_html(sections, notice, footer)), subtype="html")
    return bytes(message)


def subject_of(digest: Digest, begin: str) -> str:
    """One line: the worst group, its count, and how many more groups there are."""
    worst = digest.items[0]
    line = f"{begin}: {title(worst.detail)}"
    if worst.group.untold > 1:
        line += f" ({worst.group.untold:,} times)"
    elif worst.at_rest and not worst.group.untold:
        line += " (quiet)"
    if len(line) > _LONGEST_SUBJECT:
        line = f"{line[: _LONGEST_SUBJECT - 1]}…"
    return line + (f" and {len(digest.items) - 1} more" if len(digest.items) > 1 else "")


def message_id(letter_id: str) -> str:
    """The Message-ID of a letter."""
    return f"<{letter_id}@{_domain()}>"


def _put_into_threads(message: "EmailMessage", groups: Sequence[Group]) -> None:
    """Refer to what was told of the groups before, the worst first: they come in the order of their importance.

    In-Reply-To has all parents (RFC 5322, 3.6.4). How References has several is left open there; programs take the
    last for the parent, and join the threads of all: a mail about several groups belongs to the thread of each.
    """
    if parents := dict.fromkeys(group.thread for group in groups if group.thread):
        message["In-Reply-To"] = " ".join(parents)
    ids = [name for group in reversed(groups) for name in (_group_id(group.fingerprint), group.thread) if name]
    message["References"] = " ".join(dict.fromkeys(ids))


def _group_id(fingerprint: str) -> str:
    """What all mails of a group refer to, also those of later incidents: it puts them into one thread."""
    return f"<group-{hashlib.sha256(fingerprint.encode('utf-8', 'replace')).hexdigest()[:16]}@{_domain()}>"


def _domain() -> str:
    import socket

    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname())}.visigate"


def trial_message(envelope: Envelope) -> bytes:
    """A mail that only shows that mails arrive."""
    import socket
    import uuid

    message = _message(uuid.uuid4().hex, envelope, f"{envelope.subject}: test from {socket.gethostname()}")
    message.set_content("This is a test of visigate-errors. Mails about errors will arrive like this one.\n")
    return bytes(message)


def shortened(content: bytes) -> bytes | None:
    """Return a mail with the beginning of its text alone, for a server that it was too large for.

    Args:
        content: as it was composed.

    Returns:
        None when there is nothing to leave out.
    """
    import email
    from email.policy import SMTP

    message = email.message_from_bytes(content, policy=SMTP)
    part = message.get_body(("plain",))
    text = part.get_content() if part else ""
    if len(content) <= 2 * _SHORT:
        return None
    message.clear_content()
    rest = "\n\n… The rest is left out: the mail server took no mail of this size.\n"
    message.set_content(text[:_SHORT].rstrip() + rest)
    return bytes(message)


def _message(letter_id: str, envelope: Envelope, subject: str) -> "EmailMessage":
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import formatdate

    message = EmailMessage(policy=SMTP)
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.recipients)
    message["Subject"] = " ".join(_clean(subject).split())  # no newline gets into a header
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = message_id(letter_id)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's vacation notice answers
    return message


def _as_text(sections: Sequence[Section], notice: str, footer: str) -> str:
    parts = [notice] if notice else []
    parts += [_text_of(s) for s in sections[:_IN_FULL]]
    if rest := sections[_IN_FULL:]:
        parts.append(
            "\n".join([f"And {len(rest)} more:", *(f"- [{s.severity}] {s.title}: {s.summary}" for s in rest)])
        )
    return f"\n\n{'-' * 40}\n\n".join([*parts, footer]) + "\n"


def _text_of(shown: Section) -> str:
    lines = [f"[{shown.severity}] {shown.title}", shown.message, "", shown.summary, ""]
    lines += [f"{label}: {value}" for label, value in shown.facts]
    for label, text in shown.blocks:
        lines += ["", f"{label}:", text]
    return "\n".join(lines)


def _as_html(sections: Sequence[Section], notice: str, footer: str) -> str:
    body = f"<p><b>{html.escape(notice)}</b></p>" if notice else ""
    body += "<hr>".join(_html_of(s) for s in sections[:_IN_FULL])
    if rest := sections[_IN_FULL:]:
        lines = "".join(f"<li><b>{html.escape(s.title)}</b> {html.escape(s.summary)}</li>" for s in rest)
        body += f"<hr><p>And {len(rest)} more:</p><ul>{lines}</ul>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"></head>'
        f'<body style="{_STYLE}">{body}<hr><p style="color:#555;font-size:12px">{html.escape(footer)}</p>'
        "</body></html>"
    )


def _html_of(shown: Section) -> str:
    colour = _COLOURS.get(shown.severity, "#374151")
    facts = "".join(f"<div><b>{html.escape(label)}</b>: {_html_value(value)}</div>" for label, value in shown.facts)
    blocks = "".join(
        f'<p style="margin-bottom:4px"><b>{html.escape(label)}</b></p><pre style="{_PRE}">{html.escape(text)}</pre>'
        for label, text in shown.blocks
    )
    return (
        f'<h2 style="font-size:18px;margin-bottom:4px"><span style="color:{colour}">'
        f"{html.escape(shown.severity)}</span> {html.escape(shown.title)}</h2><p>{html.escape(shown.message)}</p>"
        f'<p><b>{html.escape(shown.summary)}</b></p><div style="overflow-wrap:anywhere">{facts}</div>{blocks}'
    )


def _html_value(value: str) -> str:
    text = html.escape(value)
    return f'<a href="{text}">{text}</a>' if re.fullmatch(r"https?://\S+", value) else text


def _held_back(seconds: float) -> str:
    if not seconds:
        return ""
    return (
        f"This mail was held back for {seconds / 60:,.0f} min: the limit of mails an hour (max_per_hour) was reached."
    )


def _footer(sheet: "Sheet") -> str:
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in sheet["dropped"].items()) or "0"
    return (
        f"Errors accepted for mail on this host: {sheet['accepted']:,} = told {sheet['delivered']:,} + folded into "
        f"counts {sheet['folded']:,} + dropped {dropped} + pending {sheet['pending']:,}"
    )


def _clean(text: str) -> str:
    return _CONTROL.sub("�", text).encode("utf-8", "replace").decode()
