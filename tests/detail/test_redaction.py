"""Secrets are masked, harmless texts stay, and no text makes a pattern slow."""

import time

import pytest

from visigate_logging.detail.redaction import Redactor

R = Redactor(["address", "Kennwörter", "plate_номер"])
S = "hunter2"

WITH_SECRETS = [
    "rtsp://admin:hunter2@10.0.0.5/stream",
    "rtsp://admin:p@ss/hunter2@host:554/x",
    "postgresql://u:hunter2@h/db",
    "cannot open rtsp://hunter2@h:554, retrying",
    "http://a:b@h and rtsp://c:hunter2@i",
    "rtsp://:hunter2@h",
    "rtsp://admin:12hunter2@h",
    "password=hunter2",
    "password='hunter2'",
    '{"password": "ab\\"hunter2"}',
    '{\\"password\\": \\"hunter2\\"}',
    "password=b'hunter2'",
    "password=SecretStr('hunter2')",
    "passwords: ['a', 'hunter2']",
    "password={'old': 'x', 'new': 'hunter2'}",
    'password="hunter2 unterminated',
    "password: str = 'hunter2'",
    "userToken=hunter2",
    "accessToken: hunter2",
    "X-Api-Key: hunter2",
    "Authorization: Bearer hunter2",
    "Authorization: Basic aHVudGVyMg==hunter2",
    "Cookie: session=hunter2; a=hunter2",
    "Set-Cookie: sid=hunter2; Path=/",
    "--password hunter2",
    "--db-password=hunter2",
    "['--password', 'hunter2']",
    "Command '['curl', '-u', 'admin:hunter2', 'http://10.0.0.5/snapshot']' returned non-zero exit status 7.",
    "curl -s -u admin:hunter2 http://10.0.0.5/snapshot",
    "curl --user=admin:hunter2 --proxy-user 'a:hunter2'",
    "('password', 'hunter2')",
    "password=ab)hunter2",
    "PGPASSWORD=hunter2",
    "AWS_SECRET_ACCESS_KEY=hunter2/abc",
    "Bearer hunter2hunter2X",
    "addresses=hunter2",
    "address: hunter2",
    "Kennwörter: hunter2",
    "plate_номер=hunter2",
    "PASSWORD=hunter2",
    "AUTH_TOKEN=hunter2",
    "{'headers': {'Authorization': 'Bearer hunter2'}}",
    "headers={'Cookie': 'a=1; hunter2'}",
    "user.password = 'hunter2'",
    "jwt=hunter2",
    "pwd=hunter2;x",
    "?token=hunter2&a=b",
    "http://10.0.0.5/snapshot?user=admin&pass=hunter2",
    "{'smtp': {'user': 'gate', 'pass': 'hunter2'}}",
    "psk=hunter2",
    "token => hunter2",
    "eyJhbGciOiJIUzI1NiJ9.hunter2eyJzdWIi.hunter2",
    "ghp_hunter2aaaaaaaaaaaaaaaaa",
    "AKIAHUNTER2AAAAAAAAA",
    "sk-hunter2aaaaaaaaaaaaaaaaa",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\\nhunter2",
    "password = 'a' 'b', token=hunter2",
]

