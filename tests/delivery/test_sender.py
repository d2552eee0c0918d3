"""The sender: no mail is lost, none is sent twice without need, and the counts add up."""

import ssl
import time

import pytest

from tests.delivery.conftest import TO, Clock, entry, error
from tests.delivery.servers import Inbox, RawServer, Server, drop_in_data, say_nothing, told, wait_for
from visigate_logging.delivery.channels.server import Credentials, MailServer, Security
from visigate_logging.delivery.channels.session import LIMITS
from visigate_logging.delivery.throttle import Windows
from visigate_logging.detail.grouping import v1, v2
from visigate_logging.host import HostLock, host_failures

# aiosmtpd's own advice; the login without TLS is on this machine.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")


def messages(server):
    return [message for _, message in server.inbox.mails]


def text(message):
    return message.get_body(("plain",)).get_content()


def sums_up(mailing, n):
    sheet = mailing.incidents.sheet()
    total = sheet["delivered"] + sheet["folded"] + sum(sheet["dropped"].values()) + sheet["pending"]
    return sheet["accepted"] == total == n


def said(caplog, text):
    return [r.getMessage() for r in caplog.records if r.name == "visigate_logging" and text in r.getMessage()]


def test_an_error_is_mailed_to_all_recipients_after_group_wait(mailing, server):
    mailing.errors()
    mailing.run(0.9)
    assert server.inbox.mails == []
    mailing.run(1)
    [(recipients, message)] = server.inbox.mails
    assert recipients == TO
    assert (
        message["Subject"] == "VisiGate Error [gate] CRITICAL CameraError: camera does not answer \u2013 src.camera"
    )
    assert mailing.spool.waiting() == []
    assert mailing.incidents.sheet() == {"accepted": 1, "delivered": 1, "folded": 0, "dropped": {}, "pending": 0}


def test_the_counts_of_all_mails_add_up_to_the_errors(mailing, server):
    for n in range(50):
        mailing.errors(n + 1)
        mailing.run(77)
    mailing.run(20_000)
    assert sum(told(messages(server))) == sum(range(51))
    assert sums_up(mailing, sum(range(51)))
    assert mailing.incidents.sheet()["pending"] == 0
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()


def test_what_was_read_is_booked_together_with_how_far_it_was_read(mailing):
    def read(known):
        return [entry(error(), 4)], {"file": 40}

    def die(known):
        raise KilledError

    mailing.incidents.book(read)
    with pytest.raises(KilledError):
        mailing.incidents.book(die)
    mailing.incidents.book(read)  # nothing is new
    assert sums_up(mailing, 4)


def test_errors_of_many_known_groups_are_booked_in_as_few_statements_as_those_of_one(mailing):
    """At each statement sqlite3 gives up the GIL, and callers wait to get it back."""
    many = [entry(error(f"v1:{n}")) for n in range(50)]
    mailing.book(*many)
    statements = []
    with mailing.state.transaction() as connection:
        connection.set_trace_callback(statements.append)
    statements.clear()
    mailing.book(many[0])
    for_one = len(statements)
    statements.clear()
    mailing.book(*many)
    assert len(statements) == for_one <= 9


def test_of_an_incident_whose_end_was_told_nothing_stays_in_the_books(mailing, server):
    mailing.errors(3)
    mailing.run(5000)
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()
    with mailing.state.transaction() as connection:
        assert connection.execute("SELECT groups FROM mail_incidents").fetchall() == [(b"[]",)]
        assert connection.execute("SELECT * FROM mail_details").fetchall() == []
        assert connection.execute("SELECT * FROM mail_letters").fetchall() == []


def test_a_group_that_was_told_by_an_earlier_versions_key_is_not_told_as_a_new_one(mailing, server):
    parts = {"logger": "gate", "culprit": ["camera in grab"], "template": "camera {} lost", "codes": []}
    mailing.errors(fingerprint=v1.key(parts, "camera 5 lost"))
    mailing.run(10)
    assert len(messages(server)) == 1
    for number in range(20):
        message = f"camera {number} lost"
        mailing.errors(fingerprint=v2.key(parts, message), grouping=parts, error_message=message)
    mailing.run(10)
    assert len(messages(server)) == 1
    mailing.run(3600)
    first, follow_up, *_ = messages(server)
    assert follow_up["In-Reply-To"] == first["Message-ID"]
    assert told([first, follow_up]) == [1, 20]
    assert all("New:" not in text(message) for message in messages(server)[1:])
    assert sums_up(mailing, 21)


