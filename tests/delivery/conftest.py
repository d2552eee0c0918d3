"""Mailing with a clock that tests move."""

import dataclasses
import uuid
from dataclasses import dataclass

import pytest
import trustme

from tests.delivery.servers import Server, told
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.channels.smtp import SmtpChannel
from visigate_logging.delivery.composer import Composer
from visigate_logging.delivery.entries import Entry, family_of, signs_of
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.mail import MailTemplate
from visigate_logging.delivery.outbox import Outbox
from visigate_logging.delivery.sender import Sender
from visigate_logging.delivery.spool import Spool
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import State
from visigate_logging.host.clock import Instant

TO = ("one@example.org", "two@example.org", "three@example.org")


def error(fingerprint="v1:camera", **changes):
    detail = ErrorDetail(
        timestamp="2026-03-01T12:00:00.000000Z",
        error_type="CameraError",
        error_message="camera does not answer",
        module="src.camera",
        function="grab",
        traceback="Traceback (most recent call last):\nCameraError: camera does not answer\n",
        event_id=uuid.uuid4().hex,
        severity="CRITICAL",
        fingerprint=fingerprint,
        host="gate",
    )
    return dataclasses.replace(detail, **changes)


def entry(detail, n=1):
    times = detail.timestamp, detail.timestamp
    told_apart = signs_of(detail), family_of(detail)
    return Entry(detail.fingerprint, n, *times, detail.severity, detail.event_id, detail.to_json(), *told_apart)


@dataclass
class Clock:
    """Boot and seconds, as a test sets them."""

    boot: str = "boot-1"
    seconds: float = 1000.0

    def __call__(self) -> Instant:
        return Instant(self.boot, self.seconds)


class Mailing:
    """Incidents, outbox and sender of one process, on a clock of the test's."""

    def __init__(
        self, directory, server=None, clock=None, windows=None, schedule=None, to=TO, channel=None, **options
    ):
        self.clock = clock or Clock()
        self.news = False
        self.directory = directory
        self.state = State(directory, SCHEMA)
        options |= {"now": self.clock, "summary": schedule}
        self.incidents = Incidents(self.state, "mail", windows or Windows(), **options)
        self.spool = Spool(directory / "outbox")
        self.outbox = Outbox(self.state, "mail", self.spool, now=self.clock)
        channel = channel or SmtpChannel(server, MailTemplate("gate@example.org", to, "VisiGate Error"))
        self.composer = Composer(self.incidents, self.outbox, channel)
        self.sender = Sender(self.outbox, channel, directory / "mail.lock")

    def errors(self, n=1, fingerprint="v1:camera", **changes):
        self.book(entry(error(fingerprint, **changes), n))

    def book(self, *entries):
        """As if the entries had been read from a journal, each call a piece of its own."""
        self.news = True
        self.incidents.book(lambda cursor: (entries, {**cursor, uuid.uuid4().hex: 1}))

    def turn(self, *, hurry=False):
        news, self.news = self.news, False
        return min(self.composer.prepare(news=news, hurry=hurry), self.sender.send())

    def run(self, seconds):
        """Let time pass, with a turn whenever the sender has asked for one."""
        end = self.clock.seconds + seconds
        while True:
            wait = self.turn()
            if self.clock.seconds + wait > end:
                self.clock.seconds = end
                return
            self.clock.seconds += wait


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def make_mailing(tmp_path):
    made = []

    def make(server, **options):
        if not isinstance(server, MailServer):
            server = MailServer("localhost", server.port, timeout=options.pop("timeout", 5.0))
        made.append(Mailing(tmp_path / "state", server, **options))
        return made[-1]

    yield make
    for mailing in made:
        mailing.state.close()


@pytest.fixture
def mailing(make_mailing, server):
    return make_mailing(server)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority, and the file that makes it known."""
    made = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, str(path)


__all__ = ["TO", "Clock", "Mailing", "entry", "error", "told"]
