"""Servers that are slow on purpose, or break off: one mail in the end, and nobody waits for it but its own thread."""

import logging
import threading
import time

import pytest

from tests.delivery.servers import SlowServer, told, wait_for
from tests.handlers.test_smtp import finish, logger_with, options_for, start, try_now
from visigate_logging.delivery.channels.server import Credentials, MailServer
from visigate_logging.delivery.channels.session import LIMITS, Session
from visigate_logging.handlers.smtp import ThrottledSMTPHandler


def ids(server):
    return [message["Message-ID"] for message in server.mails]


@pytest.mark.parametrize("slow", [{"greet": 0.5}, {"dot": 0.5}])
def test_a_server_that_takes_longer_than_timeout_for_an_answer_gets_the_mail_once(make_mailing, slow):
    with SlowServer(**slow) as server:
        mailing = make_mailing(server, timeout=0.1)
        mailing.errors(3)
        mailing.run(10)
        assert told(server.mails) == [3]


def test_without_an_answer_to_the_dot_a_mail_is_handed_over_twice_at_most_and_that_is_said(make_mailing, caplog):
    with SlowServer(hangs_up=True) as server:
        mailing = make_mailing(server)
        mailing.errors(5)
        times = []
        for _ in range(2000):
            before = len(server.mails)
            mailing.run(1)
            times += [mailing.clock.seconds] * (len(server.mails) - before)
        assert len(server.mails) == 2
        assert len(set(ids(server))) == 1
        assert times[1] - times[0] == pytest.approx(60, abs=3)
    assert mailing.spool.waiting() == []
    [message] = mailing.spool.refused.messages()
    assert "perhaps delivered" in message.answers[0]
    assert mailing.incidents.sheet()["dropped"] == {"perhaps delivered": 5}
    assert "has perhaps been delivered" in caplog.text


def test_a_mail_that_has_perhaps_arrived_does_not_hold_up_another(make_mailing):
    with SlowServer(hangs_up=True) as server:
        mailing = make_mailing(server)
        mailing.errors(fingerprint="v1:a")
        mailing.run(5)
        server.hangs_up = False
        mailing.errors(7, fingerprint="v1:b")
        mailing.run(5)
        assert told(server.mails) == [1, 7]


def test_a_tarpit_after_a_wrong_password_is_waited_for_and_explained(make_mailing, caplog):
    with SlowServer(login=0.5) as server:
        mailing = make_mailing(MailServer("localhost", server.port, Credentials("gate", "wrong"), timeout=0.1))
        mailing.errors()
        mailing.run(5)
    assert "login: 535" in caplog.text


def test_a_mail_that_is_too_large_goes_in_a_short_form(make_mailing):
    with SlowServer(largest=5000) as server:
        mailing = make_mailing(server)
        for n in range(12):
            mailing.errors(n + 1, fingerprint=f"v1:{n}", traceback="x" * 9000)
        mailing.run(5)
        [message] = server.mails
        assert told(server.mails) == [sum(range(13))]
        assert "The rest is left out" in message.get_body(("plain",)).get_content()
    assert mailing.incidents.sheet()["dropped"] == {}


def test_a_short_form_is_the_same_handing_over(make_mailing):
    with SlowServer(largest=5000) as server:
        mailing = make_mailing(server)
        mailing.errors(traceback="x" * 9000)
        commits = []
        commit, mailing.outbox.commit = mailing.outbox.commit, lambda name: commits.append(name) or commit(name)
        mailing.run(5)
    assert len(commits) == len(server.mails) == 1


def test_a_script_run_again_and_again_sends_one_copy_before_the_wait_is_over(tmp_path):
    with SlowServer(dot=30) as server:
        options = options_for(server, tmp_path)
        for _ in range(2):
            begun = time.monotonic()
            assert finish(start(options, errors=1)) == 1
            assert time.monotonic() - begun < 15
        assert len(server.mails) == 1
        server.delays["dot"] = 0.0
        try_now(tmp_path)
        finish(start(options, errors=1))
        wait_for(lambda: len(server.mails) >= 2)
        assert len(set(ids(server)[:2])) == 1


def test_logging_does_not_wait_for_the_handlers_lock_which_shutdown_holds(tmp_path):
    with SlowServer() as server:
        handler = ThrottledSMTPHandler(**options_for(server, tmp_path))
        logger = logger_with(handler)
        handler.acquire()
        try:
            thread = threading.Thread(target=logger.critical, args=("away",), daemon=True)
            thread.start()
            thread.join(5)
            assert not thread.is_alive()
        finally:
            handler.release()
        assert handler.counts()["accepted"] == 1
        handler.close()


def test_at_exit_what_cannot_be_sent_is_said_and_costs_no_wait(tmp_path, capsys):
    """The report goes through the same root logger, while logging.shutdown holds the handler's lock."""
    handler = ThrottledSMTPHandler(["localhost", 1], "a@b.example", "c@d.example", state_dir=tmp_path / "state")
    handler.set_name("mail")
    root = logging.getLogger()
    root.addHandler(handler)
    said = logging.StreamHandler()
    root.addHandler(said)
    try:
        logging.getLogger("app").critical("away")
        begun = time.monotonic()
        handler.acquire()  # as logging.shutdown does
        handler.close()
        handler.release()
        assert time.monotonic() - begun < 1.9
    finally:
        root.removeHandler(said)
        root.removeHandler(handler)
    assert "Mails cannot be sent" in capsys.readouterr().err


def test_the_phases_have_the_time_that_the_rfc_gives_them():
    """https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2."""
    assert LIMITS == {
        "greeting": 300,
        "command": 300,
        "tls": 120,
        "login": 300,
        "data": 120,
        "block": 180,
        "dot": 600,
    }


def test_a_link_that_breaks_before_the_last_dot_has_delivered_nothing(make_mailing, server, monkeypatch):
    mailing, send = make_mailing(server), Session.send

    def breaks(self, data):
        if len(data) > 500:
            raise ConnectionResetError
        send(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "send", breaks)
        mailing.errors(3)
        mailing.run(1000)
    assert mailing.spool.refused.messages() == []
    mailing.outbox.try_now()
    mailing.run(10)
    assert told([message for _, message in server.inbox.mails]) == [3]
    assert mailing.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}