def test_a_server_that_fails_again_after_it_worked_is_said_again(make_mailing, server, caplog):
    away = MailServer("localhost", 1)
    mailing = make_mailing(away)
    mailing.errors(fingerprint="v1:a")
    mailing.run(100)
    back = make_mailing(server, clock=mailing.clock)
    back.run(4000)
    again = make_mailing(away, clock=mailing.clock)
    again.errors(fingerprint="v1:b")
    again.run(100)
    assert len(said(caplog, "Mails cannot be sent")) == 2


@pytest.mark.parametrize("where", ["DATA", *TO])
@pytest.mark.parametrize("answer", ["450 try later", "452 no space", "451 local error"])
def test_a_refusal_for_now_is_tried_again_until_it_is_accepted(mailing, server, where, answer):
    server.inbox.answers[where] = answer
    mailing.errors(5)
    mailing.run(10)
    got = {r for recipients, _ in server.inbox.mails for r in recipients}
    assert got == (set() if where == "DATA" else set(TO) - {where})
    assert len(mailing.spool.waiting()) == 1
    server.inbox.answers.clear()
    mailing.run(120)
    by_mail = [set(recipients) for recipients, _ in server.inbox.mails]
    assert set().union(*by_mail) == set(TO)
    assert sum(len(r) for r in by_mail) == 3  # nobody gets it twice
    assert mailing.spool.waiting() == []
    assert mailing.incidents.sheet() == {"accepted": 5, "delivered": 1, "folded": 4, "dropped": {}, "pending": 0}


@pytest.mark.parametrize("answer", ["550 no such user", "552 too big", "554 go away"])
def test_a_refusal_for_good_is_set_aside_with_the_servers_answer_and_said_once(mailing, server, answer, caplog):
    server.inbox.answers["DATA"] = answer
    mailing.errors(5)
    mailing.run(3000)
    assert mailing.spool.waiting() == []
    [message] = mailing.spool.refused.messages()
    assert set(message.recipients) == set(TO)
    assert answer in message.answers[0]
    assert b"camera does not answer" in message.content
    assert len(said(caplog, "refused for good")) == 1
    assert mailing.incidents.sheet()["dropped"] == {"refused by the mail server": 5}
    assert sums_up(mailing, 5)


