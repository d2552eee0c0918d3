"""``visigate-errors rehearse``: the same as a real run on the same errors."""

import logging
import random
import sqlite3
from datetime import timedelta

import orjson
import pytest

from tests.delivery.conftest import entry
from tests.records import NOON, detail, write
from visigate_logging.cli import main
from visigate_logging.cli.commands.rehearse import rehearsed
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import State
from visigate_logging.host.clock import Instant
from visigate_logging.rehearsal.replay import host_times, log_record
from visigate_logging.triage.decisions import Decision

CONFIG = """
version: 1
filters:
  classify:
    (): visigate_logging.Classifier
    rules:
      - {{exceptions: [OSError], severity: CRITICAL}}
      - {{exceptions: [ConnectionRefusedError], severity: {severity}}}
      - {{logger: gate.quiet, severity: WARNING}}
handlers:
  mail: {{class: visigate_logging.ThrottledSMTPHandler, mailhost: localhost, fromaddr: gate@example.org,
         toaddrs: [admin@example.org], severity: ERROR, filters: [classify], {windows}}}
root: {{handlers: [mail]}}
"""


@pytest.fixture
def config(tmp_path):
    def make(name="new.yaml", severity="ERROR", windows="interval: 300"):
        path = tmp_path / name
        path.write_text(CONFIG.format(severity=severity, windows=windows))
        return path

    return make


def errors(seed, hours=60):
    """Bursts, single errors and long silences of several groups."""
    chance, now, found = random.Random(seed), 0.0, []
    while now < hours * 3600:
        group = chance.choice("abcdef")
        for _ in range(chance.choice((1, 1, 2, 40))):
            now += chance.choice((0.3, 2.0, 45.0))
            when = NOON + timedelta(seconds=now)
            found.append(detail(len(found), when, fingerprint=f"v1:{group}"))
        now += chance.choice((60, 900, 4000, 20_000))
    return found


def really_mailed(directory, windows, given):
    """How many mails the handler's own books give for the same errors, under a clock that the test turns."""
    seconds = [0.0]
    state = State(directory, SCHEMA)
    incidents = Incidents(state, "mail", windows, now=lambda: Instant("boot", seconds[0]))
    sent, look = [], None
    times = list(host_times(given))
    for number, (now, error) in enumerate([*times, (times[-1][0] + 10 * windows.quiet + 90_000, None)]):
        while look is not None and look < now:
            seconds[0] = look
            wait = incidents.compose(f"{len(sent):09}", sent.append)
            look = None if wait is None else seconds[0] + wait
        seconds[0] = now
        if error is not None:
            incidents.book(lambda cursor, e=error, n=number: ([entry(e)], {**cursor, str(n): 1}))
            wait = incidents.compose(f"{len(sent):09}", sent.append)
            look = None if wait is None else now + wait
    state.close()
    return sent


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.stress), pytest.param(2, marks=pytest.mark.stress)]
)
@pytest.mark.parametrize(
    "values",
    [
        {"interval": 300.0},
        {"group_wait": 30.0, "interval": 60.0, "max_interval": 600.0, "quiet": 900.0},
        {"max_per_hour": 2},
    ],
)
def test_a_rehearsal_counts_the_mails_of_a_real_run(tmp_path, config, values, seed):
    given = errors(seed)
    path = config(windows=", ".join(f"{k}: {v}" for k, v in values.items()))
    real = really_mailed(tmp_path / "state", Windows(**values), given)
    mailing = rehearsed(path, host_times(given)).mailings["mail"]
    assert len(mailing.mails) == len(real) > 5
    news = [item for digest in real for item in digest.items if item.group.told_at is None]
    assert len(mailing.incidents) == len(news)


def test_a_mail_handler_that_is_off_mails_nothing(config):
    path = config()
    path.write_text(
        path.read_text().replace("mailhost: localhost", 'mailhost: ""').replace("[admin@example.org]", "[]")
    )
    assert rehearsed(path, host_times(errors(1))).mailings["mail"].mails == []


SECOND = (
    "class: visigate_logging.ThrottledSMTPHandler, mailhost: localhost, fromaddr: a@example.org, toaddrs: [b@c.d]"
)


