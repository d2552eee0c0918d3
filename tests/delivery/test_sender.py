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


def sums_up(desk, n):
    sheet = desk.ledger.sheet()
    total = sheet["delivered"] + sheet["folded"] + sum(sheet["dropped"].values()) + sheet["pending"]
    return sheet["accepted"] == total == n


def said(caplog, text):
    return [r.getMessage() for r in caplog.records if r.name == "visigate_logging" and text in r.getMessage()]


def test_an_error_is_mailed_to_all_recipients_after_group_wait(desk, server):
    desk.errors()
    desk.run(0.9)
    assert server.inbox.mails == []
    desk.run(1)
    [(recipients, message)] = server.inbox.mails
    assert recipients == TO
    assert (
        message["Subject"] == "VisiGate Error [gate] CRITICAL CameraError: camera does not answer \u2013 src.camera"
    )
    assert desk.outbox.waiting() == []
    assert desk.ledger.sheet() == {"accepted": 1, "delivered": 1, "folded": 0, "dropped": {}, "pending": 0}


def test_the_counts_of_all_mails_add_up_to_the_errors(desk, server):
    for n in range(50):
        desk.errors(n + 1)
        desk.run(77)
    desk.run(20_000)
    assert sum(told(messages(server))) == sum(range(51))
    assert sums_up(desk, sum(range(51)))
    assert desk.ledger.sheet()["pending"] == 0
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()


def test_what_was_read_is_booked_together_with_how_far_it_was_read(desk):
    def read(known):
        return [entry(error(), 4)], {"file": 40}

    def die(known):
        raise KilledError

    desk.ledger.book(read)
    with pytest.raises(KilledError):
        desk.ledger.book(die)
    desk.ledger.book(read)  # nothing is new
    assert sums_up(desk, 4)


def test_errors_of_many_known_groups_are_booked_in_as_few_statements_as_those_of_one(desk):
    """At each statement sqlite3 gives up the GIL, and callers wait to get it back."""
    many = [entry(error(f"v1:{n}")) for n in range(50)]
    desk.book(*many)
    statements = []
    with desk.state.transaction() as connection:
        connection.set_trace_callback(statements.append)
    statements.clear()
    desk.book(many[0])
    for_one = len(statements)
    statements.clear()
    desk.book(*many)
    assert len(statements) == for_one <= 9


def test_of_an_incident_whose_end_was_told_nothing_stays_in_the_books(desk, server):
    desk.errors(3)
    desk.run(5000)
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()
    with desk.state.transaction() as connection:
        assert connection.execute("SELECT groups FROM mail_incidents").fetchall() == [(b"[]",)]
        assert connection.execute("SELECT * FROM mail_details").fetchall() == []
        assert connection.execute("SELECT * FROM mail_letters").fetchall() == []


def test_a_group_that_was_told_by_an_earlier_versions_key_is_not_told_as_a_new_one(desk, server):
    parts = {"logger": "gate", "culprit": ["camera in grab"], "template": "camera {} lost", "codes": []}
    desk.errors(fingerprint=v1.key(parts, "camera 5 lost"))
    desk.run(10)
    assert len(messages(server)) == 1
    for number in range(20):
        message = f"camera {number} lost"
        desk.errors(fingerprint=v2.key(parts, message), grouping=parts, error_message=message)
    desk.run(10)
    assert len(messages(server)) == 1
    desk.run(3600)
    first, follow_up, *_ = messages(server)
    assert follow_up["In-Reply-To"] == first["Message-ID"]
    assert told([first, follow_up]) == [1, 20]
    assert all("New:" not in text(message) for message in messages(server)[1:])
    assert sums_up(desk, 21)


def test_a_server_that_fails_again_after_it_worked_is_said_again(make_desk, server, caplog):
    away = MailServer("localhost", 1)
    desk = make_desk(away)
    desk.errors(fingerprint="v1:a")
    desk.run(100)
    back = make_desk(server, clock=desk.clock)
    back.run(4000)
    again = make_desk(away, clock=desk.clock)
    again.errors(fingerprint="v1:b")
    again.run(100)
    assert len(said(caplog, "Mails cannot be sent")) == 2


