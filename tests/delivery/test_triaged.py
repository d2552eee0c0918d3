"""What administrators have decided of groups is respected by what is told."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.delivery.conftest import entry, error
from tests.delivery.servers import told
from visigate_logging.triage.decisions import Decision, DecisionLog

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
BEFORE, LAST, AFTER = (f"2026-03-01T{hour}:00:00.000000Z" for hour in (10, 12, 14))


@pytest.fixture
def decide(tmp_path):
    log = DecisionLog(tmp_path / "groups.jsonl")

    def decide(action, key="v1:camera", **more):
        number = len(log.decisions())
        log.append([Decision(f"id{number}", LAST, "anna", action, key, **({"last": LAST} | more))])

    return decide


def texts(server):
    return [message.get_body(("plain",)).get_content() for _, message in server.inbox.mails]


def test_a_group_that_is_muted_for_good_is_counted_and_not_told(mailing, server, decide):
    decide("mute")
    mailing.errors(5)
    mailing.errors(1, fingerprint="v1:other")
    mailing.run(10)
    assert told([m for _, m in server.inbox.mails]) == [1]
    sheet = mailing.incidents.sheet()
    assert (sheet["accepted"], sheet["dropped"], sheet["pending"]) == (6, {"muted": 5}, 0)


def test_a_mute_that_ends_by_time_says_what_came_meanwhile(mailing, server, decide):
    decide("mute", until=(datetime.now(UTC) + timedelta(hours=1)).isoformat(), note="works are going on")
    mailing.errors(3)
    mailing.run(10_000)
    assert server.inbox.mails == []
    assert mailing.incidents.sheet()["pending"] == 3
    decide("mute", until=(datetime.now(UTC) - timedelta(hours=1)).isoformat(), note="works are going on")
    mailing.errors(1)
    mailing.run(10)
    (text,) = texts(server)
    assert "no longer muted, its time is over: 1 error since it was muted" in " ".join(text.split())
    assert "works are going on" in text
    assert told([m for _, m in server.inbox.mails]) == [4]


def test_a_mute_until_more_have_come_ends_then_and_not_again(mailing, server, decide):
    decide("mute", more=5)
    mailing.errors(4)
    mailing.run(10)
    assert server.inbox.mails == []
    mailing.errors(1)
    mailing.run(10)
    assert "no longer muted, 5 more came: 5 errors since it was muted" in " ".join(texts(server)[0].split())
    mailing.run(2 * 3600)  # until it is at rest and forgotten
    mailing.errors(1)
    mailing.run(10)
    assert told([m for _, m in server.inbox.mails]) == [5, 0, 1], "meanwhile, quiet, new"
    assert "muted" not in texts(server)[-1]


def test_a_mute_until_it_is_worse_ends_with_a_severity_above(mailing, server, decide):
    decide("mute", worse=True, severity="ERROR", most_a_day=100)
    mailing.errors(9, severity="ERROR")
    mailing.run(10)
    assert server.inbox.mails == []
    mailing.errors(1, severity="CRITICAL")
    mailing.run(10)
    assert "it is worse: CRITICAL" in " ".join(texts(server)[0].split())


def test_what_is_reopened_is_told_again(mailing, server, decide):
    decide("mute", more=100)
    mailing.errors(3)
    mailing.run(10)
    decide("reopen")
    mailing.run(10)
    assert told([m for _, m in server.inbox.mails]) == [3]
    assert "no longer muted." in texts(server)[0]


def test_a_resolved_group_that_comes_back_is_told_at_once_as_a_regression_and_once(mailing, server, decide):
    mailing.errors(1)
    mailing.run(5)
    decide("resolve", note="new cable")
    mailing.errors(1, timestamp=BEFORE)  # it came before, and was read later
    mailing.run(5)
    assert len(server.inbox.mails) == 1
    mailing.errors(1, timestamp=AFTER)
    mailing.run(5)
    assert len(server.inbox.mails) == 2
    assert "it came back after it was resolved by anna" in " ".join(texts(server)[1].split())
    assert "new cable" in texts(server)[1]
    mailing.errors(1, timestamp=AFTER)
    mailing.run(5)
    assert len(server.inbox.mails) == 2, "it goes on: no news"


def test_errors_of_releases_before_the_one_that_mends_are_counted_only(mailing, server, decide):
    decide("resolve", release="2.5")
    old = entry(error(timestamp=AFTER, release="2.4"), 3)
    repeats = entry(error(timestamp=AFTER), 2)
    repeats.detail, repeats.release, old.release = None, "", "2.4"
    mailing.book(old)
    mailing.book(repeats)
    mailing.run(10)
    assert server.inbox.mails == []
    assert mailing.incidents.sheet()["dropped"] == {"muted": 5}
    new = entry(error(timestamp=AFTER, release="2.5"))
    new.release = "2.5"
    mailing.book(new)
    mailing.run(10)
    assert "it came back after it was resolved in release 2.5" in " ".join(texts(server)[0].split())


def test_a_merged_group_is_told_as_the_one_it_is_part_of(mailing, server, decide):
    decide("merge", "v1:lens", into="v1:camera")
    mailing.book(entry(error("v1:camera")), entry(error("v1:lens"), 2))
    mailing.run(10)
    assert told([m for _, m in server.inbox.mails]) == [3]
    mailing.errors(1, fingerprint="v1:lens")
    mailing.run(10)
    assert len(server.inbox.mails) == 1, "it is the same incident"


def test_a_part_of_a_group_that_is_muted_is_not_told_and_the_rest_is(mailing, server, decide):
    decide("split", where="message=lens", into="v1:part")
    decide("mute", "v1:part")
    mailing.book(entry(error(message="the lens is dirty")), entry(error(message="no answer"), 2))
    mailing.run(10)
    assert told([m for _, m in server.inbox.mails]) == [2]
    assert mailing.incidents.sheet()["dropped"] == {"muted": 1}
