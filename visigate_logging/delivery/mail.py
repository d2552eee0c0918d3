"""A mail as it is sent: its headers and its parts."""

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visigate_logging.delivery.digest import Digest, section, title
from visigate_logging.delivery.layout import IN_FULL, as_html, as_text, footer, text_page
from visigate_logging.delivery.throttle import Incident, level_number
from visigate_logging.present.advice import Advice
from visigate_logging.present.facts import site
from visigate_logging.present.words import spoken

if TYPE_CHECKING:
    from email.message import EmailMessage

_LONGEST_SUBJECT = 120
_LONGEST_SITE = 30
_SHORT = 1000
"""Characters of the short form of a mail."""
_COUNTS = re.compile(r"- |New: |It |Quiet since ")
_CRITICAL = 50
_TIMES, _DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """What is the same for all mails of a handler.

    Args:
        sender: who they come from.
        recipients: whom they go to.
        subject: what their subject begins with; may be empty.
        url: address of the web pages.
        advice: what to do, by the administrator's own table.
    """

    sender: str
    recipients: tuple[str, ...]
    subject: str
    url: str | None = None
    advice: tuple[Advice, ...] = ()


def compose(digest: Digest, message_id: str, template: MailTemplate) -> bytes:
    """Return the mail of a digest, as it is sent.

    Args:
        digest: what it tells.
        message_id: makes its Message-ID, so that a mail that is sent twice can be known as one.
        template: what is the same for all mails.
    """
    sections = [section(item, template.url, template.advice) for item in digest.items]
    notice = " ".join(filter(None, (digest.notice, held_back(digest.held_back))))
    end = footer(digest.sheet)
    message = new_message(message_id, template.sender, template.recipients, subject_of(digest, template.subject))
    _put_into_threads(message, [item.group for item in digest.items[:IN_FULL]])
    if any(level_number(item.group.severity) >= _CRITICAL for item in digest.items if item.group.untold):
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    message.set_content(cleaned(as_text(sections, notice, end)))
    message.add_alternative(cleaned(as_html(sections, notice, end)), subtype="html")
    return bytes(message)


def subject_of(digest: Digest, begin: str = "") -> str:
    """Return one line: which gate, the worst group, its count and its place, and how many more groups there are."""
    worst = digest.items[0]
    detail, group = worst.detail, worst.group
    where = f"[{_cut(site(detail), _LONGEST_SITE)}] " if site(detail) else ""
    word = f"{group.severity} " if level_number(group.severity) >= _CRITICAL else ""
    start = f"{begin} {where}{word}".lstrip()
    place = detail.culprit or detail.module
    end = _cut(f"{_number(group)} {_DASH} {place}" if place else _number(group), _LONGEST_SUBJECT // 2)
    end += f" and {len(digest.items) - 1} more" if len(digest.items) > 1 else ""
    return start + title(detail, max(_LONGEST_SUBJECT - len(start) - len(end), 20)) + end


def _number(group: Incident) -> str:
    if not group.untold:
        return " (quiet)"
    return f" ({group.untold:,}{_TIMES})" if group.untold > 1 else ""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def thread_id(message_id: str) -> str:
    """Return the Message-ID of a message; what all later ones of its incidents refer to."""
    return f"<{message_id}@{_domain()}>"


def _put_into_threads(message: "EmailMessage", groups: Sequence[Incident]) -> None:
    """Refer to what was told of the groups before, the worst first: they come in the order of their importance.

    In-Reply-To has all parents (RFC 5322, 3.6.4). How References has several is left open there; programs take the
    last for the parent, and join the threads of all: a mail about several groups belongs to the thread of each.
    """
    if parents := dict.fromkeys(group.thread for group in groups if group.thread):
        message["In-Reply-To"] = " ".join(parents)
    ids = [name for group in reversed(groups) for name in (_group_id(group.fingerprint), group.thread) if name]
    message["References"] = " ".join(dict.fromkeys(ids))


def _group_id(fingerprint: str) -> str:
    """Return what all mails of a group refer to, also those of later incidents: it puts them into one thread."""
    return f"<group-{hashlib.sha256(fingerprint.encode('utf-8', 'replace')).hexdigest()[:16]}@{_domain()}>"


def _domain() -> str:
    import socket

    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname())}.visigate"