@pytest.mark.parametrize("where", ["DATA", *TO])
@pytest.mark.parametrize("answer", ["450 try later", "452 no space", "451 local error"])
def test_a_refusal_for_now_is_tried_again_until_it_is_accepted(desk, server, where, answer):
    server.inbox.answers[where] = answer
    desk.errors(5)
    desk.run(10)
    got = {r for recipients, _ in server.inbox.mails for r in recipients}
    assert got == (set() if where == "DATA" else set(TO) - {where})
    assert len(desk.outbox.waiting()) == 1
    server.inbox.answers.clear()
    desk.run(120)
    by_mail = [set(recipients) for recipients, _ in server.inbox.mails]
    assert set().union(*by_mail) == set(TO)
    assert sum(len(r) for r in by_mail) == 3  # nobody gets it twice
    assert desk.outbox.waiting() == []
    assert desk.ledger.sheet() == {"accepted": 5, "delivered": 1, "folded": 4, "dropped": {}, "pending": 0}


@pytest.mark.parametrize("answer", ["550 no such user", "552 too big", "554 go away"])
def test_a_refusal_for_good_is_set_aside_with_the_servers_answer_and_said_once(desk, server, answer, caplog):
    server.inbox.answers["DATA"] = answer
    desk.errors(5)
    desk.run(3000)
    assert desk.outbox.waiting() == []
    [letter] = desk.outbox.refused.letters()
    assert set(letter.recipients) == set(TO)
    assert answer in letter.answers[0]
    assert b"camera does not answer" in letter.message
    assert len(said(caplog, "refused for good")) == 1
    assert desk.ledger.sheet()["dropped"] == {"refused by the mail server": 5}
    assert sums_up(desk, 5)


