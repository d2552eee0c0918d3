"""What a released version has left on disk is opened, read whole, and gone on with; see make.py."""

import json
import logging
import sqlite3
import tarfile
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
import yaml

import visigate_logging
from tests.delivery.servers import Server, told, wait_for
from visigate_logging.cli import main
from visigate_logging.host import CountSheet, State, host_counts, host_failures, host_seconds

PACKS = sorted(Path(__file__).parent.glob("*.tar.xz"))
LOG = Path("logs/errors/details.jsonl")
STATE = Path("logs/errors/state")


@pytest.fixture(params=PACKS, ids=lambda path: path.name.removesuffix(".tar.xz"))
def expected(request, tmp_path, monkeypatch):
    """Unpack the installation, go there, and return what is in it."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return json.loads(Path("expected.json").read_bytes())


def options(handler):
    """A handler's options from the frozen configuration."""
    found = yaml.safe_load(Path("logging.yaml").read_bytes())["handlers"][handler]
    return {key: value for key, value in found.items() if key not in {"class", "formatter", "filters", "level"}}


def logger_with(handler, name="VisiGate.frozen"):
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    return logger


def run(capsys, *arguments):
    """What a command answers as data."""
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def frozen_counts(expected):
    """Of each handler: field to number, as the state file had them."""
    found = {}
    for handler, field, n in expected["state"]["counts"]:
        found.setdefault(handler, Counter())[field] += n
    return found


def store_then(expected):
    """A store that is asked on the day on which the installation was frozen."""
    last = visigate_logging.ErrorStore(LOG).get(expected["events"]["details.jsonl"][-1]).timestamp
    return visigate_logging.ErrorStore(LOG, clock=lambda: datetime.fromisoformat(last).timestamp())


def test_every_record_of_the_log_and_its_rotated_files_is_read(expected):
    store = visigate_logging.ErrorStore(LOG)
    events = {event for found in expected["events"].values() for event in found}
    page = store.recent(limit=1000)
    assert {record.event_id for record in page} == events
    assert all(record.traceback or not record.exceptions for record in page)
    for event in events:
        assert store.get(event).event_id == event
    assert len(list(store.unreadable())) == 1  # the line that a power cut has torn


def test_the_log_is_appended_to_behind_its_torn_line_and_rotated_as_it_was(expected):
    store = visigate_logging.ErrorStore(LOG)
    before = {record.event_id for record in store.recent(limit=1000)}
    handler = visigate_logging.JsonFileHandler(**options("details"))
    logger = logger_with(handler)
    logger.error("the first of the new version")
    after = {record.event_id for record in store.recent(limit=1000)}
    assert before < after
    assert len(after) == len(before) + 1
    first = LOG.stat().st_ino
    while LOG.stat().st_ino == first:
        logger.error("and more, until it is rotated: %s", "x" * 500)
    handler.close()
    kept = {record.event_id for record in store.recent(limit=1000)}
    assert set(expected["events"]["details.jsonl.1"]) <= kept
    assert not set(expected["events"]["details.jsonl.2"]) & kept


def test_the_text_log_is_appended_to(expected):
    before = Path("logs/errors/error.log").read_bytes()
    handler = visigate_logging.SharedRotatingFileHandler(**{**options("error_log"), "maxBytes": 0})
    logger_with(handler).error("the first of the new version")
    handler.close()
    after = Path("logs/errors/error.log").read_bytes()
    assert after.startswith(before)
    assert after.removeprefix(before) == b"the first of the new version\n"


def test_the_index_still_counts_what_was_rotated_out_of_the_log(expected):
    store = store_then(expected)
    assert sum(map(len, expected["events"].values())) < expected["store"]["total"]
    assert store.statistics(days=2)["total_errors"] == expected["store"]["total"]
    assert {group.key: group.count for group in store.groups()} == expected["store"]["groups"]


def test_without_its_index_the_log_gives_a_new_one(expected):
    for path in LOG.parent.glob(".*.sqlite3*"):
        path.unlink()
    in_files = sum(map(len, expected["events"].values()))
    assert store_then(expected).statistics(days=2)["total_errors"] == in_files


def test_the_counts_and_failures_of_the_state_file_are_read_and_added_to(expected):
    state = State(STATE)
    frozen = frozen_counts(expected)
    found = host_counts(state)
    for handler, fields in frozen.items():
        assert {name: found[handler][name] for name in ("accepted", "delivered", "folded")} == {
            name: fields[name] for name in ("accepted", "delivered", "folded")
        }
    sheet = CountSheet("mail")
    sheet.accept(2)
    sheet.deliver(2)
    sheet.publish(state)
    assert host_counts(state)["mail"]["accepted"] == frozen["mail"]["accepted"] + 2
    assert {name: failure["text"] for name, failure in host_failures(state).items()} == expected["state"]["failures"]
    state.close()


