"""Masks take the secrets and leave what went wrong: a table of forty of each."""

import logging

import pytest

from tests.detail import raising
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.redaction import Redactor

SECRETS = [
    ("login failed, password: Sommer2024", "Sommer2024"),
    ("wrong password: geheim", "geheim"),
    ("password: 'geheim'", "geheim"),
    ("the password was: hunter2 and was refused", "hunter2"),
    ("user admin, passwd=geheim, host=10.0.0.5", "geheim"),
    ("bad credentials: admin:geheim1", "geheim1"),
    ("credentials: ['admin', 'geheim']", "geheim"),
    ("Authorization: Basic YWRtaW46Z2VoZWlt", "YWRtaW46Z2VoZWlt"),
    ("Authorization: Bearer 8f14e45fceea167a", "8f14e45fceea167a"),
    ("authorization failed: Bearer abcdef.GHIJKL.mnopqr", "abcdef.GHIJKL.mnopqr"),
    ("Authorization: Token 9944b09199c62bcf", "9944b09199c62bcf"),
    ("Proxy-Authorization: Digest username=x, nonce=geheim1", "geheim1"),
    ("Error validating API key: 7d793037a0760186", "7d793037a0760186"),
    ("invalid API key: AbCdEfGhIjKlMnOp", "AbCdEfGhIjKlMnOp"),
    ("api_key=7d793037a0760186 rejected", "7d793037a0760186"),
    ("Error checking token: a1b2c3d4e5f6 is not known", "a1b2c3d4e5f6"),
    ("session_id: 0cc175b9c0f1b6a8", "0cc175b9c0f1b6a8"),
    ("Set-Cookie: sid=geheim; Path=/; HttpOnly", "geheim"),
    ("Cookie: session=geheim; lang=de", "geheim"),
    ("cookies={'session': 'geheim'}", "geheim"),
    ("smtp login with ('auth', 'geheim')", "geheim"),
    ("psk: kaffee-und-kuchen-4", "kaffee-und-kuchen-4"),
    ('{"secret": "drei worte lang"}', "drei worte lang"),
    ("client_secret: drei-worte", "drei-worte"),
    ("no picture from rtsp://admin:geheim@10.0.0.5:554/1", "geheim"),
    ("password='geheim und lang'", "geheim und lang"),
    ("the password is Sommer2024", "Sommer2024"),
    ("invalid password 'geheim' for user admin", "geheim"),
    ("--password geheim --user admin", "geheim"),
    ("wrong PIN: 4711", "4711"),
    ("<Password>geheim</Password>", "geheim"),
    ("[SQL: INSERT INTO users (name, password) VALUES (?, ?)] [parameters: ('anna', 'geheim')]", "geheim"),
    ("INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: [('a', 'geheim'), ('b', 'geheim')]]", "geheim"),
    ("INSERT INTO users (password, name) VALUES ('geheim', 'anna')", "geheim"),
    ("INSERT INTO users (id, token) VALUES (1, 'geheim'), (2, 'geheim')", "geheim"),
    ("[SQL: UPDATE users SET name=?, password=? WHERE id=?]\n[parameters: ('anna', 'geheim', 5)]", "geheim"),
    ("execute('SELECT id FROM users WHERE name = %s AND password = %s', ('anna', 'geheim'))", "geheim"),
    ("INSERT INTO users (password) VALUES (:p)] [parameters: {'n': 'anna', 'password': 'geheim'}]", "geheim"),
    ("db: password: geheim", "geheim"),
    ("auth_token: ab12cd34, retry in 5 s", "ab12cd34"),
]  # fmt: skip

SENTENCES = [
    "Error checking vehicle authorization: database is locked",
    "Error validating API key: attempt to write a readonly database",
    "Error decrypting credentials: Incorrect padding",
    "Error checking vehicle authorization: disk I/O error",
    "Error checking vehicle authorization: no such table: vehicles",
    "Error checking vehicle authorization: [Errno 13] Permission denied: '/var/lib/gate.db'",
    "Error checking vehicle authorization: (sqlite3.OperationalError) database is locked",
    "Error checking vehicle authorization: sqlite3.OperationalError: database is locked",
    "Error checking vehicle authorization: 'NoneType' object has no attribute 'execute'",
    "Error loading credentials: 'utf-8' codec can't decode byte 0xff in position 0",
    "Error loading credentials: Expecting value: line 1 column 1 (char 0)",
    "Error loading credentials: /etc/visigate/credentials.json not found",
    "Error loading secret: file is empty",
    "Error refreshing token: HTTPSConnectionPool(host='api.example.org', port=443): Max retries exceeded",
    "Error refreshing token: HTTP 401",
    "Error refreshing token: 401 Client Error: Unauthorized for url: https://api.example.org/token",
    "Error refreshing token: timed out",
    "Error refreshing token: TimeoutError",
    "Error refreshing access token: 3 attempts failed",
    "Error verifying password: Invalid salt",
    "Error verifying password: argon2.exceptions.VerifyMismatchError: The password does not match",
    "password: required",
    "password: this field is required",
    "invalid token: expired",
    "Authorization: denied",
    "authorization failed: user is not known",
    "Authentication failed: wrong user name or password",
    "Auth error: connection refused by broker",
    "No session cookie: login again",
    "Error setting cookie: Working outside of request context.",
    "unauthorized: authorization header missing",
    "CSRF token: missing",
    "csrf error: the tokens do not match",
    "Camera credentials: user name is missing",
    "Passwort-Datei kann nicht gelesen werden, credentials: Zugriff verweigert auf die Datei",
    "[SQL: INSERT INTO vehicles (plate, owner) VALUES (?, ?)] [parameters: ('B-AB 1234', 'anna')]",
    "UNIQUE constraint failed: users.password_id",
    "[SQL: UPDATE users SET password=? WHERE id=?]",
    "--password is required",
    "def check(user: str, password: str) -> bool:",
]


def test_forty_secrets_are_masked_and_forty_sentences_are_left() -> None:
    redactor = Redactor()
    assert len(SECRETS) == len(SENTENCES) == 40
    left = [text for text, secret in SECRETS if secret in redactor.text(text)]
    eaten = [(text, masked) for text in SENTENCES if (masked := redactor.text(text)) != text]
    assert (left, eaten) == ([], [])


def test_beside_a_masked_column_the_others_stay() -> None:
    text = "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('anna', 'geheim')]"
    assert Redactor().text(text) == text.replace("'geheim'", "***")


@pytest.mark.parametrize("message", ["plate", "it", "credentials", "Incorrect1padding", "geheim"])
def test_the_text_of_the_exception_itself_is_left_behind_a_word_that_names_secrets(message: str) -> None:
    error = raising.through(KeyError(message))
    record = logging.LogRecord("gate", 40, __file__, 1, f"Error checking credentials: {error}", None, None)
    record.exc_info = (type(error), error, error.__traceback__)
    detail = ErrorDetail.from_record(record)
    assert detail.message == f"Error checking credentials: '{message}'"


def test_a_secret_in_the_text_of_the_exception_is_masked_all_the_same() -> None:
    error = raising.through(ValueError("password=geheim"))
    record = logging.LogRecord("gate", 40, __file__, 1, f"token=geheim2, credentials: {error}", None, None)
    record.exc_info = (type(error), error, error.__traceback__)
    assert ErrorDetail.from_record(record).message == "token=***, credentials: password=***"