HARMLESS = [
    "GPIO pin: 17",
    "journalctl -u visigate-camera",
    "fetch -u http://10.0.0.5:80/snapshot",
    "--user visigate --group video",
    "author: Bob",
    "AUTHOR: Bob",
    "Authors: a, b",
    "3 tokens left",
    "unexpected token in line 3",
    "time 12:30",
    "http://host:8080/path?mail=a@b.c",
    "basic understanding",
    "Basic understanding",
    "Basic Authentication required",
    "Digest authentication failed",
    "Bearer token expired",
    "bearer of bad news.",
    "negotiate settings",
    "the secret of success",
    "a password is needed",
    "compass=3",
    "bypass: 3",
    "the test did pass, and 3 passes follow",
    "    pass\nelse: x",
    "passenger: Bob",
    "task-force-of-the-whole-world-now",
    "monkey: 5",
    "keyboard: de",
    "authority=x",
    "rtsp://10.0.0.5:554/stream",
    "mail a@b.c",
    "KeyError: 'plate'",
    "cookiecutter failed",
    "'tokenize' failed",
    "class Passage: x",
    "[Errno 111] Connection refused",
    "http://host/a/b?x=1#y",
    "see https://docs.python.org/3/library/ssl.html",
    "skip-this-very-long-hyphenated-name",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_secret_in_a_text_is_masked(text: str) -> None:
    masked = R.text(f"before {text} after")
    assert S not in masked.lower()
    assert "***" in masked
    assert masked.startswith("before ")


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_stays(text: str) -> None:
    assert R.text(text) == text


def test_what_is_beside_a_secret_stays() -> None:
    text = "no picture from rtsp://admin:hunter2@10.0.0.5:554/stream?channel=1, password='x', retry in 5 s"
    assert R.text(text) == "no picture from rtsp://***@10.0.0.5:554/stream?channel=1, password=***, retry in 5 s"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("db_password", True),
        ("X-Api-Key", True),
        ("userToken", True),
        ("tokens", True),
        ("PGPASSWORD", True),
        ("clientsecret", True),
        ("Authorization", True),
        ("sessionId", True),
        ("address", True),
        ("addresses", True),
        ("Kennwörter", True),
        ("plate_номер", True),
        ("credentials", True),
        ("access_keys", True),
        ("author", False),
        ("pin", False),
        ("key", False),
        ("plate", False),
        ("compass", False),
        ("", False),
        ("monkey", False),
        ("номер", False),
        ("x" * 10_000, False),
    ],
)
def test_a_key_is_secret_by_its_words(key: str, secret: bool) -> None:
    assert R.is_secret(key) is secret


FRAGMENTS = [
    "://",
    "a://b:",
    "://a:b",
    "password=",
    'password="',
    "password='",
    'password=\\"',
    "password=(",
    "password=a(",
    "password=a'",
    "password=b'",
    "password='\\",
    "password=[",
    "password=\\",
    "-----BEGIN A-----",
    "-----BEGIN ",
    "-----END A-----",
    "eyJ",
    "eyJ-",
    "eyJaaaaa.",
    "eyJaaaaa-",
    "Bearer ",
    "Bearer a-",
    "Basic aaaaaaaaaaaaaaaaaaaaa",
    "Basic a-a-a-a-",
    "cookie:",
    "cookie",
    "authorization ",
    "auth",
    "auth_",
    "--password ",
    "-a-",
    "- ",
    "--a-auth",
    "token,",
    "token ",
    "sk-",
    "xoxb-",
    "ghp_",
    "AKIA",
    "A",
    "\\",
    "secret_access_key",
    "api key",
    "a@",
    "/",
    "://a@",
    "://:",
    "token:(",
    "tokens",
    '"token',
    'token"   ',
    "token a",
    "apiKey",
    "\n",
    "'",
    '"',
    "=",
]


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_no_repeated_fragment_makes_a_pattern_slow(fragment: str) -> None:
    for prefix in ("", 'password="', "token ", "eyJ://-----BEGIN A-----"):
        text = (prefix + fragment * (65_536 // len(fragment) + 1))[:65_536]
        started = time.process_time()
        R.text(text)
        assert time.process_time() - started < 0.5


def test_keys_that_are_remembered_are_bounded() -> None:
    redactor = Redactor()
    for number in range(5000):
        redactor.is_secret(f"key{number}")
    assert len(redactor._known) <= 1024
    redactor.is_secret("x" * 100_000)
    assert "x" * 100_000 not in redactor._known


def test_a_key_to_mask_that_has_no_words_is_passed_over() -> None:
    assert Redactor(["---", ""]).text("--- = 5") == "--- = 5"