def test_only_the_last_refused_messages_are_kept(mailing, server, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.sender._KEPT_REFUSED", 3)
    server.inbox.answers["DATA"] = "550 never"
    for n in range(5):
        mailing.errors(fingerprint=f"v1:{n}", error_type=f"Error{n}")
        mailing.run(2)
    kept = mailing.spool.refused.messages()
    assert [f"Error{n}".encode() in message.content for n, message in enumerate(kept, start=2)] == [True] * 3


def test_a_recipient_refused_for_good_does_not_stop_the_others(mailing, server, caplog):
    server.inbox.answers[TO[1]] = "550 unknown user"
    mailing.errors(2)
    mailing.run(600)
    [(recipients, _)] = server.inbox.mails
    assert recipients == (TO[0], TO[2])
    [message] = mailing.spool.refused.messages()
    assert message.recipients == (TO[1],)
    assert message.answers == (f"{TO[1]}: 550 unknown user. There is no such mailbox: check toaddrs",)
    assert len(said(caplog, "unknown user")) == 1
    assert mailing.incidents.sheet()["delivered"] == 1


def test_a_recipient_refused_for_now_does_not_hold_later_mails_up(mailing, server):
    server.inbox.answers[TO[1]] = "452 mailbox full"
    mailing.errors(fingerprint="v1:a")
    mailing.run(10)
    mailing.errors(fingerprint="v1:b")
    mailing.run(10)
    assert [r for r, _ in server.inbox.mails] == [(TO[0], TO[2])] * 2
    assert len(mailing.spool.waiting()) == 2


def test_all_recipients_unknown_is_a_refusal_for_good(mailing, server):
    server.inbox.answers |= dict.fromkeys(TO, "550 unknown user")
    mailing.errors(4)
    mailing.run(100)
    assert mailing.incidents.sheet()["dropped"] == {"refused by the mail server": 4}
    assert mailing.spool.waiting() == []


@pytest.mark.parametrize("where", ["DATA", TO[0], TO[2]])
def test_a_server_that_closes_with_421_is_tried_again(mailing, server, where):
    server.inbox.answers[where] = "421 shutting down"
    mailing.errors()
    mailing.run(10)
    assert len(mailing.spool.waiting()) == 1
    server.inbox.answers.clear()
    mailing.run(60)
    assert len(server.inbox.mails) == 1
    assert server.inbox.mails[0][0] == TO


def test_a_disconnect_amid_the_message_is_tried_again(make_mailing, server):
    with RawServer(drop_in_data) as broken:
        mailing = make_mailing(broken)
        mailing.errors(3)
        mailing.run(5)
        assert broken.connections == 1
        assert len(mailing.spool.waiting()) == 1
    other = make_mailing(server, clock=mailing.clock)
    other.run(60)
    assert told(messages(server)) == [3]


def test_a_server_that_accepts_and_stays_silent_costs_the_limit_and_is_said_once(make_mailing, caplog, monkeypatch):
    monkeypatch.setitem(LIMITS, "greeting", 0.1)
    with RawServer(say_nothing) as silent:
        mailing = make_mailing(silent)
        mailing.errors()
        begun = time.monotonic()
        mailing.run(1000)
        assert time.monotonic() - begun < 10
        assert 5 <= silent.connections <= 8  # 15, 30, 60, … s apart
    assert len(said(caplog, "did not answer in time")) == 1
    assert "Port 465 wants secure: tls" in caplog.text


def test_a_slow_server_is_waited_for(mailing, server):
    server.inbox.on_data = lambda _: time.sleep(0.5)
    mailing.errors()
    mailing.run(2)
    assert len(server.inbox.mails) == 1


def test_a_server_that_answers_drop_by_drop_is_left_after_a_while(make_mailing, monkeypatch):
    monkeypatch.setitem(LIMITS, "greeting", 0.5)

    def drip(connection):
        for byte in b"220 " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with RawServer(drip) as server:
        mailing = make_mailing(server, timeout=0.3)
        mailing.errors()
        begun = time.monotonic()
        mailing.run(2)
        assert 0.4 < time.monotonic() - begun < 5
    assert len(mailing.spool.waiting()) == 1


def test_a_name_that_cannot_be_resolved_is_explained(make_mailing, caplog):
    mailing = make_mailing(MailServer("mail.invalid", 25))
    mailing.errors()
    mailing.run(100)
    [text] = said(caplog, "cannot be resolved")
    assert "Check mailhost for a slip" in text
    assert len(mailing.spool.waiting()) == 1


def context_of(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(*names, **options).configure_cert(context)
    return context


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_encrypted_with_a_certificate_of_the_own_authority(make_mailing, authority, mode):
    with Server(**{mode: context_of(authority, "localhost")}) as server:
        mailing = make_mailing(MailServer("localhost", server.port, security=Security(mode, ca_file=authority[1])))
        mailing.errors()
        mailing.run(2)
        assert len(server.inbox.mails) == 1


@pytest.mark.parametrize("mode", ["tls", "starttls"])
@pytest.mark.parametrize("fault", ["unknown authority", "other name", "expired"])
def test_a_certificate_that_is_not_valid_is_refused_and_explained(make_mailing, authority, mode, fault, caplog):
    import datetime

    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    options = {"not_after": past + datetime.timedelta(days=1), "not_before": past} if fault == "expired" else {}
    context = context_of(authority, "elsewhere.example" if fault == "other name" else "localhost", **options)
    ca_file = None if fault == "unknown authority" else authority[1]
    with Server(**{mode: context}) as server:
        mailing = make_mailing(MailServer("localhost", server.port, security=Security(mode, ca_file=ca_file)))
        mailing.errors()
        mailing.run(2)
        assert server.inbox.mails == []
    [text] = said(caplog, "certificate of localhost")
    assert ("must be renewed" if fault == "expired" else "secure.ca_file") in text
    assert len(mailing.spool.waiting()) == 1


def test_verification_can_be_switched_off(make_mailing, authority):
    with Server(tls=context_of(authority, "elsewhere.example")) as server:
        mailing = make_mailing(MailServer("localhost", server.port, security=Security("tls", verify=False)))
        mailing.errors()
        mailing.run(2)
        assert len(server.inbox.mails) == 1


def test_starttls_is_demanded_of_a_server_that_does_not_offer_it(make_mailing, server, caplog):
    mailing = make_mailing(MailServer("localhost", server.port, security=Security("starttls")))
    mailing.errors()
    mailing.run(2)
    assert server.inbox.mails == []
    assert said(caplog, "tls: ")


def test_login_with_the_right_password(make_mailing):
    with Server(login=("gate", "pa ss")) as server:
        mailing = make_mailing(MailServer("localhost", server.port, Credentials("gate", "pa ss")))
        mailing.errors()
        mailing.run(2)
        assert len(server.inbox.mails) == 1


def test_a_wrong_password_is_explained_once_and_its_mail_waits(make_mailing, caplog):
    with Server(login=("gate", "right")) as server:
        mailing = make_mailing(MailServer("localhost", server.port, Credentials("gate", "hunter2")))
        mailing.errors(2)
        mailing.run(300)
        [text] = said(caplog, "login: 535")
        assert "Check user and password in credentials" in text
        assert "hunter2" not in text
        right = MailServer("localhost", server.port, Credentials("gate", "right"))
        mailing = make_mailing(right, clock=mailing.clock)
        mailing.run(600)
        assert told(messages(server)) == [2]
    assert said(caplog, "Mails go out again")


def test_a_server_that_demands_a_login_sets_no_mail_aside(make_mailing):
    with Server(login=("gate", "right")) as server:
        mailing = make_mailing(server)
        mailing.errors()
        mailing.run(10)
        assert mailing.spool.refused.messages() == []
        assert len(mailing.spool.waiting()) == 1


def test_a_demand_for_a_login_about_one_recipient_sets_no_mail_aside(mailing, server, caplog):
    server.inbox.answers[TO[1]] = "530 authenticate first"
    mailing.errors()
    mailing.run(10)
    assert mailing.spool.refused.messages() == []
    assert len(mailing.spool.waiting()) == 1
    assert said(caplog, "530 authenticate first")


def test_a_server_away_for_a_day_neither_loses_a_count_nor_floods_afterwards(make_mailing, server):
    mailing = make_mailing(MailServer("localhost", 1))
    for n in range(144):
        mailing.errors(n + 1, fingerprint=f"v1:{n % 20}")
        mailing.run(600)
        assert len(mailing.spool.waiting()) == 1
    back = make_mailing(server, clock=mailing.clock)
    back.outbox.try_now()
    back.run(60)
    assert len(server.inbox.mails) == 2  # the one that waited, and one that tells all the rest
    back.run(3500)
    assert len(server.inbox.mails) <= 6  # the ends of incidents leave room for news
    back.run(20_000)
    assert sum(told(messages(server))) == sum(range(145))
    assert sums_up(back, sum(range(145)))


def test_many_groups_are_never_more_mails_in_an_hour_than_allowed(make_mailing, server):
    mailing = make_mailing(server, windows=Windows(max_per_hour=5))
    for n in range(60):
        mailing.errors(fingerprint=f"v1:{n}")
        mailing.run(20)
    assert len(server.inbox.mails) == 5
    mailing.run(3600)
    assert sum(told(messages(server))) == 60
    assert "max_per_hour" in messages(server)[5].get_body(("plain",)).get_content()


def test_mails_that_are_refused_count_against_the_limit_as_well(make_mailing, server):
    mailing = make_mailing(server, windows=Windows(max_per_hour=5))
    server.inbox.answers["DATA"] = "550 go away"
    for n in range(60):
        mailing.errors(fingerprint=f"v1:{n}")
        mailing.run(20)
    assert len(mailing.spool.refused.messages()) == 5


def test_only_one_sender_of_the_host_works_at_a_time(mailing, server):
    other = HostLock(mailing.directory / "mail.lock")
    mailing.errors()
    mailing.clock.seconds += 5
    assert other.acquire()
    assert mailing.turn() == 1.0
    assert server.inbox.mails == []
    other.release()
    mailing.turn()
    assert len(server.inbox.mails) == 1


def test_another_process_tells_what_a_dead_one_has_stored(make_mailing, server):
    mailing = make_mailing(server)
    mailing.errors(7)
    other = make_mailing(server, clock=mailing.clock)
    other.run(5)
    assert told(messages(server)) == [7]


def test_a_reboot_keeps_the_windows(make_mailing, server):
    clock = Clock()
    mailing = make_mailing(server, clock=clock)
    mailing.errors()
    mailing.run(2)
    mailing.errors(4)
    clock.boot, clock.seconds = "boot-2", 3.0
    again = make_mailing(server, clock=clock)
    again.run(200)
    assert len(server.inbox.mails) == 1  # the follow-up is not due: time that the host was off counts as none
    again.run(700)
    assert told(messages(server)) == [1, 4]
    again.run(5000)
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()


def test_jumps_of_the_wall_clock_change_nothing(mailing, server, monkeypatch):
    jump = [0.0]
    wall = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall() + int(jump[0] * 1e9))
    for n in range(12):
        jump[0] = (-1) ** n * 5 * 3600.0
        mailing.errors()
        mailing.run(100)
    assert told(messages(server)) == [1, 3, 6]
    mailing.run(10_000)
    assert sum(told(messages(server))) == 12


def test_mails_of_one_group_are_one_thread(mailing, server):
    mailing.errors()
    mailing.run(2)
    mailing.errors(3)
    mailing.run(5000)
    first, *later = messages(server)
    assert later
    assert all(m["In-Reply-To"] == first["Message-ID"] for m in later)
    assert all(m["References"] == f"{first['References']} {first['Message-ID']}" for m in later)
    mailing.errors()
    mailing.run(2)
    assert messages(server)[-1]["References"] == first["References"]  # the next incident of the same group


def test_a_mail_about_two_groups_is_in_the_threads_of_both(mailing, server):
    for fingerprint in ("v1:a", "v1:b"):
        mailing.errors(fingerprint=fingerprint)
        mailing.run(2)
        mailing.errors(fingerprint=fingerprint)
    mailing.clock.seconds += 400
    mailing.turn()
    *firsts, both = (m["Message-ID"] for m in messages(server))
    assert len(firsts) == 2
    assert set(firsts) < set(messages(server)[-1]["References"].split())
    assert both not in firsts


# A kill leaves a message in one of these states; the next turn, of whichever process, finishes it.


def staged_only(mailing):
    mailing.spool.stage("00-torn", TO, b"Subject: never entered\r\n\r\n")


def test_a_message_staged_and_not_entered_is_thrown_away_and_its_errors_are_told_once(mailing, server):
    mailing.errors(3)
    staged_only(mailing)
    mailing.run(5)
    assert told(messages(server)) == [3]
    assert list(mailing.directory.glob("outbox/*.staged")) == []


class KilledError(BaseException):
    """Stands for the end of the process at one line."""


@pytest.mark.parametrize(
    ("target", "mails"),
    [
        ("Spool.publish", [3]),
        ("Outbox.attempt", [3]),
        ("Session._transaction", [3]),
        ("Session._content", [3]),
        ("Outbox.answered", [3, 3]),
        ("Outbox.accepted", [3, 3]),
        ("Spool.remove", [3]),
        ("Outbox._close", [3]),
    ],
)
def test_a_kill_at_any_step_loses_no_count_and_repeats_a_mail_only_after_the_servers_answer(
    make_mailing, server, monkeypatch, target, mails
):
    mailing = make_mailing(server)
    mailing.errors(3)
    mailing.clock.seconds += 5

    def die(*args, **kwargs):
        raise KilledError

    where = {"Spool": "spool.", "Outbox": "outbox.", "Session": "channels.session."}[target.partition(".")[0]]
    with monkeypatch.context() as patch:
        patch.setattr(f"visigate_logging.delivery.{where}{target}", die)
        with pytest.raises(KilledError):
            mailing.turn()
    next_process = make_mailing(server, clock=mailing.clock)
    next_process.run(100)
    assert told(messages(server)) == mails
    assert len({m["Message-ID"] for m in messages(server)}) == 1  # a mail sent twice is known as one
    assert next_process.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}
    assert next_process.spool.waiting() == []
    assert next_process.outbox.all() == {}


