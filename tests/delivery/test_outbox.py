"""The outbox: files that are whole or absent."""

import pytest

from visigate_logging.delivery.spool import Spool

TO = ("a@example.org", "b@example.org")
MAIL = b"Subject: x\r\n\r\nX-Visigate-Recipients: in the text\r\n"


@pytest.fixture
def outbox(tmp_path):
    return Spool(tmp_path / "outbox")


def test_a_staged_mail_is_not_in_the_outbox_until_it_is_published(outbox):
    outbox.stage("1", TO, MAIL)
    assert (outbox.staged(), outbox.waiting()) == (["1"], [])
    outbox.publish("1")
    assert (outbox.staged(), outbox.waiting()) == ([], ["1"])
    outbox.publish("1")
    assert outbox.waiting() == ["1"]


def test_a_message_is_read_back_as_it_was(outbox):
    outbox.stage("1", TO, MAIL)
    outbox.publish("1")
    message = outbox.message("1")
    assert (message.recipients, message.content) == (TO, MAIL)


def test_others_cannot_read_a_message_that_waits_or_was_refused(outbox):
    for box in (outbox, outbox.refused):
        box.stage("1", TO, MAIL)
        assert box.publish("1").stat().st_mode & 0o007 == 0


def test_messages_are_listed_by_age(outbox):
    for name in ("3", "1", "2"):
        outbox.stage(name, TO, MAIL)
        outbox.publish(name)
    assert outbox.waiting() == ["1", "2", "3"]
    assert list(outbox.sizes()) == ["1", "2", "3"]


def test_a_message_can_be_left_for_some(outbox):
    for recipients in (TO, TO[1:]):
        outbox.stage("1", recipients, MAIL)
        outbox.publish("1")
    assert outbox.message("1").recipients == (TO[1],)
    assert outbox.message("1").content == MAIL


def test_a_refused_message_keeps_the_answers_apart_from_what_waits(outbox):
    outbox.refused.stage("1", TO[:1], MAIL, {TO[0]: "550 no such user"})
    outbox.refused.publish("1")
    [message] = outbox.refused.messages()
    assert message.answers == ("a@example.org: 550 no such user",)
    assert message.recipients == (TO[0],)
    assert message.content == MAIL
    assert outbox.waiting() == []


def test_what_has_gone_is_no_error(outbox):
    outbox.remove("absent")
    outbox.publish("absent")
    assert outbox.message("absent") is None
    assert outbox.waiting() == []
    assert outbox.refused.messages() == []