def test_the_hosts_clock_goes_on_from_where_it_was(expected):
    with closing(sqlite3.connect(STATE / "state.sqlite3")) as connection:
        (before,) = connection.execute("SELECT seconds FROM host_clock").fetchone()
    state = State(STATE)
    with state.transaction() as connection:
        assert host_seconds(connection) >= before
    state.close()


def test_the_mail_that_waits_is_sent_and_the_incident_told_to_its_last_error(expected):
    sheet = frozen_counts(expected)["mail"]
    told_before = sheet["delivered"] + sheet["folded"]
    untold = sheet["accepted"] - told_before - sum(n for f, n in sheet.items() if f.startswith("dropped"))
    assert untold > 0
    assert expected["state"]["letters"]
    with Server() as server:

        def arrived():
            return [message for _, message in server.inbox.mails]

        handler = visigate_logging.ThrottledSMTPHandler(**options("mail") | {"mailhost": server.address})
        handler.set_name("mail")
        logger = logger_with(handler)
        logger.critical("the first of the new version")
        wait_for(lambda: sum(told(arrived())) == untold + 1)
        assert expected["state"]["letters"][0] in arrived()[0]["Message-ID"]
        handler.close()
    state = State(STATE)
    after = host_counts(state)["mail"]
    state.close()
    assert after["accepted"] == sheet["accepted"] + 1
    assert after["pending"] == 0


def test_mails_in_the_outbox_and_refused_ones_are_listed(expected, capsys):
    listed = run(capsys, "mail", "outbox", "list")
    assert [mail["id"] for mail in listed if mail["state"] == "waiting"] == expected["state"]["letters"]
    assert [mail["answers"] for mail in listed if mail["state"] == "refused"] == [
        ["admin@example.org: 550 no such user here"]
    ]


def test_the_recovery_that_was_interrupted_is_finished(expected, capsys):
    with closing(sqlite3.connect("backup.db")) as connection:
        backed_up = connection.execute("SELECT plate FROM vehicles ORDER BY plate").fetchall()
    (pending,) = STATE.glob("recovery/*.pending")
    handler = visigate_logging.RecoveryHandler(**options("recovery"))
    handler.set_name("recovery")
    wait_for(lambda: not pending.exists())
    handler.close()
    with closing(sqlite3.connect("gate.db")) as connection:
        assert connection.execute("SELECT plate FROM vehicles ORDER BY plate").fetchall() == backed_up
    history = run(capsys, "recover", "history", "--limit", "1000")
    assert len(history) > expected["audit"]
    assert [line["event"] for line in history[: expected["audit"]]].count("outcome") >= 2


def test_the_budgets_of_recoveries_are_kept(expected, capsys):
    with closing(sqlite3.connect(STATE / "state.sqlite3", isolation_level=None)) as connection:
        # The host's clock goes on over a reboot from where it stood; where this was made it has run on.
        connection.execute("UPDATE host_clock SET boot_id = 'an earlier one'")
    listed = {
        standing["key"]: standing["attempts"]
        for procedure in run(capsys, "recover", "list")
        for standing in procedure["budgets"]
    }
    assert listed == expected["state"]["attempts"]


def test_the_configuration_runs(expected):
    applied = visigate_logging.configure("logging.yaml")
    logging.getLogger("VisiGate").error("the first of the new version")
    assert not [p for p in applied.source.problems if p.severity == "error"]
    assert "the first of the new version" in Path("logs/errors/error.log").read_text("utf-8")


def test_the_configuration_that_was_shipped_has_no_error(expected, capsys):
    assert [p for p in run(capsys, "check", "shipped.yaml") if p["severity"] == "error"] == []


def test_a_configuration_on_trial_that_nobody_confirms_is_put_back(expected):
    before = Path("trial.yaml.before").read_bytes()
    assert Path("trial.yaml").read_bytes() != before
    visigate_logging.configure("trial.yaml")
    assert Path("trial.yaml").read_bytes() == before
    assert not Path("trial.yaml.unconfirmed").exists()


def test_the_last_messages_are_shown_and_no_dead_process(expected, capsys):
    assert any(STATE.glob("processes/*.json"))
    status = run(capsys, "status")
    assert len(status["messages"]) >= 5
    assert status["processes"] == []