def test_only_the_last_refused_letters_are_kept(desk, server, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.sender._KEPT_REFUSED", 3)
    server.inbox.answers["DATA"] = "550 never"
    for n in range(5):
        desk.errors(fingerprint=f"v1:{n}", error_type=f"Error{n}")
        desk.run(2)
    kept = desk.outbox.refused.letters()
    assert [f"Error{n}".encode() in letter.message for n, letter in enumerate(kept, start=2)] == [True] * 3


def test_a_recipient_refused_for_good_does_not_stop_the_others(desk, server, caplog):
    server.inbox.answers[TO[1]] = "550 unknown user"
    desk.errors(2)
    desk.run(600)
    [(recipients, _)] = server.inbox.mails
    assert recipients == (TO[0], TO[2])
    [letter] = desk.outbox.refused.letters()
    assert letter.recipients == (TO[1],)
    assert letter.answers == (f"{TO[1]}: 550 unknown user. There is no such mailbox: check toaddrs",)
    assert len(said(caplog, "unknown user")) == 1
    assert desk.ledger.sheet()["delivered"] == 1


def test_a_recipient_refused_for_now_does_not_hold_later_mails_up(desk, server):
    server.inbox.answers[TO[1]] = "452 mailbox full"
    desk.errors(fingerprint="v1:a")
    desk.run(10)
    desk.errors(fingerprint="v1:b")
    desk.run(10)
    assert [r for r, _ in server.inbox.mails] == [(TO[0], TO[2])] * 2
    assert len(desk.outbox.waiting()) == 2


def test_all_recipients_unknown_is_a_refusal_for_good(desk, server):
    server.inbox.answers |= dict.fromkeys(TO, "550 unknown user")
    desk.errors(4)
    desk.run(100)
    assert desk.ledger.sheet()["dropped"] == {"refused by the mail server": 4}
    assert desk.outbox.waiting() == []


@pytest.mark.parametrize("where", ["DATA", TO[0], TO[2]])
def test_a_server_that_closes_with_421_is_tried_again(desk, server, where):
    server.inbox.answers[where] = "421 shutting down"
    desk.errors()
    desk.run(10)
    assert len(desk.outbox.waiting()) == 1
    server.inbox.answers.clear()
    desk.run(60)
    assert len(server.inbox.mails) == 1
    assert server.inbox.mails[0][0] == TO


def test_a_disconnect_amid_the_message_is_tried_again(make_desk, server):
    with RawServer(drop_in_data) as broken:
        desk = make_desk(broken)
        desk.errors(3)
        desk.run(5)
        assert broken.connections == 1
        assert len(desk.outbox.waiting()) == 1
    other = make_desk(server, clock=desk.clock)
    other.run(60)
    assert told(messages(server)) == [3]


def test_a_server_that_accepts_and_stays_silent_costs_the_limit_and_is_said_once(make_desk, caplog, monkeypatch):
    monkeypatch.setitem(LIMITS, "greeting", 0.1)
    with RawServer(say_nothing) as silent:
        desk = make_desk(silent)
        desk.errors()
        begun = time.monotonic()
        desk.run(1000)
        assert time.monotonic() - begun < 10
        assert 5 <= silent.connections <= 8  # 15, 30, 60, … s apart
    assert len(said(caplog, "did not answer in time")) == 1
    assert "Port 465 wants secure: tls" in caplog.text


def test_a_slow_server_is_waited_for(desk, server):
    server.inbox.on_data = lambda _: time.sleep(0.5)
    desk.errors()
    desk.run(2)
    assert len(server.inbox.mails) == 1


def test_a_server_that_answers_drop_by_drop_is_left_after_a_while(make_desk, monkeypatch):
    monkeypatch.setitem(LIMITS, "greeting", 0.5)

    def drip(connection):
        for byte in b"220 " + b"x" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with RawServer(drip) as server:
        desk = make_desk(server, timeout=0.3)
        desk.errors()
        begun = time.monotonic()
        desk.run(2)
        assert 0.4 < time.monotonic() - begun < 5
    assert len(desk.outbox.waiting()) == 1


def test_a_name_that_cannot_be_resolved_is_explained(make_desk, caplog):
    desk = make_desk(MailServer("mail.invalid", 25))
    desk.errors()
    desk.run(100)
    [text] = said(caplog, "cannot be resolved")
    assert "Check mailhost for a slip" in text
    assert len(desk.outbox.waiting()) == 1


def context_of(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(*names, **options).configure_cert(context)
    return context


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_encrypted_with_a_certificate_of_the_own_authority(make_desk, authority, mode):
    with Server(**{mode: context_of(authority, "localhost")}) as server:
        desk = make_desk(MailServer("localhost", server.port, security=Security(mode, ca_file=authority[1])))
        desk.errors()
        desk.run(2)
        assert len(server.inbox.mails) == 1


@pytest.mark.parametrize("mode", ["tls", "starttls"])
@pytest.mark.parametrize("fault", ["unknown authority", "other name", "expired"])
def test_a_certificate_that_is_not_valid_is_refused_and_explained(make_desk, authority, mode, fault, caplog):
    import datetime

    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    options = {"not_after": past + datetime.timedelta(days=1), "not_before": past} if fault == "expired" else {}
    context = context_of(authority, "elsewhere.example" if fault == "other name" else "localhost", **options)
    ca_file = None if fault == "unknown authority" else authority[1]
    with Server(**{mode: context}) as server:
        desk = make_desk(MailServer("localhost", server.port, security=Security(mode, ca_file=ca_file)))
        desk.errors()
        desk.run(2)
        assert server.inbox.mails == []
    [text] = said(caplog, "certificate of localhost")
    assert ("must be renewed" if fault == "expired" else "secure.ca_file") in text
    assert len(desk.outbox.waiting()) == 1


def test_verification_can_be_switched_off(make_desk, authority):
    with Server(tls=context_of(authority, "elsewhere.example")) as server:
        desk = make_desk(MailServer("localhost", server.port, security=Security("tls", verify=False)))
        desk.errors()
        desk.run(2)
        assert len(server.inbox.mails) == 1


def test_starttls_is_demanded_of_a_server_that_does_not_offer_it(make_desk, server, caplog):
    desk = make_desk(MailServer("localhost", server.port, security=Security("starttls")))
    desk.errors()
    desk.run(2)
    assert server.inbox.mails == []
    assert said(caplog, "tls: ")


def test_login_with_the_right_password(make_desk):
    with Server(login=("gate", "pa ss")) as server:
        desk = make_desk(MailServer("localhost", server.port, Credentials("gate", "pa ss")))
        desk.errors()
        desk.run(2)
        assert len(server.inbox.mails) == 1


def test_a_wrong_password_is_explained_once_and_its_mail_waits(make_desk, caplog):
    with Server(login=("gate", "right")) as server:
        desk = make_desk(MailServer("localhost", server.port, Credentials("gate", "hunter2")))
        desk.errors(2)
        desk.run(300)
        [text] = said(caplog, "login: 535")
        assert "Check user and password in credentials" in text
        assert "hunter2" not in text
        desk = make_desk(MailServer("localhost", server.port, Credentials("gate", "right")), clock=desk.clock)
        desk.run(600)
        assert told(messages(server)) == [2]
    assert said(caplog, "Mails go out again")


def test_a_server_that_demands_a_login_sets_no_mail_aside(make_desk):
    with Server(login=("gate", "right")) as server:
        desk = make_desk(server)
        desk.errors()
        desk.run(10)
        assert desk.outbox.refused.letters() == []
        assert len(desk.outbox.waiting()) == 1


def test_a_demand_for_a_login_about_one_recipient_sets_no_mail_aside(desk, server, caplog):
    server.inbox.answers[TO[1]] = "530 authenticate first"
    desk.errors()
    desk.run(10)
    assert desk.outbox.refused.letters() == []
    assert len(desk.outbox.waiting()) == 1
    assert said(caplog, "530 authenticate first")


def test_a_server_away_for_a_day_neither_loses_a_count_nor_floods_afterwards(make_desk, server):
    desk = make_desk(MailServer("localhost", 1))
    for n in range(144):
        desk.errors(n + 1, fingerprint=f"v1:{n % 20}")
        desk.run(600)
        assert len(desk.outbox.waiting()) == 1
    back = make_desk(server, clock=desk.clock)
    back.letters.try_now()
    back.run(60)
    assert len(server.inbox.mails) == 2  # the one that waited, and one that tells all the rest
    back.run(3500)
    assert len(server.inbox.mails) <= 6  # the ends of incidents leave room for news
    back.run(20_000)
    assert sum(told(messages(server))) == sum(range(145))
    assert sums_up(back, sum(range(145)))


def test_many_groups_are_never_more_mails_in_an_hour_than_allowed(make_desk, server):
    desk = make_desk(server, windows=Windows(max_per_hour=5))
    for n in range(60):
        desk.errors(fingerprint=f"v1:{n}")
        desk.run(20)
    assert len(server.inbox.mails) == 5
    desk.run(3600)
    assert sum(told(messages(server))) == 60
    assert "max_per_hour" in messages(server)[5].get_body(("plain",)).get_content()


def test_mails_that_are_refused_count_against_the_limit_as_well(make_desk, server):
    desk = make_desk(server, windows=Windows(max_per_hour=5))
    server.inbox.answers["DATA"] = "550 go away"
    for n in range(60):
        desk.errors(fingerprint=f"v1:{n}")
        desk.run(20)
    assert len(desk.outbox.refused.letters()) == 5


def test_only_one_sender_of_the_host_works_at_a_time(desk, server):
    other = HostLock(desk.directory / "mail.lock")
    desk.errors()
    desk.clock.seconds += 5
    assert other.acquire()
    assert desk.turn() == 1.0
    assert server.inbox.mails == []
    other.release()
    desk.turn()
    assert len(server.inbox.mails) == 1


def test_another_process_tells_what_a_dead_one_has_stored(make_desk, server):
    desk = make_desk(server)
    desk.errors(7)
    other = make_desk(server, clock=desk.clock)
    other.run(5)
    assert told(messages(server)) == [7]


def test_a_reboot_keeps_the_windows(make_desk, server):
    clock = Clock()
    desk = make_desk(server, clock=clock)
    desk.errors()
    desk.run(2)
    desk.errors(4)
    clock.boot, clock.seconds = "boot-2", 3.0
    again = make_desk(server, clock=clock)
    again.run(200)
    assert len(server.inbox.mails) == 1  # the follow-up is not due: time that the host was off counts as none
    again.run(700)
    assert told(messages(server)) == [1, 4]
    again.run(5000)
    assert "Quiet since" in messages(server)[-1].get_body(("plain",)).get_content()


def test_jumps_of_the_wall_clock_change_nothing(desk, server, monkeypatch):
    jump = [0.0]
    wall = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall() + int(jump[0] * 1e9))
    for n in range(12):
        jump[0] = (-1) ** n * 5 * 3600.0
        desk.errors()
        desk.run(100)
    assert told(messages(server)) == [1, 3, 6]
    desk.run(10_000)
    assert sum(told(messages(server))) == 12


def test_mails_of_one_group_are_one_thread(desk, server):
    desk.errors()
    desk.run(2)
    desk.errors(3)
    desk.run(5000)
    first, *later = messages(server)
    assert later
    assert all(m["In-Reply-To"] == first["Message-ID"] for m in later)
    assert all(m["References"] == f"{first['References']} {first['Message-ID']}" for m in later)
    desk.errors()
    desk.run(2)
    assert messages(server)[-1]["References"] == first["References"]  # the next incident of the same group


def test_a_mail_about_two_groups_is_in_the_threads_of_both(desk, server):
    for fingerprint in ("v1:a", "v1:b"):
        desk.errors(fingerprint=fingerprint)
        desk.run(2)
        desk.errors(fingerprint=fingerprint)
    desk.clock.seconds += 400
    desk.turn()
    *firsts, both = (m["Message-ID"] for m in messages(server))
    assert len(firsts) == 2
    assert set(firsts) < set(messages(server)[-1]["References"].split())
    assert both not in firsts


# A kill leaves a letter in one of these states; the next turn, of whichever process, finishes it.


def staged_only(desk):
    desk.outbox.stage("00-torn", TO, b"Subject: never entered\r\n\r\n")


def test_a_letter_staged_and_not_entered_is_thrown_away_and_its_errors_are_told_once(desk, server):
    desk.errors(3)
    staged_only(desk)
    desk.run(5)
    assert told(messages(server)) == [3]
    assert list(desk.directory.glob("outbox/*.staged")) == []


class KilledError(BaseException):
    """Stands for the end of the process at one line."""


@pytest.mark.parametrize(
    ("target", "mails"),
    [
        ("Outbox.publish", [3]),
        ("Letters.attempt", [3]),
        ("Session._transaction", [3]),
        ("Session._content", [3]),
        ("Letters.answered", [3, 3]),
        ("Letters.accepted", [3, 3]),
        ("Outbox.remove", [3]),
        ("Letters.close", [3]),
    ],
)
def test_a_kill_at_any_step_loses_no_count_and_repeats_a_mail_only_after_the_servers_answer(
    make_desk, server, monkeypatch, target, mails
):
    desk = make_desk(server)
    desk.errors(3)
    desk.clock.seconds += 5

    def die(*args, **kwargs):
        raise KilledError

    where = {"Outbox": "outbox.", "Letters": "letters.", "Session": "channels.session."}[target.partition(".")[0]]
    with monkeypatch.context() as patch:
        patch.setattr(f"visigate_logging.delivery.{where}{target}", die)
        with pytest.raises(KilledError):
            desk.turn()
    next_process = make_desk(server, clock=desk.clock)
    next_process.run(100)
    assert told(messages(server)) == mails
    assert len({m["Message-ID"] for m in messages(server)}) == 1  # a mail sent twice is known as one
    assert next_process.ledger.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}
    assert next_process.outbox.waiting() == []
    assert next_process.letters.all() == {}


