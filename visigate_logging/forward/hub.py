"""How the hub is reached: the NATS server that gathers what many gates send."""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.forward.client import Timeout, Tls
from visigate_logging.options import Via


def _token(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("is no name for a subject: letters, digits, _ and - alone")
    return value


Token = Annotated[str, Via(_token)]
"""One part of a subject, or the name of a consumer."""


def _servers(value: str | Sequence[str]) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    found = (value,) if isinstance(value, str) else tuple(value)
    for server in found:
        parts = urlsplit(server)
        if parts.scheme not in {"nats", "tls"} or not parts.hostname:
            raise ConfigurationError("", "has what is no address such as nats://hub.example.org:4222")
    return found


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A NATS server with JetStream, or a cluster of them.

    Args:
        servers: addresses, ``nats://HOST:PORT`` or ``tls://HOST:PORT``.
        credentials_file: of ``nsc``, with the user's JWT and key.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds for the connection, and for the answers to a batch.
    """

    servers: Annotated[str | Sequence[str], Via(_servers, "an address or a list of addresses")]
    credentials_file: str | None = None
    tls: Tls | None = None
    timeout: Timeout = 10.0

    def __post_init__(self) -> None:
        if importlib.util.find_spec("nats") is None:
            raise ConfigurationError("", str(MissingExtraError("nats-py", "fleet")))

    @property
    def addresses(self) -> list[str]:
        """Its servers."""
        return list(_servers(self.servers))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first server."""
        from urllib.parse import urlsplit

        parts = urlsplit(self.addresses[0])
        return parts.hostname or "", parts.port or 4222
