"""What a failure at the mail server means, and what to do about it."""

import errno
import re
import smtplib
import socket
import ssl
from typing import NamedTuple

from visigate_logging.exceptions import MailServerError

_WAITS = "Mails are kept and sent when it works again"


class _Rule(NamedTuple):
    """A cure for answers with one of these codes, whose text matches."""

    codes: str
    words: str
    cure: str


_TRUST = r"spamhaus|blocked|blacklist|block ?list|5\.7\.2[56]|spf|dkim|reputation"
_NOBODY = r"5\.1\.[12]|(user|recipient) unknown|(no such|unknown) (user|recipient)|mailbox unavailable|not exist"
_NOT_FROM = r"not owned|sendas|send as|5\.7\.60|not allowed|not permitted|sender.*reject"
# The first that fits. Enhanced codes: https://www.iana.org/assignments/smtp-enhanced-status-codes
_RULES = [
    _Rule("530|538|504", r"starttls|encrypt|tls", "The server wants TLS first: set secure: starttls"),
    _Rule("5..|454", r"5\.7\.139|basic auth", "The provider takes no passwords any more: use a relay that does"),
    _Rule("53.", r"5\.7\.9|app\w*[- ](specific )?password", "Make an app password at the provider, and use it"),
    _Rule("454", r"auth|4\.7\.0", "The server cannot look passwords up just now: ask who runs it; mails are kept"),
    _Rule("535", r"", "Check user and password in credentials, and whether the provider asks for an app password"),
    _Rule("530|55.", r"authenticat\w* (is )?required|log(ged)? ?in", "Set credentials: the server wants a login"),
    _Rule("55.", r"relay", "The server takes mail for others only after a login: set credentials, or check toaddrs"),
    _Rule("55.", _NOT_FROM, "fromaddr must be an address that this login may send from"),
    _Rule(
        "4..|55.",
        r"[45]\.1\.8|domain (of sender|not found)|sender.*domain",
        "The domain of fromaddr must exist in the DNS: use a real address there",
    ),
    _Rule("421|45.", r"too many|too much|rate|limit|throttl", "The server limits how often we come: tried later"),
    _Rule("4..", r"gr[ea]ylist|4\.7\.1", "It is normal for a first mail (greylisting): it is tried again by itself"),
    _Rule("...", r"fully[- ]qualified|helo|5\.5\.2 .*host", "Give this host a full name (hostnamectl set-hostname)"),
    _Rule("5..", _TRUST, "The server does not trust this address: send through the provider's server, with a login"),
    _Rule("55.", _NOBODY, "There is no such mailbox: check toaddrs"),
    _Rule("5..", r"5\.3\.4|too (large|big)|size", "The mail is too large for it: a short form is sent instead"),
    _Rule("[45]52", r"quota|full|[45]\.2\.2", "The mailbox is full: its owner must make room"),
    _Rule("421", r"", "The server is busy or closing: mails are kept, and tried later"),
    _Rule("530|534|538", r"", "Check user and password in credentials, and secure"),
    _Rule("4..", r"", "The server says it is for now: it is tried again by itself"),
    _Rule("55.", r"", "Check fromaddr and toaddrs; the server's answer says what it wants"),
]
_OTHERS = {
    "SSH-": "an SSH server",
    "HTTP/": "a web server",
    "* OK": "an IMAP server, which keeps mails",
    "+OK": "a POP3 server, which keeps mails",
}
_NO_ROUTE = "cannot be reached: no route", "This host has no such network: use the server's IPv4 address"
_TOGETHER = "Port and secure do not belong together: 465 is tls, 587 and 25 are starttls"
_SYSTEM = {
    errno.ECONNREFUSED: ("refused the connection", "Check that the server runs, and the port in mailhost"),
    errno.EHOSTUNREACH: ("cannot be reached", "Check cable, router and the address in mailhost"),
    errno.ENETUNREACH: _NO_ROUTE,
    errno.EADDRNOTAVAIL: _NO_ROUTE,
    errno.ECONNRESET: ("broke the connection off", _TOGETHER),
}