@pytest.fixture
def full_card(monkeypatch):
    """No file of the outbox can be written, until it is undone."""

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("visigate_logging.delivery.outbox.write_atomically", full)
        yield patch


def test_a_mail_that_cannot_be_written_is_sent_at_once(desk, server, full_card):
    desk.errors(3)
    desk.run(5)
    assert told(messages(server)) == [3]
    assert desk.ledger.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}
    assert desk.letters.all() == {}


@pytest.mark.parametrize("answer", ["451 later", "550 never"])
def test_a_mail_that_can_neither_be_written_nor_sent_has_told_nothing(desk, server, full_card, answer):
    server.inbox.answers["DATA"] = answer
    desk.errors(3)
    desk.clock.seconds += 5
    with pytest.raises(OSError, match="No space"):
        desk.turn()
    assert desk.ledger.sheet()["pending"] == 3
    server.inbox.answers.clear()
    full_card.undo()
    desk.run(5)
    assert told(messages(server)) == [3]


def test_a_letter_that_somebody_removed_is_counted_as_dropped(make_desk):
    desk = make_desk(MailServer("localhost", 1))
    desk.errors(3)
    desk.run(5)
    [letter] = desk.outbox.waiting()
    desk.outbox.letter(letter).path.unlink()
    desk.run(5)
    assert desk.ledger.sheet()["dropped"] == {"removed from the outbox": 3}


