"""A message for small screens: a text of SMS length, one for a push message, and the same as markdown."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from visigate_logging.delivery.digest import Digest, Item, Section, section, title
from visigate_logging.delivery.mail import cleaned, held_back, new_message, parsed, subject_of
from visigate_logging.delivery.throttle import level_number
from visigate_logging.present.advice import Advice
from visigate_logging.present.facts import site

LONGEST_SMS = 160
_LONGEST_LINE = 300
_CRITICAL = 50
# GSM 03.38, the basic table: a character beyond it makes an SMS of 70 characters.
_GSM = frozenset(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_INSTEAD = {ord(this): that for this, that in zip("[]{}\\|~^`\N{EN DASH}", "()()//-''-", strict=True)}
_INSTEAD[ord("\N{HORIZONTAL ELLIPSIS}")] = ".."
_SMS, _KIND = "X-Visigate-Sms", "X-Visigate-Kind"


@dataclass(frozen=True, slots=True)
class ShortTexts:
    """What a message says, for each medium.

    Args:
        title: one line.
        sms: all of it in 160 characters of an SMS.
        text: below the title.
        markdown: the same for services that show it.
        kind: ``failure``, ``success`` or ``info``.
    """

    title: str
    sms: str
    text: str
    markdown: str
    kind: str


def compose_short(
    digest: Digest, message_id: str, recipients: Sequence[str], url: str | None = None, advice: Sequence[Advice] = ()
) -> bytes:
    """Return the message that tells a digest.

    Args:
        digest: what it tells.
        message_id: its name.
        recipients: names of the services.
        url: address of the web pages; the link of the worst error is shown.
        advice: the administrator's own.
    """
    worst, *others = (section(item, url, advice) for item in digest.items)
    notice = " ".join(filter(None, (digest.notice, held_back(digest.held_back, "notification"))))
    lines = [notice, worst.summary, *_facts(worst), *_others(others)]
    marked = [_marked(notice), f"**{_marked(worst.summary)}**", *map(_marked, [*_facts(worst), *_others(others)])]
    link = worst.value("Link")
    kind = "failure" if any(item.group.untold for item in digest.items) else "success"
    texts = ShortTexts(
        subject_of(digest),
        sms_of(digest),
        "\n".join(filter(None, [*lines, link])),
        "\n".join(filter(None, [*marked, f"[Open the page of this error]({link})" if link else ""])),
        kind,
    )
    return _written(texts, message_id, recipients)


def compose_short_text(title: str, text: str, message_id: str, recipients: Sequence[str]) -> bytes:
    """Return a message that tells something else than errors."""
    marked = "```\n" + text.replace("`", "'") + "```"
    return _written(ShortTexts(title, _cut(_gsm(title), LONGEST_SMS), text, marked, "info"), message_id, recipients)


def sms_of(digest: Digest) -> str:
    """Return what, where and how often in 160 characters of an SMS, which has no more without being two."""
    worst = digest.items[0]
    group, detail = worst.group, worst.detail
    word = f"{group.severity} " if level_number(group.severity) >= _CRITICAL else ""
    begin = _gsm(f"{site(detail)}: {word}" if site(detail) else word)
    number = group.untold or group.told
    end = _gsm(f" {'quiet, ' if worst.at_rest else ''}{number}x{_place(worst)}")
    end += f" +{len(digest.items) - 1} more" if len(digest.items) > 1 else ""
    room = LONGEST_SMS - len(begin) - len(end)
    return begin + _cut(_gsm(title(detail, room - 1)), room) + end


def read_short(content: bytes) -> ShortTexts:
    """Return the texts of a message that was composed here."""
    message = parsed(content)
    parts = {
        part.get_content_subtype(): bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")
        for part in message.walk()
        if not part.is_multipart()
    }
    texts = {kind: text.replace("\r\n", "\n").strip() for kind, text in parts.items()}
    subject, text = str(message["Subject"] or ""), texts.get("plain", "")
    sms, kind = str(message[_SMS] or subject), str(message[_KIND] or "info")
    return ShortTexts(subject, sms, text, texts.get("markdown", text), kind)


def _written(texts: ShortTexts, message_id: str, recipients: Sequence[str]) -> bytes:
    message = new_message(message_id, "visigate-errors", recipients, texts.title)
    message[_SMS] = texts.sms
    message[_KIND] = texts.kind
    message.set_content(cleaned(texts.text))
    message.add_alternative(cleaned(texts.markdown), subtype="markdown")
    return bytes(message)


def _facts(shown: Section) -> list[str]:
    wanted = {"Where": "", "Recovery": "Recovery: ", "To do": "To do: "}
    return [f"{begin}{value}"[:_LONGEST_LINE] for label, begin in wanted.items() if (value := shown.value(label))]


def _others(others: Sequence[Section]) -> list[str]:
    lines = [f"And {one.title}: {one.summary}"[:_LONGEST_LINE] for one in others[:3]]
    return lines + ([f"And {len(others) - 3} more."] if len(others) > 3 else [])


def _place(item: Item) -> str:
    place = item.detail.culprit or item.detail.module
    return f" in {_cut(place.rpartition(' in ')[2] or place, 40)}" if place else ""


def _marked(text: str) -> str:
    """Return a text with what markdown would read as its own taken from it: it comes from the error."""
    return re.sub(r"([\\`*_\[\]<>~|#])", r"\\\1", text)


def _gsm(text: str) -> str:
    """Return a text in the letters of an SMS."""
    letters = (c if c in _GSM else unicodedata.normalize("NFKD", c)[0] for c in text.translate(_INSTEAD))
    return re.sub(r"\s+", " ", "".join(c if c in _GSM or c.isspace() else "?" for c in letters))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: max(longest - 2, 0)]}.."
