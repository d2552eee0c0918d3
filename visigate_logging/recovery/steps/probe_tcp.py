"""Does a host accept a TCP connection."""

import socket
from dataclasses import dataclass

from visigate_logging.options import Port, Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step
from visigate_logging.recovery.steps.bounds import refuse_odd_host


@dataclass(frozen=True, kw_only=True)
class ProbeTcp(Step):
    """Done when the port accepts a connection.

    Args:
        host: name or address.
        port: from 1 to 65535.
        timeout: seconds.
    """

    mends = False

    host: str
    port: Port
    timeout: Seconds = 5.0

    def __post_init__(self) -> None:
        refuse_odd_host(self.host)

    def run(self, context: Context) -> Outcome:
        """Connect, and hang up."""
        try:
            socket.create_connection((self.host, self.port), self.timeout * 0.9).close()
        except OSError as error:
            return Outcome(Status.FAILED, f"{self.host} port {self.port} does not answer: {error}")
        return Outcome(Status.DONE, f"{self.host} port {self.port} answers")