@pytest.mark.parametrize("options", ["severity: CRITICAL", "severity: ERROR, level: CRITICAL"])
def test_of_two_mail_handlers_each_tells_what_it_is_for(config, options):
    path, given = config(), list(host_times([detail(1, NOON)]))
    alone = len(rehearsed(path, given).mailings["mail"].mails)
    second = f"  second: {{{SECOND}, {options}}}\nroot: {{handlers: [mail, second]}}"
    path.write_text(path.read_text().replace("root: {handlers: [mail]}", second))
    mailings = rehearsed(path, given).mailings
    assert {name: len(one.mails) for name, one in mailings.items()} == {"mail": alone, "second": 0}


def test_the_new_classifier_and_threshold_decide(config):
    given = list(host_times([detail(n, NOON + timedelta(seconds=n)) for n in range(3)]))
    assert len(rehearsed(config(severity="ERROR"), given).mailings["mail"].mails) > 0
    assert len(rehearsed(config(severity="WARNING"), given).mailings["mail"].mails) == 0


def test_what_is_told_later_is_named(tmp_path, config, capsys):
    log = write(tmp_path / "details.jsonl", *(detail(n, NOON + timedelta(seconds=n)) for n in range(3)))
    old, new = config("old.yaml"), config("new.yaml", windows="group_wait: 120")
    arguments = ["rehearse", "--config", str(new), "--against", str(old), "--log", str(log), "--since", "2026-05-01"]
    assert main([*arguments, "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["errors"] == 3
    assert told["later"] == [{"group": "v1:0011223344556677", "began": 0.0, "told": 1.0, "told_later": 120.0}]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert f"mails with {old}" in out
    assert "told later: v1:0011223344556677 by 119 s" in out


def test_recoveries_are_counted_as_their_limits_allow(config, tmp_path, capsys):
    path = tmp_path / "recover.yaml"
    path.write_text("""
version: 1
handlers:
  recover:
    class: visigate_logging.RecoveryHandler
    state_dir: never/made
    procedures:
      camera:
        exceptions: [ConnectionError]
        cooldown: 60
        key: [camera]
        steps: [{notify: {message: x}}]
root: {handlers: [recover]}
""")
    given = [detail(n, NOON + timedelta(seconds=s)) for n, s in enumerate((0, 30, 100))]
    given.append(detail(9, NOON + timedelta(seconds=101), additional_info={"camera": "south"}))
    recovering = rehearsed(path, host_times(given)).recoveries["recover"]
    assert recovering.runs == [(0.0, "camera:north"), (100.0, "camera:north"), (101.0, "camera:south")]
    assert not (tmp_path / "never").exists()
    log = write(tmp_path / "details.jsonl", *given)
    assert main(["rehearse", "--config", str(path), "--log", str(log), "--since", "2026-05-01"]) == 0
    out = capsys.readouterr().out
    assert "recoveries run: 2 times camera:north, 1 times camera:south\n" in out
    assert "each is taken for a success" in out


def test_without_errors_there_is_nothing_to_rehearse(tmp_path, config, capsys):
    log = write(tmp_path / "details.jsonl")
    assert main(["rehearse", "--config", str(config()), "--log", str(log)]) == 1


def test_a_stored_error_has_its_classes_chain_and_modules_again():
    frames = (Frame("/gate/camera.py", 1, "grab", "gate.camera", "", True),)
    chain = (
        ExceptionData("CameraError", "gate.camera", "no frame", frames=frames),
        ExceptionData("ExceptionGroup", "builtins", "both", relation="cause", parent=0),
        ExceptionData("TimeoutError", "builtins", "slow", relation="member", parent=1),
        ExceptionData("OperationalError", "sqlite3", "locked", relation="member", parent=1),
        ExceptionData("KeyError", "builtins", "x", relation="context", parent=2),
    )
    kind, error, traceback = log_record(detail(exceptions=chain)).exc_info
    assert (kind.__name__, kind.__module__) == ("CameraError", "gate.camera")
    assert traceback.tb_frame.f_globals["__name__"] == "gate.camera"
    slow, locked = error.__cause__.exceptions
    assert isinstance(slow, OSError)
    assert isinstance(slow.__context__, KeyError)
    assert type(locked).__mro__[1].__name__ == "DatabaseError"


def test_a_clock_that_jumps_makes_no_time():
    given = [
        detail(0, NOON, boot_id="one", monotonic=5.0),
        detail(1, NOON + timedelta(hours=9), boot_id="one", monotonic=7.0),
        detail(2, NOON + timedelta(hours=10), boot_id="two", monotonic=3.0),
    ]
    assert [now for now, _ in host_times(given)] == [0.0, 2.0, 3602.0]


def test_a_recovery_for_a_code_of_sqlite_is_counted_for_that_code_alone(tmp_path):
    """The numbers are those of a real run: the procedure of the shipped file asks for SQLite's codes."""
    details = []
    for number, code in enumerate(("SQLITE_CORRUPT", "SQLITE_BUSY")):
        error = sqlite3.DatabaseError("cannot be used")
        error.sqlite_errorname, error.sqlite_errorcode = code, getattr(sqlite3, code)
        try:
            raise RuntimeError(f"not recorded {number}") from error
        except RuntimeError as wrapped:
            info = (type(wrapped), wrapped, wrapped.__traceback__)
            record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "m", (), info)
        details.append(ErrorDetail.from_dict(ErrorDetail.from_record(record).to_dict()))
    codes = [getattr(log_record(d).exc_info[1].__cause__, "sqlite_errorcode", None) for d in details]
    assert codes == [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY]
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\nhandlers:\n  recovery:\n    class: visigate_logging.RecoveryHandler\n"
        f"    state_dir: {tmp_path / 'state'}\n    procedures:\n      database:\n"
        "        exceptions: [sqlite3.DatabaseError]\n        code: [SQLITE_CORRUPT]\n"
        "        steps: [{notify: {message: m}}]\nroot: {handlers: [recovery]}\n"
    )
    simulated = rehearsed(config, [(float(i), d) for i, d in enumerate(details)])
    runs = [key for recovering in simulated.recoveries.values() for _, key in recovering.runs]
    assert len(runs) == 1


