"""The summary of a week comes also when nothing happened, and a mail says what a recovery did."""

import os
import time
from datetime import datetime

import orjson
import pytest

from tests.delivery.conftest import Mailing
from visigate_logging.delivery import composer as composer_module
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.delivery.summary import Schedule, Week, read_schedule, standing, summary_text
from visigate_logging.handlers.recovery import RecoveryHandler

MONDAY = datetime(2026, 3, 2, 7, 0).astimezone()


def text(message):
    return message.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("value", "now", "last"),
    [
        ("monday 07:00", "2026-03-02 07:00", "2026-03-02 07:00"),
        ("Monday 7:00", "2026-03-02 06:59", "2026-02-23 07:00"),
        ("monday 07:00", "2026-03-08 23:00", "2026-03-02 07:00"),
        ("daily 18:30", "2026-03-08 18:29", "2026-03-07 18:30"),
    ],
)
def test_a_schedule_has_a_last_moment(value, now, last):
    moment = read_schedule(value).last(datetime.fromisoformat(now))
    assert moment == datetime.fromisoformat(last)


@pytest.mark.parametrize("value", ["montag 07:00", "monday", "monday 25:00", "monday 07:61", 7])
def test_a_schedule_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="such as monday 07:00"):
        read_schedule(value)


@pytest.fixture
def weekly(tmp_path, server, monkeypatch):
    """A mailing with a weekly summary, and the wall clock that it goes by."""
    now = [MONDAY.replace(hour=6)]

    class Wall(datetime):
        @classmethod
        def now(cls, tz=None):
            return now[0]

    monkeypatch.setattr(composer_module, "datetime", Wall)
    mail_server = MailServer("localhost", server.port)
    mailing = Mailing(tmp_path / "state", mail_server, schedule=Schedule(0, 7, 0))
    yield mailing, now
    mailing.state.close()


def summaries(server):
    return [message for _, message in server.inbox.mails if "summary:" in message["Subject"]]


def test_it_comes_once_a_week_also_when_nothing_happened(weekly, server):
    mailing, now = weekly
    mailing.run(1)
    assert summaries(server) == []  # a week begins
    for moment in (MONDAY, MONDAY.replace(hour=8), MONDAY.replace(day=8)):
        now[0] = moment
        mailing.run(1)
    assert len(summaries(server)) == 1
    assert summaries(server)[0]["Subject"].endswith("summary: no errors")
    now[0] = MONDAY.replace(day=9)
    mailing.run(1)
    assert len(summaries(server)) == 2
    assert len({m["Message-ID"] for m in summaries(server)}) == 2


def test_it_tells_how_many_of_which_and_what_is_new(weekly, server):
    mailing, now = weekly
    mailing.run(1)
    mailing.errors(5)
    now[0] = MONDAY
    mailing.run(10)
    mailing.errors(2)
    mailing.errors(70, fingerprint="v1:db", error_message="database is locked", severity="ERROR")
    now[0] = MONDAY.replace(day=9)
    mailing.run(10)
    first, second = map(text, summaries(server))
    assert "5 errors of 1 kind, 1 new" in first
    assert "72 errors of 2 kinds, 1 new" in second
    lines = [line.split() for line in second.splitlines()]
    assert ["2", "CRITICAL", "CameraError:", "camera", "does", "not", "answer"] in lines
    assert ["70", "ERROR", "new", "CameraError:", "database", "is", "locked"] in lines
    assert "Disk: " in second
    assert mailing.incidents.sheet()["accepted"] == 77


def test_the_rest_of_many_kinds_is_one_line(tmp_path):
    week = Week("2026-03-02T07:00", {f"v1:{n}": (n, "ERROR", f"Error{n}") for n in range(1, 41)})
    _, shown = summary_text(week, {"done": 3, "failed": 1})
    assert "    325  in 25 kinds more" in shown
    assert "Recoveries: 3 done, 1 failed" in shown


def outcome(mailing, **changes):
    line = {"timestamp": "2026-03-01T12:00:05.000+00:00", "event": "outcome", "procedure": "camera", "status": "done"}
    with (mailing.directory / "recovery.jsonl").open("ab") as file:
        file.write(orjson.dumps(line | {"error_type": "CameraError", "message": "reopened"} | changes) + b"\n")


def test_a_mail_says_what_a_recovery_did(mailing, server):
    mailing.directory.mkdir()
    outcome(mailing, timestamp="2026-02-01T00:00:00+00:00", message="long ago")
    outcome(mailing, error_type="DatabaseError", message="of another")
    outcome(mailing)
    with (mailing.directory / "recovery.jsonl").open("ab") as file:
        file.write(b'{"event": "outcome", "timest\n')
    mailing.errors()
    mailing.run(5)
    [(_, message)] = server.inbox.mails
    assert "Recovery: camera: done, reopened (2026-03-01" in text(message)


def test_a_summary_tells_how_old_the_backups_are_that_would_be_restored_from(tmp_path):
    """The recovery handler notes which there are when it gets its name; one that is not there is told as such."""
    databases = {"gate.db": "gate.backup", "other.db": "other.backup", "not/there.db": "there.backup"}
    procedures = {
        f"p{n}": {
            "exceptions": ["DatabaseError"],
            "steps": [
                {"restore_sqlite": {"database": str(tmp_path / database), "backups": [str(tmp_path / backup)]}}
            ],
        }
        for n, (database, backup) in enumerate(databases.items())
    }
    (tmp_path / "gate.backup").touch()
    os.utime(tmp_path / "gate.backup", (time.time() - 7200,) * 2)
    handler = RecoveryHandler(procedures, state_dir=tmp_path / "state")
    handler.set_name("recovery")
    handler.close()
    assert standing(tmp_path / "state")[1] == "Backups: gate.db 2 h old; other.db THERE IS NONE"
    assert standing(tmp_path)[1] == "Backups: none are configured"
