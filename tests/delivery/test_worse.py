"""What is worse than what was told is told at once, and what waits is visible."""

import time

import pytest

from tests.delivery.conftest import TO
from tests.delivery.servers import Server, told
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.throttle import Group, Windows, note, plan, waits
from visigate_logging.detail.record import ExceptionData

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
WINDOWS = Windows(group_wait=1, interval=300, max_interval=14_400, quiet=3600, max_per_hour=4)


def messages(server):
    return [message for _, message in server.inbox.mails]


def text(message):
    return message.get_body(("plain",)).get_content()


def group(name="a", severity="ERROR", **changes):
    values = {"since": 100.0, "seen": 100.0, "first_time": "t", "last_time": "t", "began": "t", "untold": 1}
    return Group(name, severity, **(values | changes))


def cause(name):
    return (ExceptionData("CameraError", "m", "x"), ExceptionData(name, "m", "y", relation="cause", parent=0))


def test_a_severity_that_rises_is_told_at_once(desk, server):
    desk.errors(severity="ERROR")
    desk.run(5)
    desk.errors(3, severity="ERROR")
    desk.run(5)
    assert told(messages(server)) == [1]
    desk.errors(2, severity="CRITICAL")
    desk.run(5)
    assert told(messages(server)) == [1, 5]
    assert "It is worse: it was ERROR before." in text(messages(server)[-1])
    desk.errors(severity="CRITICAL")
    desk.run(5)
    assert len(messages(server)) == 2  # it is no worse


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"host": "gate-2"}, "host gate-2"),
        ({"exceptions": cause("TimeoutError")}, "cause TimeoutError"),
    ],
)
def test_another_host_or_cause_is_told_at_once(desk, server, changes, shown):
    desk.errors(exceptions=cause("OSError"))
    desk.run(5)
    desk.errors(exceptions=cause("OSError"))
    desk.run(5)
    assert len(messages(server)) == 1
    desk.errors(**({"exceptions": cause("OSError")} | changes))
    desk.run(5)
    assert told(messages(server)) == [1, 2]
    assert f"It is worse: another {shown}." in text(messages(server)[-1])


def outcome(status):
    more = {"recovery": {"procedure": "camera", "key": "camera:north", "status": status}}
    return {"fingerprint": f"v1:{status}", "logger": "visigate_logging.recovery", "additional_info": more}


def test_a_recovery_that_fails_after_one_that_worked_is_told_at_once(desk, server):
    for status in ("failed", "done", "failed"):
        desk.errors(**outcome(status), error_message=f"Recovery camera {status}")
        desk.run(10)
    assert [text(m).count("Recovery camera failed") > 0 for m in messages(server)] == [True, False, True]
    desk.errors(**outcome("failed"))
    desk.run(10)
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


def away_for_long(make_desk, server):
    """A desk whose mail has been tried for so long that the next try is an hour away."""
    desk = make_desk(server)
    desk.errors()
    desk.run(6 * 3600)
    [row] = desk.letters.all().values()
    desk.clock.seconds += row.wait - 3000
    return desk


def test_a_new_error_has_what_could_not_be_sent_tried_at_once(make_desk, server):
    desk = away_for_long(make_desk, MailServer("localhost", 1))
    back = make_desk(server, clock=desk.clock)
    back.run(60)
    assert messages(server) == []
    back.errors()
    back.run(10)
    assert told(messages(server)) == [1, 1]


def test_a_port_that_can_be_reached_again_has_it_tried_at_once(make_desk, server):
    desk = away_for_long(make_desk, MailServer("localhost", 1))
    back = make_desk(server, clock=desk.clock)
    back.sender._probe_at = time.monotonic()
    back.run(1)
    assert told(messages(server))[0] == 1


def test_a_mail_that_comes_late_says_so(make_desk, server):
    desk = away_for_long(make_desk, MailServer("localhost", 1))
    back = make_desk(server, clock=desk.clock)
    back.letters.try_now()
    back.run(1)
    message = messages(server)[0]
    assert text(message).startswith("This mail was made at ")
    assert "could be sent only at" in text(message)
    assert "refused the connection" in text(message)
    assert "could be sent only at" in message.get_body(("html",)).get_content()


def test_a_wrong_password_is_not_tried_more_often_for_new_errors(make_desk):
    from visigate_logging.delivery.channels.server import Credentials

    with Server(login=("gate", "right")) as server:
        desk = away_for_long(make_desk, MailServer("localhost", server.port, Credentials("gate", "wrong")))
        [before] = desk.letters.all().values()
        desk.errors()
        desk.run(60)
        [after] = desk.letters.all().values()
        assert after.tries == before.tries


# Refused is not the end.


def test_after_a_refusal_the_next_error_is_told_anew(desk, server):
    server.inbox.answers["DATA"] = "554 no"
    desk.errors(3)
    desk.run(5)
    server.inbox.answers.clear()
    desk.errors(2)
    desk.run(5)
    assert told(messages(server)) == [2]
    assert "New:" in text(messages(server)[0])


def test_when_the_address_is_cured_the_refused_mail_goes_to_it_alone(desk, server):
    server.inbox.answers[TO[1]] = "550 unknown user"
    desk.errors(2)
    desk.run(5)
    assert server.inbox.mails[0][0] == (TO[0], TO[2])
    server.inbox.answers.clear()
    assert len(desk.sender.retry_refused()) == 1
    desk.run(5)
    assert server.inbox.mails[1][0] == (TO[1],)
    assert desk.outbox.refused.letters() == []
    assert messages(server)[0]["Message-ID"] == messages(server)[1]["Message-ID"]


def test_an_unknown_recipient_is_said_once_while_the_answer_is_the_same(desk, server, caplog):
    server.inbox.answers[TO[1]] = "550 unknown user"
    for name in ("a", "b", "c"):
        desk.errors(fingerprint=name)
        desk.run(5)
    assert len(server.inbox.mails) == 3
    assert len([r for r in caplog.records if "refused for good" in r.getMessage()]) == 1
