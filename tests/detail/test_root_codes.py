"""Errors of HTTP libraries are told apart by what the network said at the root."""

import errno
import logging
import socket
import sys

import httpx
import pytest
import requests

from visigate_logging.detail.record import ErrorDetail


def key(library, port=9):
    try:
        library.get(f"http://127.0.0.1:{port}/", timeout=2)
    except (requests.RequestException, httpx.HTTPError):
        record = logging.LogRecord(
            "gate", logging.ERROR, __file__, 1, "the camera's page is away", (), sys.exc_info()
        )
        return ErrorDetail.from_record(record).fingerprint
    raise AssertionError("it was reached")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def answering(monkeypatch):
    """Let the network say what it cannot be made to say here."""

    def answer(number):
        def connect(_self, _address):
            raise OSError(number, "as the kernel says it")

        monkeypatch.setattr(socket.socket, "connect", connect)

    return answer


@pytest.mark.parametrize("library", [requests, httpx], ids=["requests", "httpx"])
def test_refused_no_route_and_unreachable_are_three_groups(answering, library):
    refused = {key(library, closed_port()) for _ in range(2)}  # really
    assert len(refused) == 1, "whatever the port"
    others = set()
    for number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT):
        answering(number)
        others.add(key(library))
    assert len(refused | others) == 4
