"""The options of the mail handler: what YAML may give, and what is refused by name."""

from types import SimpleNamespace

import pytest

from visigate_logging import ThrottledSMTPHandler
from visigate_logging.delivery.channels.server import Credentials, Security
from visigate_logging.delivery.throttle import Windows
from visigate_logging.exceptions import ConfigurationError, MailServerError


def read(**given):
    """Return what a handler makes of its options."""
    handler = ThrottledSMTPHandler(**({"mailhost": "m", "fromaddr": "g@x.org", "toaddrs": "a@x.org"} | given))
    if not handler.routes:
        return None
    [route] = handler.routes
    return SimpleNamespace(**vars(route.delivery.channel), **vars(route.delivery), severity=route.severity)


@pytest.mark.parametrize(
    ("mailhost", "secure", "host", "port"),
    [
        ("mail.example", None, "mail.example", 25),
        ("mail.example", "starttls", "mail.example", 587),
        ("mail.example", "tls", "mail.example", 465),
        ("mail.example:2525", "tls", "mail.example", 2525),
        (["mail.example", 2525], None, "mail.example", 2525),
        (("mail.example", "2525"), None, "mail.example", 2525),
        (["mail.example"], "tls", "mail.example", 465),
        ("[::1]:26", None, "::1", 26),
        ("[::1]", None, "::1", 25),
        ("::1", None, "::1", 25),
    ],
)
def test_the_mail_host_has_the_port_that_is_given_or_usual(mailhost, secure, host, port):
    server = read(mailhost=mailhost, secure=secure).server
    assert (server.host, server.port) == (host, port)


@pytest.mark.parametrize(
    ("secure", "made"),
    [
        (None, None),
        ([], Security("starttls")),
        ((), Security("starttls")),
        (["key.pem"], Security("starttls", key_file="key.pem", cert_file="key.pem")),
        (["key.pem", "cert.pem"], Security("starttls", key_file="key.pem", cert_file="cert.pem")),
        ({"mode": "tls", "ca_file": "ca.pem", "verify": False}, Security("tls", ca_file="ca.pem", verify=False)),
    ],
)
def test_secure_takes_what_smtphandler_takes_and_more(secure, made):
    assert read(secure=secure).server.security == made


def test_credentials_are_a_pair_or_a_mapping_with_one_place_for_the_password():
    assert read(credentials=["u", "p"]).server.credentials == Credentials("u", "p")
    given = {"username": "u", "password_env": "MAIL_PASSWORD"}
    assert read(credentials=given).server.credentials == Credentials("u", password_env="MAIL_PASSWORD")