@pytest.fixture
def full_card(monkeypatch):
    """No file of the outbox can be written, until it is undone."""

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("visigate_logging.delivery.spool.write_atomically", full)
        yield patch


def test_a_mail_that_cannot_be_written_is_sent_at_once(mailing, server, full_card):
    mailing.errors(3)
    mailing.run(5)
    assert told(messages(server)) == [3]
    assert mailing.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}
    assert mailing.outbox.all() == {}


@pytest.mark.parametrize("answer", ["451 later", "550 never"])
def test_a_mail_that_can_neither_be_written_nor_sent_has_told_nothing(mailing, server, full_card, answer):
    server.inbox.answers["DATA"] = answer
    mailing.errors(3)
    mailing.clock.seconds += 5
    with pytest.raises(OSError, match="No space"):
        mailing.turn()
    assert mailing.incidents.sheet()["pending"] == 3
    server.inbox.answers.clear()
    full_card.undo()
    mailing.run(5)
    assert told(messages(server)) == [3]


def test_a_message_that_somebody_removed_is_counted_as_dropped(make_mailing):
    mailing = make_mailing(MailServer("localhost", 1))
    mailing.errors(3)
    mailing.run(5)
    [message] = mailing.spool.waiting()
    mailing.spool.path(message).unlink()
    mailing.run(5)
    assert mailing.incidents.sheet()["dropped"] == {"removed from the outbox": 3}