def compose_text(title: str, text: str, message_id: str, template: MailTemplate) -> bytes:
    """Return a mail that tells something else than errors, as text.

    Args:
        title: for the subject, in which the host stands before it.
        text: whose lines are kept.
        message_id: makes its Message-ID.
        template: what is the same for all mails.
    """
    subject = f"{template.subject} {from_here(title)}".strip()
    message = new_message(message_id, template.sender, template.recipients, subject)
    message.set_content(cleaned(text))
    message.add_alternative(cleaned(text_page(text)), subtype="html")
    return bytes(message)


def trial_message(template: MailTemplate) -> bytes:
    """Return a mail that only shows that mails arrive."""
    import uuid

    text = "This is a test of visigate-errors. Mails about errors will arrive like this one.\n"
    return compose_text("a test of mails", text, uuid.uuid4().hex, template)


def from_here(title: str) -> str:
    """Return a title with the host before it."""
    import socket

    return f"[{socket.gethostname()}] {title}"


def shortened(content: bytes) -> bytes | None:
    """Return a mail with the beginning of its text and all counts, for a server that it was too large for.

    Args:
        content: as it was composed.

    Returns:
        None when there is nothing to leave out.
    """
    message = parsed(content)
    part = message.get_body(("plain",))
    text = part.get_content() if part else ""
    if len(content) <= 2 * _SHORT:
        return None
    message.clear_content()
    counts = "\n".join(line for line in text[_SHORT:].splitlines() if _COUNTS.match(line))
    rest = "\n\n… The rest is left out: the mail server took no mail of this size.\n"
    message.set_content(f"{text[:_SHORT].rstrip()}{rest}{counts}\n")
    return bytes(message)


def with_notice(content: bytes, notice: str) -> bytes:
    """Return a mail with a sentence on top that was not known when it was composed."""
    message = parsed(content)
    if part := message.get_body(("plain",)):
        part.set_content(f"{notice}\n\n{part.get_content()}")
    if part := message.get_body(("html",)):
        begin = re.compile(r"(<body[^>]*>)")
        page = begin.sub(lambda found: f"{found[1]}<p><b>{html.escape(notice)}</b></p>", part.get_content(), count=1)
        part.set_content(page, subtype="html")
    return bytes(message)


def parsed(content: bytes) -> "EmailMessage":
    """Return a message that was composed here, to be looked at or changed."""
    import email
    from email.policy import SMTP

    return email.message_from_bytes(content, policy=SMTP)


def new_message(message_id: str, sender: str, recipients: Sequence[str], subject: str) -> "EmailMessage":
    """Return a message with its headers, and nothing in it."""
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import formatdate

    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    _set_subject(message, " ".join(cleaned(subject).split()))  # no newline gets into a header
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = thread_id(message_id)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's vacation notice answers
    return message


def _set_subject(message: "EmailMessage", subject: str) -> None:
    if subject.isascii():
        message["Subject"] = subject
    else:  # EmailMessage's own folding adds spaces beside encoded words (https://github.com/python/cpython/issues/92081)
        from email.header import Header

        message.set_raw("Subject", Header(subject, "utf-8", header_name="Subject").encode())


def held_back(seconds: float, noun: str = "mail") -> str:
    """Return that a message had to wait for its limit, and how long; empty when it had not."""
    if not seconds:
        return ""
    return (
        f"This {noun} was held back for {spoken(seconds)}: the limit of {noun}s an hour (max_per_hour) was reached."
    )


def cleaned(text: str) -> str:
    """Return a text without control characters, bidirectional marks and surrogates."""
    return _CONTROL.sub("�", text).encode("utf-8", "replace").decode()
