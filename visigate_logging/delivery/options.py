"""The options of the mail handler, from what YAML gives to what the parts need.

Each function here raises `ConfigurationError` when an option cannot be; its ``key`` names the option.
"""

import logging
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visigate_logging.delivery.channels.server import Credentials, MailServer, Security
from visigate_logging.delivery.message import Envelope
from visigate_logging.delivery.summary import Schedule
from visigate_logging.delivery.throttle import Windows
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.present.advice import read_advice

__all__ = ["MailOptions", "addresses", "directory", "envelope", "level", "mail_server", "text", "windows"]

_PASSWORDS = ("password", "password_env", "password_file", "password_credential")
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


def envelope(fromaddr: Any, toaddrs: Any, subject: Any, url: Any, advice: Any = None) -> Envelope:
    """What is the same for all mails; they come from the first who is told unless a sender is given."""
    if not toaddrs:
        raise ConfigurationError("toaddrs", "is empty; write who is told, as [admin@example.org]")
    recipients = addresses("toaddrs", toaddrs)
    return Envelope(
        sender=addresses("fromaddr", fromaddr or recipients)[0],
        recipients=recipients,
        subject="" if subject is None else text("subject", subject),
        url=None if url is None else text("url", url),
        advice=read_advice(advice),
    )


def mail_server(mailhost: Any, credentials: Any, secure: Any, timeout: Any) -> MailServer:
    """Where mails are handed in."""
    if not mailhost:
        raise ConfigurationError("mailhost", "is empty; write the server, as mail.example.org")
    security = _security(secure)
    host, port = _host_and_port(mailhost)
    return MailServer(
        host=host,
        port=port or _PORTS[security.mode if security else None],
        credentials=_credentials(credentials),
        security=security,
        timeout=_number("timeout", timeout, above=0.0),
    )


def windows(group_wait: Any, interval: Any, max_interval: Any, quiet: Any, max_per_hour: Any) -> Windows:
    """How long to wait before telling."""
    if isinstance(max_per_hour, bool) or not isinstance(max_per_hour, int) or max_per_hour < 1:
        raise ConfigurationError("max_per_hour", f"{max_per_hour!r} is not a whole number from 1")
    made = Windows(
        group_wait=_number("group_wait", group_wait),
        interval=_number("interval", interval, above=0.0),
        max_interval=_number("max_interval", max_interval, above=0.0),
        quiet=_number("quiet", quiet, above=0.0),
        max_per_hour=max_per_hour,
    )
    if made.max_interval < made.interval:
        problem = f"{made.max_interval:g} is shorter than interval, which is {made.interval:g}"
        raise ConfigurationError("max_interval", problem)
    return made


def addresses(key: str, value: Any) -> tuple[str, ...]:
    """Mail addresses, from a list or from one text with commas."""
    given = _BETWEEN_COMMAS.findall(value) if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not given:
        raise ConfigurationError(key, f"{value!r} is neither an address nor a list of addresses")
    found = tuple(text(key, address).strip() for address in given)
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ConfigurationError(
                key, f"{address!r} is no address such as admin@example.org, root or Gate <gate@example.org>"
            )
    return found


def level(key: str, value: Any) -> int:
    """The number of a level."""
    known = logging.getLevelNamesMapping()
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.upper() not in known:
        raise ConfigurationError(key, f"{value!r} is no level; known are {', '.join(known)}")
    return known[value.upper()]


def text(key: str, value: Any) -> str:
    """One line of text."""
    if not isinstance(value, str) or not value.strip() or len(value.splitlines()) != 1:
        raise ConfigurationError(key, f"{value!r} is not one line of text")
    return value


def directory(key: str, value: Any) -> Path:
    """A path, which stays the same when the process changes its working directory."""
    return Path(text(key, os.fspath(value) if isinstance(value, os.PathLike) else value)).absolute()


def _host_and_port(mailhost: Any) -> tuple[str, int | None]:
    if isinstance(mailhost, (list, tuple)) and len(mailhost) == 2:
        return text("mailhost", mailhost[0]), _port(mailhost[1])
    host = text("mailhost", mailhost).strip()
    if "/" in host or "@" in host:
        bare = re.sub(r"^\w+://|^.*@|[/?].*$", "", re.sub(r"^\w+://", "", host))
        raise ConfigurationError(
            "mailhost", f"{host!r} is more than a host and its port: write {bare or 'mail.example.org'}"
        )
    if host.startswith("["):  # [::1]:25
        host, _, rest = host[1:].partition("]")
        return host, _port(rest[1:]) if rest else None
    name, colon, port = host.rpartition(":")
    if colon and ":" not in name:
        return text("mailhost", name), _port(port)
    return host, None


def _port(value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = -1
    if isinstance(value, bool) or not 0 < port < 65536:
        raise ConfigurationError("mailhost", f"the port {value!r} is not between 1 and 65535")
    return port


def _credentials(value: Any) -> Credentials | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return Credentials(text("credentials", value[0]), text("credentials", value[1]))
    if not isinstance(value, Mapping):
        raise ConfigurationError("credentials", "neither [user, password] nor a mapping with username and a password")
    given = _known("credentials", value, ("username", *_PASSWORDS))
    if "username" not in given or len(given) != 2:
        raise ConfigurationError("credentials", f"needs username and exactly one of {', '.join(_PASSWORDS)}")
    return Credentials(**{k: text(f"credentials.{k}", v) for k, v in given.items()})


def _security(value: Any) -> Security | None:
    if value is None or value is False:
        return None
    if isinstance(value, str):
        value = {"mode": value}
    if isinstance(value, (list, tuple)) and len(value) <= 2:  # as logging.handlers.SMTPHandler has it
        key_file, cert_file = value[0] if value else None, value[-1] if value else None
        value = {"mode": "starttls", "key_file": key_file, "cert_file": cert_file}
    if not isinstance(value, Mapping):
        raise ConfigurationError("secure", f"{value!r} is neither starttls, tls, nor a mapping with mode")
    given = _known("secure", value, ("mode", "ca_file", "cert_file", "key_file", "verify"))
    if given.get("mode") not in ("starttls", "tls"):
        raise ConfigurationError("secure.mode", f"{given.get('mode')!r} is neither starttls nor tls")
    if not isinstance(given.get("verify", True), bool):
        raise ConfigurationError("secure.verify", f"{given['verify']!r} is neither true nor false")
    for key in ("ca_file", "cert_file", "key_file"):
        if key in given:
            given[key] = text(f"secure.{key}", given[key])
    return Security(**given)


def _known(key: str, value: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    for name in value:
        if name not in names:
            raise ConfigurationError(f"{key}.{name}", f"not known; possible are {', '.join(names)}")
    return {str(k): v for k, v in value.items() if v is not None}


def _number(key: str, value: Any, above: float | None = None) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 0 or (above is not None and value <= above):
        raise ConfigurationError(key, f"{value!r} is not a number of seconds{' above 0' if above == 0 else ''}")
    return float(value)
