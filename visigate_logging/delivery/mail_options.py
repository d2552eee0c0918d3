"""The options of the mail handler: what each can be, as its annotation, and what they come to together."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from visigate_logging.delivery.channels.server import Credentials, Line, MailServer, Security
from visigate_logging.delivery.channels.smtp import SmtpChannel
from visigate_logging.delivery.mail import MailTemplate
from visigate_logging.delivery.options import windows_faults
from visigate_logging.delivery.pipeline import Delivery
from visigate_logging.delivery.throttle import Windows
from visigate_logging.options import Fault, Via, error_of

# An address in other letters than ASCII would need a server with SMTPUTF8 (RFC 6531), which many are not.
_PLAIN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.:\[\]-]+"
# A user of this host, as useradd lets one be called: root is a right address on a Pi.
_LOCAL = r"[a-z_][a-z0-9_-]*"
_QUOTED = r'"(?:\\.|[^"\\])*"'
_ADDRESS = re.compile(rf"{_PLAIN}|{_LOCAL}|(?:{_QUOTED}\s*|[^<>,\"]+)<(?:{_PLAIN}|{_LOCAL})>")
_BETWEEN_COMMAS = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_PORTS = {"tls": 465, "starttls": 587, None: 25}


def mail_server(mailhost: Any, credentials: Any, secure: Any, timeout: float) -> MailServer | None:
    """Return where mails are handed in, from options as they were read; None without a host."""
    if mailhost is None:
        return None
    host, port = mailhost
    return MailServer(host, port or _PORTS[secure.mode if secure else None], credentials, secure, timeout)


def mail_template(
    fromaddr: Any, toaddrs: Any, subject: str | None, url: str | None, advice: Any
) -> MailTemplate | None:
    """Return what is the same for all mails; None when nobody is told. The first who is told stands for a sender."""
    if not toaddrs:
        return None
    return MailTemplate((fromaddr or toaddrs)[0], toaddrs, subject or "", url, advice=advice)


def mail_delivery(
    server: MailServer | None,
    template: MailTemplate | None,
    windows: Windows,
    state_dir: Any,
    summary: Any,
) -> Delivery | None:
    """Return the options together; None while neither a server nor an address is given.

    Raises:
        ConfigurationError: they do not go together.
    """
    faults = windows_faults(windows)
    if template and not server:
        faults.append(Fault(("mailhost",), "is empty; write the server, as mail.example.org"))
    if server and not template:
        faults.append(Fault(("toaddrs",), "is empty; write who is told, as [admin@example.org]"))
    if faults:
        raise error_of(faults)
    return Delivery(SmtpChannel(server, template), windows, state_dir, summary) if server and template else None


def _addresses(value: str | Sequence[str]) -> tuple[str, ...]:
    given = _BETWEEN_COMMAS.findall(value) if isinstance(value, str) else value
    found = tuple(address.strip() for address in given)
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"has {address!r}, which is no address such as admin@example.org, root or Gate <gate@example.org>"
            )
    return found


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
