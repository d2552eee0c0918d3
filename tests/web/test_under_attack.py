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
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.serving import served
from tests.waiting import wait_until
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
def serving(app=answered):
    """A server in a thread of this process."""
    server = create_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
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
    with serving() as server, socket.create_connection(("127.0.0.1", server.effective_port), timeout=20) as slow:
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
    with serving() as server, contextlib.ExitStack() as stack:
        where = "127.0.0.1", server.effective_port
        slow = [stack.enter_context(socket.create_connection(where, timeout=20)) for _ in range(8)]
        assert ask(server.effective_port) == b"ok"
        assert slow[0].recv(1) == b""


def test_of_the_logins_that_wait_the_newest_comes_first_and_no_page_waits():
    checked, go_on = [], threading.Event()

    def checking(environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            checked.append(environ["HTTP_X_FORWARDED_FOR"])
            go_on.wait(20)
        return answered(environ, start_response)

    with serving(checking) as server, ThreadPoolExecutor(3) as pool:
        logins = []
        for n in range(3):
            logins.append(pool.submit(log_in, server.effective_port, "guessed", f"10.0.0.{n}"))
            wait_until(lambda: len(checked) + len(server._logins.queue) == len(logins))
        assert ask(server.effective_port) == b"ok"
        go_on.set()
        assert [login.result()[0] for login in logins] == [200] * 3
    assert checked == ["10.0.0.0", "10.0.0.2", "10.0.0.1"]


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
        waits, logins = [], []
        while attack.guessing.poll() is None or not waits:
            begun = time.monotonic()
            status, cookie = log_in(attack.port, PASSWORD, f"192.0.2.{len(waits) % 250}")
            logins.append(time.monotonic() - begun)
            assert (status, bool(cookie)) == (302, True)
            waits.append(attack.page(cookie))
        statuses = json.loads(attack.guessing.stdout.read())
        assert {*statuses} <= {"403", "429"}
        assert sum(statuses.values()) == guesses
        for what, times in (("pages", waits), ("logins", logins)):
            print(f"\n{len(times)} {what} under attack, half within {median(times):.3f} s, all in {max(times):.3f} s")
