"""``visigate-errors serve`` while others hold its connections and guess its password."""

import contextlib
import http.client
import socket
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.serving import served
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
    """Holds connections open with half a request each, and guesses from many addresses by the word of a proxy."""

    def __init__(self, address, *, connections, guesses, addresses):
        self.where = urllib.parse.urlsplit(address)
        self._slow = [socket.create_connection((self.where.hostname, self.where.port)) for _ in range(connections)]
        for slow in self._slow:
            slow.send(b"GET /errors HTTP/1.1\r\nX: ")
        self._guesses, self._addresses = guesses, addresses

    def guess(self, n):
        client = f"10.0.{n % self._addresses >> 8}.{n % self._addresses & 255}"
        status, _ = self.post("wrong", client)
        return status

    def post(self, password, client):
        connection = http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=120)
        with contextlib.closing(connection):
            headers = {"X-Forwarded-For": client, "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/login", urllib.parse.urlencode({"password": password}), headers)
            response = connection.getresponse()
            response.read()
            return response.status, response.headers.get("Set-Cookie", "").split(";")[0]

    def page(self, cookie):
        connection = http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=120)
        with contextlib.closing(connection):
            begun = time.monotonic()
            connection.request("GET", "/errors", headers={"Cookie": cookie})
            response = connection.getresponse()
            assert response.status == 200
            response.read()
            return time.monotonic() - begun

    def close(self):
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
        ThreadPoolExecutor(50) as pool,
    ):
        status, cookie = attack.post(PASSWORD, "192.0.2.1")
        assert (status, bool(cookie)) == (302, True)
        statuses = [pool.submit(attack.guess, n) for n in range(guesses)]
        waits = []
        while not statuses[-1].done():
            waits.append(attack.page(cookie))
            status, cookie = attack.post(PASSWORD, f"192.0.2.{len(waits) % 250}")
            assert status == 302
        assert {future.result() for future in statuses} <= {403, 429}
        print(f"\n{len(waits)} pages under attack, half within {median(waits):.3f} s, all within {max(waits):.3f} s")
