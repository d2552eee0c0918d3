"""``visigate-errors serve`` while others hold its connections and guess its password."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from statistics import median

import pytest

from tests.serving import served
from tests.web.guessing import log_in
from visigate_logging.web import server as module
from visigate_logging.web.passwords import hashed_password
from visigate_logging.web.server import create_server

PASSWORD = "open sesame"


def answered(environ, start_response):
    """The shortest application."""
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@contextlib.contextmanager
def serving():
    """A server that answers in a thread of this process, and where."""
    server = create_server(answered, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        channels = list(server.active_channels.values())
        server._map.clear()  # the loop ends when nothing is left to look at
        server.pull_trigger()
        thread.join(20)
        assert not thread.is_alive()
        for channel in [*channels, server]:
            channel.close()


def ask(port):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read()


def test_a_request_that_never_ends_loses_its_connection(monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.5)
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        dripping = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not dripping.wait(0.1):
                    slow.send(b"X")

        slow.send(b"GET / HTTP/1.1\r\nHost: ")
        thread = threading.Thread(target=drip)
        thread.start()
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""
        dripping.set()
        thread.join()


def test_the_connection_that_has_owed_a_request_for_longest_makes_room(monkeypatch):
    monkeypatch.setattr(module, "_connections", lambda: 5)
    with serving() as port, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(8)]
        assert ask(port) == b"ok"
        assert slow[0].recv(1) == b""


class Attack:
    """Holds connections open with half a request each, and has another process guess."""

    def __init__(self, address, *, connections, guesses, addresses):
        self.port = urllib.parse.urlsplit(address).port
        self._slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(connections)]
        for slow in self._slow:
            slow.send(b"GET /errors HTTP/1.1\r\nX: ")
        command = [sys.executable, "-m", "tests.web.guessing", *map(str, (self.port, guesses, addresses))]
        self.guessing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def page(self, cookie):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            begun = time.monotonic()
            connection.request("GET", "/errors", headers={"Cookie": cookie})
            response = connection.getresponse()
            assert response.status == 200
            response.read()
            return time.monotonic() - begun

    def close(self):
        self.guessing.kill()
        self.guessing.communicate()
        for slow in self._slow:
            slow.close()


@pytest.mark.parametrize(
    ("connections", "guesses", "addresses"),
    [(300, 20, 15), pytest.param(500, 10_000, 1000, marks=pytest.mark.stress)],
)
def test_under_attack_the_administrator_sees_the_page_and_a_right_password_is_accepted(
    log, connections, guesses, addresses
):
    given = ("--log", log, "--trusted-proxy", "127.0.0.1")
    with (
        served(*given, VISIGATE_PASSWORD_HASH=hashed_password(PASSWORD)) as address,
        contextlib.closing(Attack(address, connections=connections, guesses=guesses, addresses=addresses)) as attack,
    ):
        waits = []
        while attack.guessing.poll() is None or not waits:
            status, cookie = log_in(attack.port, PASSWORD, f"192.0.2.{len(waits) % 250}")
            assert (status, bool(cookie)) == (302, True)
            waits.append(attack.page(cookie))
        statuses = json.loads(attack.guessing.stdout.read())
        assert {*statuses} <= {"403", "429"}
        assert sum(statuses.values()) == guesses
        print(f"\n{len(waits)} pages under attack, half within {median(waits):.3f} s, all within {max(waits):.3f} s")
