"""``mail test`` names the step that fails and what to do about it, for what administrators really get wrong.

The answers are those of postfix 3.7, exim 4.96, dovecot 2.3, Gmail and Outlook to such settings.
"""

import datetime
import socket
import ssl

import pytest
import yaml

from tests.delivery.servers import RawServer
from visigate_logging.cli import main
from visigate_logging.delivery.channels import session

EHLO = "250-mx.example\r\n250 SIZE 10240000"
AUTH = "250-mx.example\r\n250 AUTH PLAIN LOGIN"
TLS = "250-mx.example\r\n250 STARTTLS"
LOGIN = {"credentials": ["gate", "hunter2"]}


def scripted(greeting, **answers):
    """A server that says what it is told: to a command what is given for it, else 250."""

    def talk(connection):
        file = connection.makefile("rwb", buffering=0)
        file.write(f"{greeting}\r\n".encode())
        while line := file.readline():
            command = line[:4].upper().strip().decode("latin-1")
            answer = answers.get(command, {"EHLO": EHLO, "DATA": "354 go", "QUIT": "221 bye"}.get(command, "250 ok"))
            if answer is None:
                return
            file.write(f"{answer}\r\n".encode())
            if command == "DATA" and answer.startswith("354"):
                while file.readline() not in (b".\r\n", b""):
                    continue
                file.write(f"{answers.get('DOT', '250 queued')}\r\n".encode())

    return RawServer(talk)


