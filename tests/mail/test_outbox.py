"""The outbox: files that are whole or absent."""

import pytest

from visigate_logging.mail.outbox import Outbox

TO = ("a@example.org", "b@example.org")
MAIL = b"Subject: x\r\n\r\nX-Visigate-Recipients: in the text\r\n"


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


def test_a_staged_mail_is_not_in_the_outbox_until_it_is_published(outbox):
    outbox.stage("1", TO, MAIL)
    assert (outbox.staged(), outbox.waiting()) == (["1"], [])
    outbox.publish("1")
    assert (outbox.staged(), outbox.waiting()) == ([], ["1"])
    outbox.publish("1")
    assert outbox.waiting() == ["1"]


def test_a_letter_is_read_back_as_it_was(outbox):
    outbox.stage("1", TO, MAIL)
    outbox.publish("1")
    letter = outbox.letter("1")
    assert (letter.recipients, letter.message) == (TO, MAIL)


def test_others_cannot_read_a_letter_that_waits_or_was_refused(outbox):
    outbox.stage("1", TO, MAIL)
    outbox.publish("1")
    paths = [outbox.letter("1").path, outbox.refuse(outbox.letter("1"), {TO[0]: "550 no such user"})]
    assert [path.stat().st_mode & 0o007 for path in paths] == [0, 0]


def test_letters_are_listed_by_age(outbox):
    for name in ("3", "1", "2"):
        outbox.stage(name, TO, MAIL)
        outbox.publish(name)
    assert outbox.waiting() == ["1", "2", "3"]
    assert list(outbox.sizes()) == ["1", "2", "3"]


def test_a_letter_can_be_left_for_some(outbox):
    outbox.stage("1", TO, MAIL)
    outbox.publish("1")
    outbox.keep_for(outbox.letter("1"), [TO[1]])
    assert outbox.letter("1").recipients == (TO[1],)
    assert outbox.letter("1").message == MAIL


def test_a_refused_letter_keeps_the_answers(outbox):
    outbox.stage("1", TO, MAIL)
    outbox.publish("1")
    outbox.refuse(outbox.letter("1"), {TO[0]: "550 no such user"})
    [letter] = outbox.refused()
    assert letter.answers == ("a@example.org: 550 no such user",)
    assert letter.recipients == (TO[0],)
    assert letter.message == MAIL


def test_only_the_last_refused_letters_are_kept(outbox):
    for n in range(60):
        outbox.stage(f"{n:02}", TO, MAIL)
        outbox.publish(f"{n:02}")
        outbox.refuse(outbox.letter(f"{n:02}"), {TO[0]: "550"})
    assert [letter.id for letter in outbox.refused()] == [f"{n:02}" for n in range(10, 60)]


def test_what_has_gone_is_no_error(outbox):
    outbox.remove("absent")
    outbox.publish("absent")
    assert outbox.letter("absent") is None
    assert outbox.waiting() == []
    assert list(outbox.refused()) == []
