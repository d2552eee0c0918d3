"""Does a camera speak RTSP."""

import re
import socket
import time
from dataclasses import dataclass

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.bounds import host_of, refuse_odd_host

STATUS_LINE = re.compile(rb"RTSP/\d\.\d (\d{3}) ?")
LONGEST_LINE = 4096


@dataclass(frozen=True, kw_only=True)
class ProbeRtsp(Step):
    """Done when the camera answers OPTIONS (RFC 7826, 13.1); one that asks for a password (401) is alive.

    Args:
        url: ``rtsp://HOST[:PORT]/...``; a user and password in it are not sent.
        timeout: seconds until the status line must be there, so that a camera that drips is not alive.
    """

    mends = False

    url: str
    timeout: Seconds = 10.0

    def __post_init__(self) -> None:
        if not self.url.startswith("rtsp://"):
            raise ValueError(f"the url must begin with rtsp://, not {self.url.partition(':')[0]!r}")
        refuse_odd_host(host_of(self.url))

    def run(self, context: Context) -> Outcome:
        """Ask for the options, and look at the status alone."""
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        where = f"rtsp://{parts.hostname}:{parts.port or 554}"
        deadline = time.monotonic() + self.timeout * 0.9
        request = f"OPTIONS {where}{parts.path} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: visigate\r\n\r\n"
        try:
            address = (parts.hostname or "", parts.port or 554)
            with socket.create_connection(address, self.timeout * 0.9) as connection:
                connection.sendall(request.encode())
                line = _first_line(connection, deadline)
        except OSError as error:
            return Outcome(Status.FAILED, f"{where} does not answer: {type(error).__name__}: {error}")
        found = STATUS_LINE.match(line)
        if found is None:
            return Outcome(Status.FAILED, f"{where} does not speak RTSP: {line[:60]!r}")
        status = int(found[1])
        alive = status < 500
        told = f"{where} answers {status}"
        return Outcome(Status.DONE if alive else Status.FAILED, told, {"status": status})


def _first_line(connection: socket.socket, deadline: float) -> bytes:
    line = b""
    while b"\n" not in line and len(line) < LONGEST_LINE:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"only {len(line)} bytes came in time")
        connection.settimeout(left)
        data = connection.recv(1024)
        if not data:
            break
        line += data
    return line
