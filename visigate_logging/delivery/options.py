"""The options of the mail handler: what each can be, as its annotation, and what they come to together."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from visigate_logging.delivery.channels.server import Credentials, Line, MailServer, Security
from visigate_logging.delivery.message import Envelope
from visigate_logging.delivery.summary import Schedule, read_schedule
from visigate_logging.delivery.throttle import Windows
from visigate_logging.options import Fault, Range, Via, error_of, meant
from visigate_logging.present.advice import Advice, read_advice

__all__ = [
    "Addresses",
    "AdviceTable",
    "Login",
    "MailHost",
    "MailOptions",
    "Positive",
    "Secure",
    "Severity",
    "StateDirectory",
    "Summary",
    "mail_envelope",
    "mail_options",
    "mail_server",
]

# An address in other letters than ASCII would need a server with SMTPUTF8 (RFC 6531), which many are not.
_PLAIN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.:\[\]-]+"
# A user of this host, as useradd lets one be called: root is a right address on a Pi.
_LOCAL = r"[a-z_][a-z0-9_-]*"
_QUOTED = r'"(?:\\.|[^"\\])*"'
_ADDRESS = re.compile(rf"{_PLAIN}|{_LOCAL}|(?:{_QUOTED}\s*|[^<>,\"]+)<(?:{_PLAIN}|{_LOCAL})>")
_BETWEEN_COMMAS = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_PORTS = {"tls": 465, "starttls": 587, None: 25}


@dataclass(frozen=True)
class MailOptions:
    """The options, checked.

    Args:
        server: where mails are handed in.
        envelope: what is the same for all mails.
        windows: how long to wait before telling.
        severity: number of the level from which errors are mailed.
        state_dir: directory that the processes of the host share.
        summary: when summaries are told.
    """

    server: MailServer
    envelope: Envelope
    windows: Windows
    severity: int
    state_dir: Path
    summary: Schedule | None = None


def mail_server(mailhost: Any, credentials: Any, secure: Any, timeout: float) -> MailServer | None:
    """Return where mails are handed in, from options as they were read; None without a host."""
    if mailhost is None:
        return None
    host, port = mailhost
    return MailServer(host, port or _PORTS[secure.mode if secure else None], credentials, secure, timeout)


def mail_envelope(fromaddr: Any, toaddrs: Any, subject: str | None, url: str | None, advice: Any) -> Envelope | None:
    """Return what is the same for all mails; None when nobody is told. The first who is told stands for a sender."""
    if not toaddrs:
        return None
    return Envelope((fromaddr or toaddrs)[0], toaddrs, subject or "", url, advice=advice)


def mail_options(
    server: MailServer | None,
    envelope: Envelope | None,
    windows: Windows,
    severity: Any,
    state_dir: Any,
    summary: Any,
) -> MailOptions | None:
    """Return the options together; None while neither a server nor an address is given.

    Raises:
        ConfigurationError: they do not go together.
    """
    faults = []
    if windows.max_interval < windows.interval:
        text = f"is shorter than interval, which is {windows.interval:g}"
        faults.append(Fault(("max_interval",), text, windows.max_interval))
    if envelope and not server:
        faults.append(Fault(("mailhost",), "is empty; write the server, as mail.example.org"))
    if server and not envelope:
        faults.append(Fault(("toaddrs",), "is empty; write who is told, as [admin@example.org]"))
    if faults:
        raise error_of(faults)
    return MailOptions(server, envelope, windows, severity, state_dir, summary) if server and envelope else None


def _addresses(value: str | Sequence[str]) -> tuple[str, ...]:
    given = _BETWEEN_COMMAS.findall(value) if isinstance(value, str) else value
    found = tuple(address.strip() for address in given)
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"has {address!r}, which is no address such as admin@example.org, root or Gate <gate@example.org>"
            )
    return found


def _severity(value: int | str) -> int:
    known = logging.getLevelNamesMapping()
    if isinstance(value, str) and value.upper() not in known:
        raise ValueError(f"is no level; known are {', '.join(known)}{meant(value, known)}")
    return known[value.upper()] if isinstance(value, str) else value


def _directory(value: str | os.PathLike[str]) -> Path:
    if not os.fspath(value).strip():
        raise ValueError("is no directory")
    return Path(value).absolute()  # it stays the same when the process changes its working directory


def _host_and_port(value: str) -> tuple[str, int | None] | None:
    host = value.strip()
    if not host:
        return None
    if "/" in host or "@" in host or len(host.splitlines()) != 1:
        bare = re.sub(r"^\w+://|^.*@|[/?].*$", "", re.sub(r"^\w+://", "", host))
        raise ValueError(f"is more than a host and its port: write {bare or 'mail.example.org'}")
    if host.startswith("["):  # [::1]:25
        host, _, rest = host[1:].partition("]")
        return host, _port(rest[1:]) if rest else None
    name, colon, port = host.rpartition(":")
    return (name, _port(port)) if colon and ":" not in name else (host, None)


def _pair(value: tuple[str, int | str]) -> tuple[str, int]:
    return value[0], _port(value[1])


def _alone(value: tuple[str]) -> tuple[str, None]:
    return value[0], None


def _port(value: int | str) -> int:
    try:
        port = int(value)
    except ValueError:
        port = -1
    if not 0 < port < 65536:
        raise ValueError(f"has the port {value!r}, which is not between 1 and 65535")
    return port


def _login(value: tuple[str, str]) -> Credentials:
    return Credentials(value[0], password=value[1])


def _as_smtphandler_has_it(value: Sequence[str | None]) -> Security:
    if len(value) > 2:
        raise ValueError("is more than the files of a key and a certificate")
    key_file, cert_file = (value[0], value[-1]) if value else (None, None)
    return Security("starttls", key_file=key_file, cert_file=cert_file)


def _not_at_all(value: bool) -> None:
    if value:
        raise ValueError("does not say how: write starttls or tls")


MailHost = (
    Annotated[str, Via(_host_and_port)]
    | Annotated[tuple[Line, int | str], Via(_pair, "[host, port]")]
    | Annotated[tuple[Line], Via(_alone, "[host]")]
    | None
)
"""The host and, where one is given, the port; None for none."""
Addresses = Annotated[str | Sequence[str], Via(_addresses, "an address or a list of addresses")] | None
Login = Credentials | Annotated[tuple[Line, Line], Via(_login, "[user, password]")] | None
Secure = (
    Annotated[Literal["starttls", "tls"], Via(Security)]
    | Security
    | Annotated[Sequence[Line | None], Via(_as_smtphandler_has_it, "[key, certificate]")]
    | Annotated[bool, Via(_not_at_all, "false")]
    | None
)
Positive = Annotated[float, Range(above=0, unit="seconds")]
Severity = Annotated[int | str, Via(_severity, "a level")]
StateDirectory = Annotated[str | os.PathLike[str], Via(_directory, "a path")]
AdviceTable = Annotated[
    Mapping[str, str] | Sequence[Mapping[str, Any]] | tuple[Advice, ...] | None, Via(read_advice, raw=True)
]
Summary = Annotated[str | None, Via(read_schedule)]