def test_what_was_muted_when_it_came_is_told_to_nobody(config):
    given = [detail(n, NOON + timedelta(hours=n), fingerprint="v1:a") for n in range(10)]
    times = [f"{NOON + timedelta(hours=n, minutes=30):%Y-%m-%dT%H:%M:%S}+00:00" for n in range(10)]
    decisions = [
        Decision("1", times[1], "anna", "mute", "v1:a", until=times[4]),
        Decision("2", times[6], "anna", "mute", "v1:a"),
        Decision("3", times[7], "anna", "reopen", "v1:a"),
    ]
    simulated = rehearsed(config(windows="interval: 1, max_interval: 1, quiet: 600"), host_times(given), decisions)
    (mailing,) = simulated.mailings.values()
    assert len(mailing.incidents) == 6, "of ten, those of 14, 15, 16 and 19 o'clock are not told"


@pytest.mark.parametrize(
    ("terms", "told"),
    [({"more": 3}, 8), ({"worse": True, "severity": "WARNING"}, 4), ({"into": "v1:b", "action": "merge"}, 10)],
)
def test_a_mute_until_more_come_or_it_is_worse_ends_and_what_is_merged_is_told_as_one(config, terms, told):
    given = [
        detail(n, NOON + timedelta(hours=n), fingerprint="v1:a", severity="ERROR" if n > 5 else "WARNING")
        for n in range(10)
    ]
    before = (NOON - timedelta(hours=1)).isoformat()
    decisions = [Decision("1", before, "anna", **({"action": "mute", "key": "v1:a"} | terms))]
    simulated = rehearsed(config(windows="interval: 1, max_interval: 1, quiet: 600"), host_times(given), decisions)
    (mailing,) = simulated.mailings.values()
    assert len(mailing.incidents) == told
    assert {key for key, *_ in mailing.incidents} == {terms.get("into", "v1:a")}
