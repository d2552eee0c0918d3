"""HTTP requests over one connection that is kept, each within a deadline, and what their answers mean for records."""

import base64
import contextlib
import gzip
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from visigate_logging.detail.masking import mask
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Accepted, Later, Outcome, Refused
from visigate_logging.host import ForkAware, watch_forks
from visigate_logging.options import Range, Via

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPMessage
    from ssl import SSLContext

_MOST_READ = 1 << 20
"""Bytes of an answer; what comes behind them is not looked at."""
_TOLD = 200
_PATIENCE = 4.0
"""So many timeouts may a whole request take: one for the connection, one for what is sent, two for the answer."""
_FOR_GOOD = {400, 406, 411, 413, 414, 415, 422, 431}
"""Statuses that speak of what was sent; all others, 401 and 404 among them, speak of the server or the options."""
_UNSUPPORTED_MEDIA_TYPE = 415


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How a server is known, and how it knows us.

    Args:
        ca_file: certificates of the authorities to trust; default the system's.
        cert_file, key_file: what the server is shown (client certificate).
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    def context(self) -> "SSLContext":
        """Return what a connection is made with.

        Raises:
            OSError: a file cannot be read, or is none of its kind.
        """
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        status: of HTTP.
        headers: its headers.
        body: its content, the first MiB of it.
    """

    status: int
    headers: "HTTPMessage"
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait (RFC 9110, 10.2.3); a date counts from the server's own: our clock may be wrong."""
        from email.utils import parsedate_to_datetime

        given = self.headers.get("Retry-After", "").strip()
        if given.isdecimal():
            return float(given)
        try:
            until, now = parsedate_to_datetime(given), parsedate_to_datetime(self.headers.get("Date", ""))
            return max(0.0, (until - now).total_seconds())
        except (TypeError, ValueError):
            return None

    @property
    def text(self) -> str:
        """What it says, in one short line without secrets."""
        from http.client import responses

        phrase = responses.get(self.status, "")
        said = " ".join(self.body[: 4 * _TOLD].decode("utf-8", "replace").split())[:_TOLD]
        return mask(f"{self.status} {phrase}: {said}" if said else f"{self.status} {phrase}")


def verdict(reply: Reply | Later) -> Outcome:
    """Return what an answer, or why there is none, means for all records of its request."""
    if isinstance(reply, Later):
        return reply
    if 200 <= reply.status < 300:
        return Accepted()
    if reply.status in _FOR_GOOD:
        return Refused(reply.text)
    if 300 <= reply.status < 400:
        return Later(
            f"{reply.text}; write where it leads to, {mask(reply.headers.get('Location', ''))}, into the url"
        )
    cure = {401: "; look at the key", 403: "; look at the key", 404: "; look at the url"}.get(reply.status, "")
    return Later(reply.text + cure, reply.retry_after, is_suspect=reply.status == 500)


class Client(ForkAware):
    """Posts to one address; for use by one thread.

    Args:
        url: http or https; user and password in it are sent as basic authentication.
        headers: of each request.
        tls: for https.
        timeout: seconds that the server may be silent; a whole request may take four times as many.
        compresses: send bodies packed with gzip, until the server says that it knows none (RFC 9110, 15.5.16).
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        timeout: float = 30.0,
        compresses: bool = True,
    ) -> None:
        from urllib.parse import unquote, urlsplit

        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host, self.port = parts.hostname or "", parts.port or (443 if self.secure else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = dict(headers or {})
        if parts.username is not None:
            known = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(known).decode('ascii')}"
        self._tls = tls or Tls()
        self._timeout = timeout
        self._compresses = compresses
        self._connection: HTTPConnection | None = None
        self._was_connected = False
        watch_forks(self)

    def post(self, body: bytes, content_type: str) -> Reply | Later:
        """Send a body, and return the answer, or why there is none."""
        from http.client import HTTPException

        headers = {**self._headers, "Content-Type": content_type}
        packed = gzip.compress(body, 6, mtime=0) if self._compresses else body
        try:
            reply = self._request(packed, headers | ({"Content-Encoding": "gzip"} if self._compresses else {}))
            if reply.status == _UNSUPPORTED_MEDIA_TYPE and self._compresses:
                self._compresses = False
                reply = self._request(body, headers)
        except (OSError, HTTPException) as error:
            self.close()
            reason = mask(f"{self.host}:{self.port}: {type(error).__name__}: {error}")[: 2 * _TOLD]
            return Later(reason, is_suspect=self._was_connected)
        return reply

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def after_fork_in_child(self) -> None:
        """Close the copy, which ends nothing of the parent's."""
        self.close()

    def _request(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        from http.client import BadStatusLine

        if self._connection is not None:
            try:
                return self._exchange(self._connection, body, headers)
            except (BadStatusLine, ConnectionError):  # closed while it was idle, as servers do after some seconds
                self.close()
        self._was_connected = False
        self._connection = self._connect()
        self._was_connected = True
        return self._exchange(self._connection, body, headers)

    def _connect(self) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        more: dict[str, Any] = {"context": self._tls.context()} if self.secure else {}
        kind = HTTPSConnection if self.secure else HTTPConnection
        connection = kind(self.host, self.port, timeout=self._timeout, **more)
        connection.connect()
        return connection

    def _exchange(self, connection: "HTTPConnection", body: bytes, headers: Mapping[str, str]) -> Reply:
        from http.client import IncompleteRead

        with self._deadline(connection):
            connection.request("POST", self._path, body, dict(headers))
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read(_MOST_READ))
            if answer.length and len(reply.body) < _MOST_READ:
                raise IncompleteRead(reply.body, answer.length)
        if answer.will_close or not answer.isclosed():
            self.close()
        return reply

    @contextlib.contextmanager
    def _deadline(self, connection: "HTTPConnection") -> Iterator[None]:
        """Shut the connection when the time is up: a server that drips byte by byte never lets a timeout pass."""
        is_over = threading.Event()
        patience = self._timeout * _PATIENCE
        timer = threading.Timer(patience, _shut, [connection.sock, is_over])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if is_over.is_set():  # what was read up to there looks like an answer
                raise TimeoutError(f"no whole answer within {patience:g} s")


def _shut(sock: Any, is_over: threading.Event) -> None:
    import socket

    is_over.set()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _url(value: str) -> str:
    from urllib.parse import urlsplit

    is_one = False
    with contextlib.suppress(ValueError):
        parts = urlsplit(value)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    if not is_one or not value.isprintable() or " " in value:
        # Without the value, which may hold a password.
        raise ConfigurationError("", "is no address such as https://example.org/path")
    return value


Url = Annotated[str, Via(_url, "an http or https address")]
Timeout = Annotated[float, Range(above=0, unit="seconds")]