def test_the_password_comes_from_where_it_is_said_to_be(tmp_path, monkeypatch):
    (tmp_path / "mail").write_text("from file\n")
    monkeypatch.setenv("MAIL_PASSWORD", "from environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Credentials("u", password="as it is").secret() == "as it is"
    assert Credentials("u", password_env="MAIL_PASSWORD").secret() == "from environment"
    assert Credentials("u", password_file=str(tmp_path / "mail")).secret() == "from file"
    assert Credentials("u", password_credential="mail").secret() == "from file"


@pytest.mark.parametrize(
    ("where", "cure"),
    [
        ({"password_env": "ABSENT_PASSWORD"}, "ABSENT_PASSWORD is not set"),
        ({"password_file": "/absent/password"}, "Check the path"),
        ({"password_credential": "mail"}, "LoadCredential=mail"),
    ],
)
def test_a_password_that_is_not_there_is_explained(where, cure, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(MailServerError, match=cure):
        Credentials("u", **where).secret()


@pytest.mark.parametrize(
    ("key", "mailhost", "credentials", "secure", "timeout"),
    [
        ("mailhost", "", None, None, 5),
        ("mailhost", None, None, None, 5),
        ("mailhost", "mail:port", None, None, 5),
        ("mailhost", ["mail", 70000], None, None, 5),
        ("mailhost", ["mail", 25, 1], None, None, 5),
        ("credentials", "m", "user:password", None, 5),
        ("credentials", "m", ["user"], None, 5),
        ("credentials", "m", {"username": "u"}, None, 5),
        ("credentials", "m", {"username": "u", "password": "p", "password_env": "E"}, None, 5),
        ("credentials.pasword", "m", {"username": "u", "pasword": "p"}, None, 5),
        ("credentials.password", "m", {"username": "u", "password": 123}, None, 5),
        ("secure", "m", None, "ssl", 5),
        ("secure", "m", None, True, 5),
        ("secure.mode", "m", None, {"ca_file": "x"}, 5),
        ("secure.cafile", "m", None, {"mode": "tls", "cafile": "x"}, 5),
        ("secure.verify", "m", None, {"mode": "tls", "verify": "maybe"}, 5),
        ("timeout", "m", None, None, 0),
        ("timeout", "m", None, None, "5"),
        ("timeout", "m", None, None, float("nan")),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(key, mailhost, credentials, secure, timeout):
    with pytest.raises(ConfigurationError) as caught:
        read(mailhost=mailhost, credentials=credentials, secure=secure, timeout=timeout)
    assert caught.value.key == key


def test_a_password_is_not_shown_in_what_is_refused():
    with pytest.raises(ConfigurationError) as caught:
        read(credentials="user:hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("group_wait", {"group_wait": -1}),
        ("interval", {"interval": 0}),
        ("max_interval", {"max_interval": 10}),
        ("quiet", {"quiet": "1h"}),
        ("max_per_hour", {"max_per_hour": 0}),
        ("max_per_hour", {"max_per_hour": 1.5}),
        ("max_per_hour", {"max_per_hour": True}),
    ],
)
def test_windows_that_cannot_be_are_refused_by_their_key(key, values):
    assert read().windows == Windows()
    with pytest.raises(ConfigurationError) as caught:
        read(**values)
    assert caught.value.key == key


def recipients(toaddrs):
    return read(toaddrs=toaddrs).template.recipients


def test_addresses_are_a_list_or_a_text_with_commas():
    assert recipients("a@x.org, b@x.org") == ("a@x.org", "b@x.org")
    assert recipients(["a@x.org"]) == ("a@x.org",)
    assert recipients(["root", "Gate <root>"]) == ("root", "Gate <root>")
    assert recipients('"Maier, Anna" <a@x.org>, b@x.org') == ('"Maier, Anna" <a@x.org>', "b@x.org")
    assert recipients(["admin@localhost", "a+b@[127.0.0.1]"]) == (
        "admin@localhost",
        "a+b@[127.0.0.1]",
    )
    assert read(fromaddr="Tor Süd <gate@x.org>").template.sender == "Tor Süd <gate@x.org>"


@pytest.mark.parametrize(
    "value", ["", [], "admin.example.org", ["a@"], ["a@x.org\nBcc: b@x.org"], 5, [5], "ä@x.org", "A <a@x.org"]
)
def test_addresses_that_cannot_be_are_refused(value):
    with pytest.raises(ConfigurationError) as caught:
        recipients(value)
    assert caught.value.key.partition(".")[0] == "toaddrs"


def test_levels_are_names_or_numbers():
    assert read(severity="critical").severity == 50
    assert read(severity=35).severity == 35
    with pytest.raises(ConfigurationError, match="known are"):
        read(severity="SEVERE")


def test_mails_come_from_the_first_who_is_told_unless_a_sender_is_given():
    assert read(fromaddr=None, toaddrs=["b@x.org", "a@x.org"]).template.sender == "b@x.org"


def test_all_that_is_wrong_is_told_at_once_each_by_its_key():
    wrong = {"toaddrs": ["a@"], "timeout": 0, "quiet": "1h", "url": "", "summary": "x", "severity": "SEVERE"}
    nested = {
        "credentials": {"username": "u", "pasword": "p"},
        "secure": {"mode": "ssl"},
        "advice": [{"types": ["X"]}],
    }
    with pytest.raises(ConfigurationError) as caught:
        read(**wrong, **nested)
    keys = {error.key for error in (caught.value, *caught.value.others)}
    assert keys == {*wrong, "credentials.pasword", "secure.mode", "advice.0.advice"}


def test_options_that_do_not_go_together_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        read(mailhost=None, interval=60, max_interval=10)
    assert {error.key for error in (caught.value, *caught.value.others)} == {"mailhost", "max_interval"}
