"""The pages as an application of their own: who gets in, and how often one may try."""

import stat
import time

import pytest

from tests.web.conftest import chained
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host.clock import Instant
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.attempts import FORGOTTEN_AFTER, FREE, MOST_CLIENTS, Attempts
from visigate_logging.web.passwords import Password, check_hash, hashed_password
from visigate_logging.web.sessions import Sessions
from visigate_logging.web.standalone import create_app, is_loopback

PASSWORD = "open sesame"
TOKEN = "t0ken"
HASH = hashed_password(PASSWORD)


@pytest.fixture
def app(log):
    """The application with a password."""
    store = ErrorStore(log)
    yield create_app(store, lambda: HASH)
    store.close()


def log_in(client, password=PASSWORD, **fields):
    return client.post("/login", data={"password": password, **fields})


def test_every_route_but_the_login_and_the_style_sheet_asks_for_the_password(app):
    adapter = app.url_map.bind("localhost")
    values = {"event_id": chained().event_id, "key": "x", "filename": "errors.css"}
    for rule in app.url_map.iter_rules():
        address = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}, method=None)
        if rule.endpoint in {"login", "static", "errors.healthz"}:
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


def test_wrong_passwords_slow_a_client_and_never_lock_it_out(app, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    app.view_functions["login"].__self__._attempts = Attempts(lambda: now[0])
    client = app.test_client()
    for _ in range(FREE):
        assert log_in(client, "wrong").status_code == 403
    response = log_in(client)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert "Try again in 1 seconds" in response.text
    now[0] += 1
    assert log_in(client).status_code == 302


def test_who_is_logged_in_is_not_asked_again_whatever_others_try_from_the_same_address(app):
    client = app.test_client()
    log_in(client)
    for _ in range(10):
        log_in(app.test_client(), "wrong")
    assert client.get("/errors").status_code == 200
    assert log_in(client, "wrong").location == "/errors"


def test_after_the_logout_the_old_cookie_opens_nothing(app):
    client = app.test_client()
    cookie = log_in(client).headers["Set-Cookie"].split(";")[0]
    client.post("/logout")
    assert app.test_client().get("/errors", headers={"Cookie": cookie}).status_code == 302


def test_a_session_ends_after_twelve_hours_however_often_it_was_used():
    now = [Instant("boot", 0.0)]
    sessions = Sessions(now=lambda: now[0])
    token = sessions.begin("secret")
    for hour in range(12):
        now[0] = Instant("boot", hour * 3600.0)
        assert sessions.holds(token, "secret")
    now[0] = Instant("boot", 12 * 3600.0)
    assert not sessions.holds(token, "secret")


def test_a_session_ends_with_the_boot_and_with_another_secret():
    now = [Instant("boot", 5.0)]
    sessions = Sessions(now=lambda: now[0])
    token = sessions.begin("secret")
    assert not sessions.holds(token, "another")
    now[0] = Instant("next boot", 6.0)
    assert not sessions.holds(token, "secret")


def test_sessions_outlive_the_server_in_a_file_of_its_user_alone(tmp_path):
    path = tmp_path / "sessions.json"
    token = Sessions(path).begin("secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    assert Sessions(path).holds(token, "secret")
    Sessions(path).end(token)
    assert not Sessions(path).holds(token, "secret")
    assert [file.name for file in tmp_path.iterdir()] == ["sessions.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"x": 1}', '{"x": {"begun": "never"}}', "\xff"])
def test_a_damaged_file_holds_no_session(tmp_path, content):
    path = tmp_path / "sessions.json"
    path.write_text(content, "latin-1")
    path.chmod(0o600)
    sessions = Sessions(path)
    assert not sessions.holds("x", "secret")
    assert sessions.holds(sessions.begin("secret"), "secret")


def test_a_file_of_sessions_that_others_could_have_written_is_not_believed(tmp_path):
    path = tmp_path / "sessions.json"
    token = Sessions(path).begin("secret")
    path.chmod(0o666)
    assert not Sessions(path).holds(token, "secret")
    path.rename(tmp_path / "real")
    (tmp_path / "real").chmod(0o600)
    path.symlink_to(tmp_path / "real")
    assert not Sessions(path).holds(token, "secret")


def test_a_hundred_sessions_are_kept():
    sessions = Sessions()
    tokens = [sessions.begin("secret") for _ in range(101)]
    assert [sessions.holds(token, "secret") for token in tokens] == [False] + [True] * 100


def test_a_changed_password_ends_sessions_and_opens_at_once(log):
    hashes = [HASH]
    with ErrorStore(log) as store:
        app = create_app(store, lambda: hashes[0])
        client = app.test_client()
        log_in(client)
        hashes[0] = hashed_password("close sesame")
        assert client.get("/errors").status_code == 302
        assert log_in(client, "close sesame").status_code == 302
        assert client.get("/errors").status_code == 200


def test_the_address_is_taken_from_a_named_proxy_and_from_nobody_else(log):
    with ErrorStore(log) as store:
        app = create_app(store, lambda: HASH, trusted_proxies=["127.0.0.1"])

        def tries(peer, client):
            headers = {"X-Forwarded-For": client, "X-Forwarded-Proto": "https"}
            return app.test_client().post(
                "/login", data={"password": "wrong"}, headers=headers, environ_base={"REMOTE_ADDR": peer}
            )

        for _ in range(FREE):
            tries("127.0.0.1", "10.0.0.1")
        assert tries("127.0.0.1", "10.0.0.1").status_code == 429
        assert tries("127.0.0.1", "10.0.0.2").status_code == 403
        for n in range(FREE):
            tries("10.9.9.9", f"10.0.1.{n}")
        assert tries("10.9.9.9", "10.0.1.9").status_code == 429


def test_behind_a_proxy_with_tls_the_cookie_never_crosses_a_plain_connection(log):
    with ErrorStore(log) as store:
        app = create_app(store, lambda: HASH, trusted_proxies=["127.0.0.1"])
        secure = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https"}
        response = app.test_client().post("/login", data={"password": PASSWORD}, headers=secure)
        assert "Secure" in response.headers["Set-Cookie"]
        assert "Secure" not in log_in(app.test_client()).headers["Set-Cookie"]


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(app):
    cookie = log_in(app.test_client()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_the_login_page_has_the_strict_headers_too(app):
    headers = app.test_client().get("/login").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_the_wait_doubles_to_eight_seconds_for_the_client_that_failed_alone_and_is_forgotten():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(8):
        attempts.fail("10.0.0.1")
        waits.append(attempts.wait("10.0.0.1"))
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]
    assert attempts.wait("10.0.0.2") == 0
    now[0] = FORGOTTEN_AFTER
    attempts.fail("10.0.0.1")
    assert attempts.wait("10.0.0.1") == 0


def test_an_ipv6_network_is_one_client():
    attempts = Attempts(lambda: 0.0)
    for n in range(FREE):
        attempts.fail(f"2001:db8::{n}")
    assert attempts.wait("2001:db8::ffff") > 0


def test_many_clients_fill_no_memory_and_hold_up_no_other():
    attempts = Attempts(lambda: 0.0)
    for n in range(MOST_CLIENTS + 1000):
        for _ in range(FREE):
            attempts.fail(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(attempts._failures) == MOST_CLIENTS
    assert attempts.wait("192.0.2.1") == 0


def test_who_knows_the_password_is_not_held_up_by_mistakes_of_before():
    attempts = Attempts(lambda: 0.0)
    for _ in range(FREE):
        attempts.fail("10.0.0.1")
    attempts.forgive("10.0.0.1")
    assert attempts.wait("10.0.0.1") == 0


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
        client = create_app(store, token=TOKEN).test_client()
        bearer = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
        assert client.get("/errors", headers=bearer).status_code == status


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
        client = create_app(store, token=TOKEN).test_client()
        assert client.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).location == "/errors"


def test_without_a_password_the_token_opens_the_pages_once_and_a_cookie_from_then_on(log):
    with ErrorStore(log) as store:
        app = create_app(store, token=TOKEN)
        client = app.test_client()
        for wrong in ("", "?token=", "?token=x", "?token=%ff"):
            assert client.get(f"/errors{wrong}").status_code == 403
        response = client.get(f"/errors?view=errors&token={TOKEN}")
        assert response.location == "/errors?view=errors"
        assert client.get(response.location).status_code == 200
        assert app.test_client().get("/errors").status_code == 403


def test_every_route_without_a_password_asks_for_the_token(log):
    with ErrorStore(log) as store:
        app = create_app(store, token=TOKEN)
        adapter = app.url_map.bind("localhost")
        values = {"event_id": chained().event_id, "key": "x", "filename": "errors.css"}
        for rule in app.url_map.iter_rules():
            if rule.endpoint not in {"static", "errors.healthz"}:
                address = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
                assert app.test_client().get(address).status_code == 403, address


def test_an_application_with_neither_password_nor_token_is_not_made(log):
    with ErrorStore(log) as store, pytest.raises(ConfigurationError, match="every user of this host"):
        create_app(store)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: PASSWORD,
        lambda _: "a$b$c",
        lambda _: "scrypt:x:8:1$salt$" + "0" * 128,
        lambda known: known[:-110],
        lambda known: f"{known} ",
        lambda known: f"{known}\n$",
    ],
)
def test_what_no_password_can_ever_match_is_no_hash(spoil):
    with pytest.raises(ValueError, match="no hash"):
        check_hash(spoil(HASH))


def test_what_set_password_writes_is_a_hash():
    assert check_hash(HASH) == HASH


def test_a_password_that_was_right_once_makes_no_guess_costly(monkeypatch):
    hashes = [HASH]
    password = Password(lambda: hashes[0])
    assert not password.matches("open says me")
    assert password.matches(PASSWORD)
    with monkeypatch.context() as without:
        without.setattr("visigate_logging.web.passwords.check_password_hash", None)
        assert password.matches(PASSWORD)
        assert not password.matches("open says me")
        assert not password.matches("\ud800")
    hashes[0] = hashed_password("close sesame")
    assert not password.matches(PASSWORD)
    assert password.matches("close sesame")
    assert not password.matches(PASSWORD)
