"""The pages as an application of their own: who gets in, and how often one may try."""

import pytest

from tests.web.conftest import chained
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.attempts import MOST_CLIENTS, PERIOD, Attempts
from visigate_logging.web.standalone import create_app, hashed_password, is_loopback

PASSWORD = "open sesame"
HASH = hashed_password(PASSWORD)


@pytest.fixture
def app(log):
    """The application with a password."""
    store = ErrorStore(log)
    yield create_app(store, HASH)
    store.close()


def log_in(client, password=PASSWORD, **fields):
    return client.post("/login", data={"password": password, **fields})


def test_every_route_but_the_login_and_the_style_sheet_asks_for_the_password(app):
    adapter = app.url_map.bind("localhost")
    values = {"event_id": chained().event_id, "key": "x", "filename": "errors.css"}
    for rule in app.url_map.iter_rules():
        address = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}, method=None)
        if rule.endpoint in {"login", "static"}:
            continue
        with app.test_client().open(address, method="GET" if "GET" in rule.methods else "POST") as response:
            assert response.status_code == 302, address


def test_the_password_opens_the_page_that_was_asked_for(app):
    client = app.test_client()
    response = client.get("/errors?view=errors")
    assert response.location.startswith("/login?after=")
    response = log_in(client, after="/errors?view=errors")
    assert response.location == "/errors?view=errors"
    assert client.get(response.location).status_code == 200
    client.post("/logout")
    assert client.get("/errors").status_code == 302


@pytest.mark.parametrize(
    "after", ["//elsewhere", "https://elsewhere", "/errors/\\elsewhere", "/errorsx", "javascript:1", ""]
)
def test_a_login_never_leads_elsewhere(app, after):
    assert log_in(app.test_client(), after=after).location == "/errors"


def test_a_wrong_password_is_refused_and_after_five_none_is_looked_at(app):
    client = app.test_client()
    for _ in range(5):
        assert log_in(client, "wrong").status_code == 403
    response = log_in(client)
    assert response.status_code == 429
    assert "Try again in" in response.text
    assert client.get("/errors").status_code == 302


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(app):
    cookie = log_in(app.test_client()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_the_login_page_has_the_strict_headers_too(app):
    headers = app.test_client().get("/login").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_tries_are_counted_for_each_client_and_forgotten_in_time():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(5):
        assert attempts.wait("10.0.0.1") == 0
    assert attempts.wait("10.0.0.1") == PERIOD + 1
    assert attempts.wait("10.0.0.2") == 0
    now[0] = PERIOD
    assert attempts.wait("10.0.0.1") == 0


def test_an_ipv6_network_is_one_client():
    attempts = Attempts(lambda: 0.0)
    assert [attempts.wait(f"2001:db8::{n}") for n in range(6)][-1] > 0


def test_many_clients_fill_no_memory_and_get_no_further():
    attempts = Attempts(lambda: 0.0)
    waits = [attempts.wait(f"10.0.{n // 256}.{n % 256}") for n in range(MOST_CLIENTS + 10)]
    assert waits[:MOST_CLIENTS] == [0] * MOST_CLIENTS
    assert all(waits[MOST_CLIENTS:])


def test_who_knows_the_password_is_not_held_up():
    attempts = Attempts(lambda: 0.0)
    for _ in range(15):
        assert attempts.wait("10.0.0.1") == 0
        attempts.forgive("10.0.0.1")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8008", 200),
        ("127.0.0.1", 200),
        ("[::1]:8008", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("10.0.0.7", 403),
    ],
)
def test_without_a_password_only_this_computer_s_own_names_are_answered(log, host, status):
    with ErrorStore(log) as store:
        assert create_app(store).test_client().get("/errors", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("gate", False),
    ],
)
def test_what_only_this_computer_can_reach(host, expected):
    assert is_loopback(host) is expected


def test_the_root_leads_to_the_list(log):
    with ErrorStore(log) as store:
        assert create_app(store).test_client().get("/").location == "/errors"
