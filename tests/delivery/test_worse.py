"""What is worse than what was told is told at once, and what waits is visible."""

import time

import pytest

from tests.delivery.conftest import TO
from tests.delivery.servers import Server, told
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.throttle import Incident, Windows, note, plan, waits
from visigate_logging.detail.record import ExceptionData

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
WINDOWS = Windows(group_wait=1, interval=300, max_interval=14_400, quiet=3600, max_per_hour=4)


def messages(server):
    return [message for _, message in server.inbox.mails]


def text(message):
    return message.get_body(("plain",)).get_content()


def group(name="a", severity="ERROR", **changes):
    values = {"since": 100.0, "seen": 100.0, "first_time": "t", "last_time": "t", "began": "t", "untold": 1}
    return Incident(name, severity, **(values | changes))


def cause(name):
    return (ExceptionData("CameraError", "m", "x"), ExceptionData(name, "m", "y", relation="cause", parent=0))


def test_a_severity_that_rises_is_told_at_once(mailing, server):
    mailing.errors(severity="ERROR")
    mailing.run(5)
    mailing.errors(3, severity="ERROR")
    mailing.run(5)
    assert told(messages(server)) == [1]
    mailing.errors(2, severity="CRITICAL")
    mailing.run(5)
    assert told(messages(server)) == [1, 5]
    assert "It is worse: it was ERROR before." in text(messages(server)[-1])
    mailing.errors(severity="CRITICAL")
    mailing.run(5)
    assert len(messages(server)) == 2  # it is no worse


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"host": "gate-2"}, "host gate-2"),
        ({"exceptions": cause("TimeoutError")}, "cause TimeoutError"),
    ],
)
def test_another_host_or_cause_is_told_at_once(mailing, server, changes, shown):
    mailing.errors(exceptions=cause("OSError"))
    mailing.run(5)
    mailing.errors(exceptions=cause("OSError"))
    mailing.run(5)
    assert len(messages(server)) == 1
    mailing.errors(**({"exceptions": cause("OSError")} | changes))
    mailing.run(5)
    assert told(messages(server)) == [1, 2]
    assert f"It is worse: another {shown}." in text(messages(server)[-1])


def outcome(status):
    more = {"recovery": {"procedure": "camera", "key": "camera:north", "status": status}}
    return {"fingerprint": f"v1:{status}", "logger": "visigate_logging.recovery", "additional_info": more}


def test_a_recovery_that_fails_after_one_that_worked_is_told_at_once(mailing, server):
    for status in ("failed", "done", "failed"):
        mailing.errors(**outcome(status), error_message=f"Recovery camera {status}")
        mailing.run(10)
    assert [text(m).count("Recovery camera failed") > 0 for m in messages(server)] == [True, False, True]
    mailing.errors(**outcome("failed"))
    mailing.run(10)
    assert len(messages(server)) == 3  # again the same result


def test_the_hours_last_mail_is_kept_for_a_new_critical_group():
    mailed = [10.0, 20.0, 30.0]
    old = group("old", told_at=20.0, wait=1.0)
    assert plan([old, group("new")], mailed, 200, WINDOWS).due == ()
    decision = plan([old, group("new", "CRITICAL")], mailed, 200, WINDOWS)
    assert [g.fingerprint for g in decision.due] == ["new", "old"]
    assert plan([group("new", "CRITICAL")], [*mailed, 40.0], 200, WINDOWS).due == ()


def test_what_waits_says_why_and_until_when():
    groups = [
        group("told", told_at=90.0, wait=300.0),
        group("new", since=199.0),
        group("done", untold=0, told_at=1.0),
    ]
    found = {w.group.fingerprint: (w.until, w.reason) for w in waits(groups, [], WINDOWS)}
    assert found == {"told": (390.0, "interval"), "new": (200.0, "group_wait")}
    found = {w.group.fingerprint: (w.until, w.reason) for w in waits(groups, [50.0, 60.0, 70.0], WINDOWS)}
    assert found["new"] == (3650.0, "max_per_hour")


