"""visigate-errors mail: does it arrive, and what waits in the outbox."""

import json

import pytest
import yaml

from tests.delivery.conftest import Mailing
from tests.delivery.servers import RawServer, Server, say_nothing, told
from visigate_logging.cli import main
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.channels.session import LIMITS

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes a logging.yaml with one mail handler into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(server, **more):
        handler = {
            "class": "visigate_logging.ThrottledSMTPHandler",
            "level": "ERROR",
            "mailhost": server.address,
            "fromaddr": "gate@example.org",
            "toaddrs": "one@example.org,two@example.org",
            "state_dir": str(tmp_path / "state"),
        }
        (tmp_path / "logging.yaml").write_text(
            yaml.safe_dump({"version": 1, "handlers": {"mail": handler | more}}), "utf-8"
        )

    return write


@pytest.fixture
def waiting(tmp_path):
    """Puts a mail that tells three errors into the outbox."""
    mailing = Mailing(tmp_path / "state", MailServer("localhost", 1))
    mailing.spool.directory = tmp_path / "state" / "outbox" / "mail"
    mailing.errors(3)
    mailing.clock.seconds += 2
    mailing.turn()
    mailing.state.close()
    [letter_id] = mailing.spool.waiting()
    return letter_id


def test_a_test_mail_is_sent_and_each_step_is_told(config, server, capsys):
    config(server)
    assert main(["mail", "test"]) == 0
    assert server.inbox.mails[0][0] == ("one@example.org", "two@example.org")
    out = capsys.readouterr().out
    assert "ok      connect: localhost:" in out
    assert "accepted the test mail to two@example.org" in out


def test_the_step_that_failed_is_told_with_what_to_do(config, capsys, monkeypatch):
    monkeypatch.setattr("visigate_logging.cli.commands.mail.LONGEST", 0.1)
    with RawServer(say_nothing) as silent:
        config(silent, timeout=0.1)
        assert main(["mail", "test"]) == 1
    out = capsys.readouterr().out
    assert "FAILED  greeting: localhost:" in out
    assert "Port 465 wants secure: tls" in out


def test_a_wrong_password_fails_at_login(config, capsys):
    with Server(login=("gate", "right")) as server:
        config(server, credentials={"username": "gate", "password": "hunter2"})
        assert main(["mail", "test", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == "login"
    assert "535" in report["problem"]
    assert "hunter2" not in json.dumps(report)


def test_a_recipient_that_is_refused_fails_at_send(config, server, capsys):
    server.inbox.answers["two@example.org"] = "550 no such user"
    config(server)
    assert main(["mail", "test"]) == 1
    out = capsys.readouterr().out
    assert "accepted the test mail to one@example.org" in out
    assert "FAILED  recipient: two@example.org: 550 no such user" in out


def test_the_outbox_is_listed(config, server, waiting, capsys):
    config(server)
    assert main(["mail", "outbox", "--json"]) == 0
    [message] = json.loads(capsys.readouterr().out)
    assert message["id"] == waiting
    assert message["state"] == "waiting"
    assert "CameraError: camera does not answer (3" in message["subject"]
    assert main(["mail", "outbox"]) == 0
    assert waiting in capsys.readouterr().out


def test_an_empty_outbox_is_said(config, server, capsys):
    config(server)
    assert main(["mail", "outbox"]) == 0
    assert "no mails in" in capsys.readouterr().out


def test_what_waits_is_sent_now(config, server, waiting, capsys):
    config(server)
    assert main(["mail", "outbox", "retry"]) == 0
    assert told([m for _, m in server.inbox.mails]) == [3]
    assert "no mail waits any more" in capsys.readouterr().out


def test_what_cannot_be_sent_stays(config, waiting, capsys, monkeypatch):
    monkeypatch.setitem(LIMITS, "greeting", 0.1)
    with RawServer(say_nothing) as silent:
        config(silent, timeout=0.1)
        assert main(["mail", "outbox", "retry", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"waiting": [waiting], "refused": []}


@pytest.mark.parametrize("which", ["id", "--all"])
def test_a_mail_is_dropped_and_counted_as_dropped(config, server, waiting, which, tmp_path, capsys):
    config(server)
    assert main(["mail", "outbox", "drop", waiting if which == "id" else "--all"]) == 0
    mailing = Mailing(tmp_path / "state", MailServer("localhost", 1))
    assert mailing.incidents.sheet()["dropped"] == {"dropped by the administrator": 3}
    mailing.state.close()
    assert main(["mail", "outbox", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == []


@pytest.mark.parametrize(("words", "code"), [(["drop"], 2), (["drop", "nobody"], 1)])
def test_drop_needs_to_know_which_and_drops_nothing_else(config, server, waiting, words, code, capsys):
    config(server)
    assert main(["mail", "outbox", *words]) == code
    assert capsys.readouterr().err
    assert main(["mail", "outbox"]) == 0
    assert waiting in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"interval": -5}, "handlers.mail.interval"),
        ({"intervall": 5}, "handlers.mail.intervall"),
        ({"class": "x.Y"}, "handlers.mail.class"),
    ],
)
def test_a_configuration_that_cannot_be_is_told_by_its_key(config, server, more, key, capsys):
    config(server, **more)
    assert main(["mail", "test"]) == 78
    assert f"{key}:" in capsys.readouterr().err


def test_a_configuration_without_a_mail_handler_is_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logging.yaml").write_text("version: 1\nhandlers: {console: {class: logging.StreamHandler}}\n")
    assert main(["mail", "test"]) == 78
    assert "handlers: mail handlers of this file are: none" in capsys.readouterr().err


def test_of_several_mail_handlers_one_is_chosen(config, server, tmp_path, capsys):
    config(server)
    values = yaml.safe_load((tmp_path / "logging.yaml").read_text("utf-8"))
    values["handlers"]["other"] = values["handlers"]["mail"]
    (tmp_path / "logging.yaml").write_text(yaml.safe_dump(values), "utf-8")
    assert main(["mail", "test"]) == 78
    assert "--handler" in capsys.readouterr().err
    assert main(["mail", "test", "--handler", "nobody"]) == 78
    assert "mail, other" in capsys.readouterr().err
    assert main(["mail", "test", "--handler", "other"]) == 0
