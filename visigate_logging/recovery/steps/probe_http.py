"""Does a web server answer."""

import time
from dataclasses import dataclass

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.bounds import host_of, refuse_odd_host


@dataclass(frozen=True, kw_only=True)
class ProbeHttp(Step):
    """Done when the server answers with a status below 500: one that asks for a password is alive.

    Args:
        url: http or https; redirects are not followed.
        timeout: seconds for the whole answer, so that a server that drips is not alive.
    """

    mends = False

    url: str
    timeout: Seconds = 10.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url!r}; it must begin with http:// or https://")
        refuse_odd_host(host_of(self.url))

    def run(self, context: Context) -> Outcome:
        """Ask with GET, and look at the status alone."""
        from http.client import HTTPConnection, HTTPException, HTTPSConnection
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        where = f"{parts.scheme}://{parts.hostname}:{parts.port or kind.default_port}"
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout * 0.9)
        started = time.monotonic()
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            return Outcome(Status.FAILED, f"{where} does not answer: {type(error).__name__}: {error}")
        finally:
            connection.close()
        took = time.monotonic() - started
        if status >= 500 or took > self.timeout:
            return Outcome(Status.FAILED, f"{where} answers {status} after {took:.1f} s")
        return Outcome(Status.DONE, f"{where} answers {status}")