def cure_of(code: int, text: str) -> str:
    """Return what to do about a server's answer."""
    for rule in _RULES:
        if re.fullmatch(rule.codes, str(code)) and re.search(rule.words, text, re.IGNORECASE):
            return rule.cure
    return _WAITS


def explained(
    step: str, error: Exception, server: str, *, mode: str | None = None, perhaps: bool = False
) -> MailServerError:
    """Return what a failure means and what to do about it.

    Args:
        step: at which it came.
        error: itself.
        server: host and port.
        mode: of ``secure``.
        perhaps: the mail was handed over whole, and no answer came.
    """
    if isinstance(error, smtplib.SMTPResponseException):
        text, cure = f"{error.smtp_code} {_line(error.smtp_error)}", cure_of(error.smtp_code, _line(error.smtp_error))
        if other := next((name for begin, name in _OTHERS.items() if begin in text), ""):
            text, cure = f"{server} is {other}: {text}", "Check the port in mailhost: 587 (starttls), 465 (tls) or 25"
        if step == "greeting" and cure == _WAITS:
            cure = "This is no mail server that takes mails from us: check host and port in mailhost"
    elif isinstance(error, ssl.SSLError):
        step = "tls"
        text, cure = _of_tls(error, server)
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        text, cure = _not_offered(str(error), mode)
    else:
        text, cure = _of_system(step, error, server, mode)
    return MailServerError(step, text, cure, perhaps=perhaps)


def _of_tls(error: ssl.SSLError, server: str) -> tuple[str, str]:
    if not isinstance(error, ssl.SSLCertVerificationError):
        text = f"{server}: {error.reason or error}"
        if re.search("UNSUPPORTED_PROTOCOL|HANDSHAKE|ALERT", text):
            return text, "They find no common TLS: update the older; a client certificate goes into secure.cert_file"
        return text, _TOGETHER
    text = f"the certificate of {server} is not valid: {error.verify_message}"
    if "expired" in text:
        return text, "The server's certificate must be renewed; if it is new, this host's clock is wrong: see `date`"
    if "not yet valid" in text:
        return text, "This host's clock is wrong: see `date`; wait for the network time"
    if "self" in text or "issuer" in text:
        return text, "Give the authority that signed it, as a PEM file, in secure.ca_file"
    return text, "mailhost must be the name in the certificate; an authority of your own goes into secure.ca_file"


def _not_offered(text: str, mode: str | None) -> tuple[str, str]:
    if "STARTTLS" in text:
        return text, "The server offers no encryption on this port: use 465 with secure: tls, or leave secure out"
    if "AUTH" in text and mode is None:
        return text, "It offers logins only after TLS: set secure: starttls. If it wants none, leave credentials out"
    return text, "The server knows no login that we know: leave credentials out, or ask who runs it"


def _of_system(step: str, error: Exception, server: str, mode: str | None) -> tuple[str, str]:
    if isinstance(error, socket.gaierror):
        away = error.errno == socket.EAI_AGAIN
        cure = "The DNS does not answer: check the network; mailhost may be an address instead"
        cure = cure if away else "Check mailhost for a slip, and the network"
        return f"the name {server} cannot be resolved: {error.strerror}", cure
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return f"{server} did not answer in time", _of_silence(step, mode)
    if isinstance(error, OSError) and error.errno in _SYSTEM:
        text, cure = _SYSTEM[error.errno]
        return f"{server} {text}", cure
    login = "The server broke off at the login. Too many wrong passwords? Check credentials, and wait a while"
    return str(error) or type(error).__name__, {"login": login, "greeting": _TOGETHER}.get(step, _WAITS)


def _of_silence(step: str, mode: str | None) -> str:
    if step == "connect":
        return "Check mailhost and its port, and the firewall: many networks let no port 25 out; use 587"
    if step == "greeting" and mode != "tls":
        return "Port 465 wants secure: tls. Else the server is slow: mails wait up to 5 min for it"
    return "The server is slow or hangs: mails are kept, and tried again"


def _line(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:500]