def test_signs_are_bounded():
    known = group(signs=("cause A",), told_at=1.0)
    for n in range(50):
        known = note(known, group(signs=(f"cause {n}",)), WINDOWS)
    assert len(known.signs) == 20
    assert note(known, group(signs=("cause Z",)), WINDOWS).worse == "another cause 0"


def away_for_long(make_mailing, server):
    """A mailing whose mail has been tried for so long that the next try is an hour away."""
    mailing = make_mailing(server)
    mailing.errors()
    mailing.run(6 * 3600)
    [row] = mailing.outbox.all().values()
    mailing.clock.seconds += row.wait - 3000
    return mailing


def test_a_new_error_has_what_could_not_be_sent_tried_at_once(make_mailing, server):
    mailing = away_for_long(make_mailing, MailServer("localhost", 1))
    back = make_mailing(server, clock=mailing.clock)
    back.run(60)
    assert messages(server) == []
    back.errors()
    back.run(10)
    assert told(messages(server)) == [1, 1]


def test_a_port_that_can_be_reached_again_has_it_tried_at_once(make_mailing, server):
    mailing = away_for_long(make_mailing, MailServer("localhost", 1))
    back = make_mailing(server, clock=mailing.clock)
    back.sender._probe_at = time.monotonic()
    back.run(1)
    assert told(messages(server))[0] == 1


def test_a_mail_that_comes_late_says_so(make_mailing, server):
    mailing = away_for_long(make_mailing, MailServer("localhost", 1))
    back = make_mailing(server, clock=mailing.clock)
    back.outbox.try_now()
    back.run(1)
    message = messages(server)[0]
    assert text(message).startswith("This mail was made at ")
    assert "could be sent only at" in text(message)
    assert "refused the connection" in text(message)
    assert "could be sent only at" in message.get_body(("html",)).get_content()


def test_a_wrong_password_is_not_tried_more_often_for_new_errors(make_mailing):
    from visigate_logging.delivery.channels.server import Credentials

    with Server(login=("gate", "right")) as server:
        mailing = away_for_long(make_mailing, MailServer("localhost", server.port, Credentials("gate", "wrong")))
        [before] = mailing.outbox.all().values()
        mailing.errors()
        mailing.run(60)
        [after] = mailing.outbox.all().values()
        assert after.tries == before.tries


# Refused is not the end.


def test_after_a_refusal_the_next_error_is_told_anew(mailing, server):
    server.inbox.answers["DATA"] = "554 no"
    mailing.errors(3)
    mailing.run(5)
    server.inbox.answers.clear()
    mailing.errors(2)
    mailing.run(5)
    assert told(messages(server)) == [2]
    assert "New:" in text(messages(server)[0])


def test_when_the_address_is_cured_the_refused_mail_goes_to_it_alone(mailing, server):
    server.inbox.answers[TO[1]] = "550 unknown user"
    mailing.errors(2)
    mailing.run(5)
    assert server.inbox.mails[0][0] == (TO[0], TO[2])
    server.inbox.answers.clear()
    assert len(mailing.sender.retry_refused()) == 1
    mailing.run(5)
    assert server.inbox.mails[1][0] == (TO[1],)
    assert mailing.spool.refused.messages() == []
    assert messages(server)[0]["Message-ID"] == messages(server)[1]["Message-ID"]


def test_an_unknown_recipient_is_said_once_while_the_answer_is_the_same(mailing, server, caplog):
    server.inbox.answers[TO[1]] = "550 unknown user"
    for name in ("a", "b", "c"):
        mailing.errors(fingerprint=name)
        mailing.run(5)
    assert len(server.inbox.mails) == 3
    assert len([r for r in caplog.records if "refused for good" in r.getMessage()]) == 1