SAID = [
    # step, part of the cure, what the server says, what else is configured
    ("sender", "secure: starttls", {"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, {}),
    ("sender", "Set credentials", {"MAIL": "530 5.7.0 Authentication required"}, {}),
    ("login", "Check user and password", {"EHLO": AUTH, "AUTH": "535 5.7.8 Error: authentication failed:"}, LOGIN),
    ("login", "Check user and password", {"EHLO": AUTH, "AUTH": "535 Incorrect authentication data"}, LOGIN),
    (
        "login",
        "app password",
        {"EHLO": AUTH, "AUTH": "534-5.7.9 Application-specific password required.\r\n534 5.7.9 see support"},
        LOGIN,
    ),
    (
        "login",
        "takes no passwords",
        {"EHLO": AUTH, "AUTH": "535 5.7.139 Failed, basic auth disabled"},
        LOGIN,
    ),
    ("login", "ask who runs it", {"EHLO": AUTH, "AUTH": "454 4.7.0 Temporary authentication failure"}, LOGIN),
    (
        "login",
        "secure: starttls",
        {"EHLO": AUTH, "AUTH": "538 5.7.11 Encryption required for this"},
        LOGIN,
    ),
    ("login", "secure: starttls", {"EHLO": TLS}, LOGIN),  # postfix with smtpd_tls_auth_only
    ("login", "wait a while", {"EHLO": AUTH, "AUTH": None}, LOGIN),  # fail2ban, postscreen
    ("login", "tried later", {"EHLO": AUTH, "AUTH": "421 4.7.0 mx Error: too many errors"}, LOGIN),
    ("tls", "secure: tls", {}, {"secure": "starttls"}),
    (
        "recipient",
        "Set credentials",
        {"RCPT": "553 5.7.1 <g@x.org>: Sender address rejected: not logged in"},
        {},
    ),
    (
        "recipient",
        "may send from",
        {"RCPT": "553 5.7.1 <gate@example.org>: Sender address rejected: not owned by user gate"},
        {},
    ),
    ("message", "may send from", {"DOT": "554 5.2.252 SendAsDenied; gate@example.org not allowed to send as"}, {}),
    (
        "sender",
        "may send from",
        {"MAIL": "550 5.7.60 SMTP; Client has no permissions to send as this sender"},
        {},
    ),
    ("recipient", "only after a login", {"RCPT": "554 5.7.1 <a@example.org>: Relay access denied"}, {}),
    ("recipient", "only after a login", {"RCPT": "550 relay not permitted"}, {}),  # exim
    ("recipient", "check toaddrs", {"RCPT": "550 5.1.1 <a@example.org>: User unknown in local recipient table"}, {}),
    ("recipient", "check toaddrs", {"RCPT": "550 Unrouteable address: no such user"}, {}),
    ("recipient", "greylisting", {"RCPT": "450 4.2.0 <a@example.org>: Recipient address rejected: Greylisted"}, {}),
    ("recipient", "greylisting", {"RCPT": "451 4.7.1 Greylisting in action, please come back later"}, {}),
    (
        "recipient",
        "exist in the DNS",
        {"RCPT": "450 4.1.8 <gate@nowhere.invalid>: Sender address rejected: Domain not found"},
        {},
    ),
    ("sender", "exist in the DNS", {"MAIL": "550 5.1.8 Domain of sender address does not exist"}, {}),
    (
        "recipient",
        "full name",
        {"RCPT": "504 5.5.2 <gate>: Helo command rejected: need fully-qualified name"},
        {},
    ),
    (
        "recipient",
        "through the provider",
        {"RCPT": "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"},
        {},
    ),
    ("message", "through the provider", {"DOT": "550 5.7.26 This mail is unauthenticated: SPF did not pass"}, {}),
    ("message", "too large", {"DOT": "552 5.3.4 Message size exceeds fixed limit"}, {}),
    ("recipient", "make room", {"RCPT": "452 4.2.2 Mailbox full"}, {}),
    ("sender", "tried later", {"MAIL": "450 4.7.1 Error: too much mail: rate limit exceeded"}, {}),
    ("message", "tried again by itself", {"DOT": "451 4.3.0 Error: queue file write error"}, {}),
]


@pytest.fixture
def tried(tmp_path, monkeypatch, capsys):
    """The step and the cure that ``mail test`` tells for a server and options."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("visigate_logging.cli.commands.mail.LONGEST", 0.5)

    def tried(mailhost, **options):
        handler = {"class": "visigate_logging.ThrottledSMTPHandler", "mailhost": mailhost, "severity": "ERROR"}
        handler |= {
            "fromaddr": "gate@example.org",
            "toaddrs": ["a@example.org"],
            "state_dir": str(tmp_path / "state"),
        }
        values = {"version": 1, "handlers": {"mail": handler | options}, "root": {"handlers": ["mail"]}}
        (tmp_path / "logging.yaml").write_text(yaml.safe_dump(values), "utf-8")
        code = main(["mail", "test"])
        told = capsys.readouterr()
        assert code in (1, 78), told.out
        assert "hunter2" not in told.out + told.err
        return told.out + told.err

    return tried


@pytest.mark.parametrize(("step", "cure", "answers", "options"), SAID)
def test_an_answer_is_told_with_its_step_and_cure(tried, step, cure, answers, options):
    with scripted("220 mx.example ESMTP", **answers) as server:
        told = tried(server.address, **options)
    assert f"FAILED  {step}: " in told
    assert cure in told


@pytest.mark.parametrize(
    ("greeting", "cure"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2", "is an SSH server"),
        ("* OK [CAPABILITY IMAP4rev1] Dovecot ready.", "is an IMAP server"),
        ("+OK Dovecot ready.", "is a POP3 server"),
        ("HTTP/1.1 400 Bad Request", "is a web server"),
        ("554 5.7.1 No SMTP service here", "server's answer says"),
        ("421 4.3.2 All server ports are busy", "busy"),
    ],
)
def test_what_is_no_mail_server_is_told_by_its_greeting(tried, greeting, cure):
    with scripted(greeting) as server:
        told = tried(server.address)
    assert "FAILED  greeting: " in told
    assert cure in told


def tls_server(context, *, at_once):
    """Speaks TLS from the first byte, or after STARTTLS."""

    def talk(connection):
        if at_once:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.recv(1)
            return
        file = connection.makefile("rwb", buffering=0)
        file.write(b"220 mx.example\r\n")
        while line := file.readline():
            if line[:4].upper() == b"STAR":
                file.write(b"220 go ahead\r\n")
                context.wrap_socket(connection, server_side=True).recv(1)
                return
            file.write(f"{TLS}\r\n".encode())

    return RawServer(talk)


def context_of(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(*names, **options).configure_cert(context)
    return context


PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
FUTURE = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize("mode", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("names", "dates", "knows", "cure"),
    [
        (["elsewhere.example"], {}, True, "mailhost must be the name in the certificate"),
        (["localhost"], {"not_before": PAST, "not_after": PAST + DAY}, True, "must be renewed"),
        (["localhost"], {"not_before": FUTURE, "not_after": FUTURE + DAY}, True, "clock is wrong"),
        (["localhost"], {}, False, "secure.ca_file"),
    ],
)
def test_a_certificate_that_is_not_valid_is_told_with_its_cure(tried, authority, mode, names, dates, knows, cure):
    secure = {"mode": mode} | ({"ca_file": authority[1]} if knows else {})
    with tls_server(context_of(authority, *names, **dates), at_once=mode == "tls") as server:
        told = tried(server.address, secure=secure)
    assert "FAILED  tls: " in told
    assert cure in told


def test_a_tls_port_without_tls_is_told(tried, authority):
    for options in ({}, {"secure": "starttls"}):
        with tls_server(context_of(authority, "localhost"), at_once=True) as server:
            told = tried(server.address, **options)
        assert "FAILED  greeting: " in told
        assert "Port 465 wants secure: tls" in told


def test_tls_on_a_port_that_has_it_not_is_told(tried):
    with scripted("220 mx.example") as server:
        told = tried(server.address, secure="tls")
    assert "FAILED  tls: " in told
    assert "465 is tls, 587 and 25 are starttls" in told


def refuse(error):
    def connect(*args, **kwargs):
        raise error

    return connect


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Check mailhost for a slip"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "The DNS does not answer"),
        (OSError(101, "Network is unreachable"), "IPv4 address"),
        (OSError(113, "No route to host"), "Check cable"),
        (TimeoutError("timed out"), "use 587"),
        (ConnectionRefusedError(111, "Connection refused"), "the port in mailhost"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_with_its_cure(tried, monkeypatch, error, cure):
    monkeypatch.setattr(session.socket, "create_connection", refuse(error))
    told = tried("mail.example.org:25")
    assert "FAILED  connect: " in told
    assert cure in told


@pytest.mark.parametrize(
    ("mailhost", "told"),
    [
        ("smtp://mail.example.org:587", "write mail.example.org:587"),
        ("smtps://gate:x@mail.example.org", "write mail.example.org"),
        ("mail.example.org:smtp", "not between 1 and 65535"),
    ],
)
def test_a_mailhost_that_cannot_be_is_told_with_what_to_write(tried, mailhost, told):
    assert told in tried(mailhost)


def test_a_password_that_is_not_there_is_told(tried, monkeypatch):
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    told = tried("localhost:1", credentials={"username": "gate", "password_env": "NO_SUCH_PASSWORD"})
    assert "FAILED  login data: the environment variable NO_SUCH_PASSWORD is not set" in told
    told = tried("localhost:1", credentials={"username": "gate", "password_file": "/no/such/file"})
    assert "the service's user may read it" in told


def test_a_file_without_mail_is_told_how_to_have_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logging.yaml").write_text("version: 1\n")
    assert main(["mail", "test"]) == 78
    told = capsys.readouterr().err
    assert "class: visigate_logging.ThrottledSMTPHandler" in told
    assert "toaddrs" in told