def test_letters_are_sent_even_when_the_state_file_was_lost(make_desk, server):
    desk = make_desk(MailServer("localhost", 1))
    desk.errors(3)
    desk.run(5)
    desk.state.close()
    for path in desk.directory.glob("state.sqlite3*"):
        path.unlink()
    back = make_desk(server, clock=desk.clock)
    back.run(100)
    assert told(messages(server)) == [3]
    assert back.outbox.waiting() == []


def test_a_letter_is_given_up_after_two_weeks_and_that_is_said(make_desk, caplog):
    desk = make_desk(MailServer("localhost", 1))
    desk.errors(3)
    desk.run(5)
    desk.clock.seconds += 15 * 24 * 3600
    desk.turn()
    assert said(caplog, "too long in the outbox")
    assert desk.ledger.sheet()["dropped"] == {"too long in the outbox": 3}


def test_the_outbox_is_bounded_in_size(make_desk, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.composer._LARGEST_OUTBOX", 1000)
    desk = make_desk(MailServer("localhost", 1))
    desk.errors(3)
    desk.run(60)
    assert desk.outbox.waiting() == []
    assert desk.ledger.sheet()["dropped"] == {"outbox full": 3}


def test_at_the_end_of_the_process_new_groups_are_not_waited_for(desk, server):
    desk.errors(2)
    desk.turn(hurry=True)
    assert told(messages(server)) == [2]


def test_more_groups_than_the_books_hold_share_one(desk, server, monkeypatch):
    monkeypatch.setattr("visigate_logging.delivery.ledger._MOST_GROUPS", 5)
    for n in range(12):
        desk.errors(2, fingerprint=f"v1:{n}")
    desk.run(5)
    assert sum(told(messages(server))) == 24
    assert "and 5 more" in messages(server)[0]["Subject"]


def test_a_server_that_comes_up_late_is_found(make_desk):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    desk = make_desk(MailServer("localhost", port))
    desk.errors()
    desk.run(20)
    with Server(Inbox(), port=port) as server:
        desk.run(60)
        assert wait_for(lambda: server.inbox.mails)


def test_the_last_failure_is_kept_with_what_the_server_said(make_desk, server):
    desk = make_desk(MailServer("127.0.0.1", 9, timeout=1.0))
    desk.errors()
    desk.run(2)
    assert "mails cannot be sent: connect: " in host_failures(desk.state)["mail"]["text"]
    desk.state.close()
    again = make_desk(server)
    server.inbox.answers[TO[0]] = server.inbox.answers[TO[1]] = "550 no such user"
    again.letters.try_now()
    again.run(2)
    assert "a mail was refused for good: " in host_failures(again.state)["mail"]["text"]
    assert "550" in host_failures(again.state)["mail"]["text"]
