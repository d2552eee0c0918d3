"""What targets have in common that post requests of many records to one address."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from visigate_logging.forward.client import Client, Timeout, Tls, Url
from visigate_logging.forward.target import Outcome, Record, divided


@dataclass(frozen=True, kw_only=True)
class Web:
    """A server that is reached over HTTP.

    Args:
        compression: ``gzip``, which a server that says 415 is spared, or ``none``.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds that the server may be silent.
    """

    compression: Literal["gzip", "none"] = "gzip"
    tls: Tls | None = None
    timeout: Timeout = 30.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._client.host, self._client.port

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @cached_property
    def _client(self) -> Client:
        url, headers = self._endpoint()
        compresses = self.compression == "gzip"
        return Client(url, headers=headers, tls=self.tls, timeout=self.timeout, compresses=compresses)

    @abstractmethod
    def _endpoint(self) -> tuple[str, Mapping[str, str]]:
        """Return what is posted to, and the headers of each request."""


@dataclass(frozen=True, kw_only=True)
class Posting(Web):
    """A server that takes many records in one POST request.

    Args:
        url: http or https.
        headers: of each request, such as ``Authorization``.
        compression, tls, timeout: see :class:`Web`.
    """

    url: Url
    headers: Mapping[str, str] = field(default_factory=dict)

    most: ClassVar[int] = 500

    def send(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Post the records in one request; in several when one of them spoils it."""
        return divided(records, self._post)

    def _endpoint(self) -> tuple[str, Mapping[str, str]]:
        return self.url, self.headers

    @abstractmethod
    def _post(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Make one request; an only outcome is that of all its records."""