def test_messages_are_sent_even_when_the_state_file_was_lost(make_mailing, server):
    mailing = make_mailing(MailServer("localhost", 1))
    mailing.errors(3)
    mailing.run(5)
    mailing.state.close()
    for path in mailing.directory.glob("state.sqlite3*"):
        path.unlink()
    back = make_mailing(server, clock=mailing.clock)
    back.run(100)
    assert told(messages(server)) == [3]
    assert back.spool.waiting() == []


def test_a_message_is_given_up_after_two_weeks_and_that_is_said(make_mailing, caplog):
    mailing = make_mailing(MailServer("localhost", 1))
    mailing.errors(3)
    mailing.run(5)
    mailing.clock.seconds += 15 * 24 * 3600
    mailing.turn()
    assert said(caplog, "too long in the outbox")
    assert mailing.incidents.sheet()["dropped"] == {"too long in the outbox": 3}


def test_the_outbox_is_bounded_in_size(make_mailing, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.composer._LARGEST_OUTBOX", 1000)
    mailing = make_mailing(MailServer("localhost", 1))
    mailing.errors(3)
    mailing.run(60)
    assert mailing.spool.waiting() == []
    assert mailing.incidents.sheet()["dropped"] == {"outbox full": 3}


def test_at_the_end_of_the_process_new_groups_are_not_waited_for(mailing, server):
    mailing.errors(2)
    mailing.turn(hurry=True)
    assert told(messages(server)) == [2]


def test_more_groups_than_the_books_hold_share_one(mailing, server, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.incidents._MOST_GROUPS", 5)
    for n in range(12):
        mailing.errors(2, fingerprint=f"v1:{n}")
    mailing.run(5)
    assert sum(told(messages(server))) == 24
    assert "and 5 more" in messages(server)[0]["Subject"]


def test_a_server_that_comes_up_late_is_found(make_mailing):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mailing = make_mailing(MailServer("localhost", port))
    mailing.errors()
    mailing.run(20)
    with Server(Inbox(), port=port) as server:
        mailing.run(60)
        assert wait_for(lambda: server.inbox.mails)


def test_the_last_failure_is_kept_with_what_the_server_said(make_mailing, server):
    mailing = make_mailing(MailServer("127.0.0.1", 9, timeout=1.0))
    mailing.errors()
    mailing.run(2)
    assert "mails cannot be sent: connect: " in host_failures(mailing.state)["mail"]["text"]
    mailing.state.close()
    again = make_mailing(server)
    server.inbox.answers[TO[0]] = server.inbox.answers[TO[1]] = "550 no such user"
    again.outbox.try_now()
    again.run(2)
    assert "a mail was refused for good: " in host_failures(again.state)["mail"]["text"]
    assert "550" in host_failures(again.state)["mail"]["text"]
