"""Of each gate it is known when it was last heard and how it is; who falls silent is missed, and sites as a whole."""

import json
import logging
import sqlite3
import time
from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.delivery.servers import Server
from tests.fleet.test_collector import NOW, bodies, sent
from tests.records import detail, write
from tests.waiting import wait_until
from visigate_logging import ErrorStore, ThrottledSMTPHandler
from visigate_logging.exceptions import RefusedError
from visigate_logging.fleet.arrivals import Message, Sender
from visigate_logging.fleet.gates import SCHEMA, Gate, gates_in, heard, note_state
from visigate_logging.fleet.silence import silences
from visigate_logging.web import create_blueprint

HOUR = 3600.0
STATE = {
    "time": NOW.isoformat(),
    "host": "pi",
    "version": "0.2.0",
    "boot_id": "b",
    "booted_at": NOW.isoformat(),
    "groups": {"open": 2, "muted": 1},
    "daily": [0, 0, 1, 0, 4, 2, 9],
    "worst": [{"group": "v3:a", "title": "IOError: no card", "severity": "CRITICAL", "count": 3, "last": "x"}],
    "metrics": [
        {"name": "visigate_log_filesystem_free_bytes", "labels": {}, "value": 10.0},
        {"name": "visigate_log_filesystem_size_bytes", "labels": {}, "value": 80},
        {"name": "visigate_forward_pending_records", "labels": {"lane": "critical"}, "value": 1},
        {"name": "visigate_forward_pending_records", "labels": {"lane": "rest"}, "value": 3},
        {"name": "visigate_other", "labels": {}, "value": 1},
    ],
}
NEEDED = ("time", "booted_at", "groups", "worst", "metrics")


def test_what_a_gate_says_of_itself_is_kept_with_how_wrong_its_clock_is(hub, collecting):
    state = json.dumps(STATE | {"time": datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()}).encode()
    hub.publish([("visigate.berlin.north.state", state)], user="north")
    one = collecting().start()
    wait_until(one.intake.gates)
    [gate] = one.intake.gates()
    assert gate.sender == Sender("berlin", "north")
    assert abs(gate.heard - time.time()) < 60
    assert abs(gate.state["offset"] - 3600) < 60
    found = {name: gate.state[name] for name in ("open", "daily", "disk_free", "disk_size", "waiting")}
    assert found == {"open": 2, "daily": STATE["daily"], "disk_free": 10.0, "disk_size": 80.0, "waiting": 4.0}
    hub.publish(sent("south", bodies(1)))
    wait_until(lambda: len(one.intake.gates()) == 2)  # a record is a sign of life as well


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", *(json.dumps(STATE | {n: [7]}).encode() for n in NEEDED)])
def test_what_is_no_state_changes_nothing(body):
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    note_state(db, Sender("s", "g"), json.dumps(STATE).encode(), 1000.0)
    before = gates_in(db)
    with pytest.raises(RefusedError):
        note_state(db, Sender("s", "g"), body, 2000.0)
    assert gates_in(db) == before
    db.close()


def gate(name, hours, site="berlin", told=0.0):
    return Gate(Sender(site, name), 1e9 - hours * HOUR, told)


def missed(*gates):
    return [(silence.is_site, [g.sender.gate for g in silence.gates]) for silence in silences(gates, 1e9)]


def test_a_gate_is_missed_after_three_hours_and_once():
    assert missed(gate("a", 2.9), gate("b", 0)) == []
    assert missed(gate("a", 3.1), gate("b", 0)) == [(False, ["a"])]
    assert missed(gate("a", 3.1, told=1e9 - 3.1 * HOUR), gate("b", 0)) == []
    assert missed(gate("a", 3.1, told=5.0), gate("b", 0)) == [(False, ["a"])]  # it was heard since


def test_a_site_that_loses_its_link_is_one_incident_though_its_gates_were_heard_at_different_times():
    forty = [gate(f"g{n}", 3.001 - n * 0.004) for n in range(40)]
    assert missed(*forty, gate("x", 0, "hamburg")) == [(True, [f"g{n}" for n in range(40)])]
    assert missed(gate("alone", 4, "bremen")) == [(False, ["alone"])]


def test_silence_is_an_error_of_the_collector_told_once(collecting, caplog):
    one = collecting()
    old = NOW.timestamp() - 4 * HOUR
    for n, (site, name) in enumerate(
        [("berlin", "north"), ("berlin", "south"), ("bremen", "pier"), ("bremen", "dock")]
    ):
        at = NOW.timestamp() if name == "dock" else old
        one.intake.take([Message(f"visigate.{site}.{name}.errors", bodies(1, n)[0], at)])
    for _ in range(2):
        one.collector.look_for_silence(time.time())
    told = [record for record in caplog.records if record.name == "visigate.fleet"]
    assert [(r.levelname, r.getMessage().partition(" since")[0]) for r in told] == [
        ("CRITICAL", "berlin: all 2 gates are silent"),
        ("CRITICAL", "bremen/pier is silent"),
    ]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
def test_people_get_a_mail_when_a_gate_is_silent(collecting, tmp_path):
    with Server() as server:
        mail = ThrottledSMTPHandler(
            server.address, "c@example.org", ["a@example.org"], state_dir=tmp_path / "state", group_wait=0.1
        )
        mail.set_name("mail")
        logger = logging.getLogger("visigate.fleet")
        logger.addHandler(mail)
        try:
            one = collecting()
            for name, hours in (("north", 4), ("south", 0)):
                at = NOW.timestamp() - hours * HOUR
                one.intake.take([Message(f"visigate.berlin.{name}.errors", bodies(1, hours)[0], at)])
            one.collector.look_for_silence(time.time())
            wait_until(lambda: server.inbox.mails)
        finally:
            logger.removeHandler(mail)
            mail.close()
        [(_, message)] = [mail[:2] for mail in server.inbox.mails]
        assert "GateSilentError" in message["Subject"]
        assert "berlin/north is silent since" in message.get_payload(0).get_payload(decode=True).decode()


@pytest.fixture
def fleet(tmp_path):
    """A collector's log of three gates, a table of 120, and their pages."""
    places = [("berlin", "north"), ("berlin", "south"), ("hamburg", "pier")]
    many = [
        detail(n, NOW, fingerprint="v3:many", severity="CRITICAL", release=f"1.4.{n}", facets={"site": s, "gate": g})
        for n, (s, g) in enumerate(places)
    ]
    alone = detail(9, NOW, fingerprint="v3:alone", facets={"site": "berlin", "gate": "north"})
    store = ErrorStore(write(tmp_path / "details.jsonl", *many, alone).parent)
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    now = time.time()
    heard(db, {Sender("berlin", f"g{n:03}"): now for n in range(118)})
    heard(db, {Sender("hamburg", "pier"): now - 4 * HOUR, Sender("hamburg", "dock"): now - 4 * HOUR})
    evil = STATE | {"worst": [STATE["worst"][0] | {"title": "<script>alert(1)</script>"}], "version": "<b>"}
    note_state(db, Sender("berlin", "g077"), json.dumps(evil).encode(), now)
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(store, unprotected=True, gates=lambda: gates_in(db)))
    yield app.test_client()
    store.close()
    db.close()


def test_the_silent_and_the_worst_stand_first_and_what_gates_say_is_text(fleet):
    text = fleet.get("/errors/gates").get_data(as_text=True)
    assert text.index(">dock<") < text.index(">g077<") < text.index(">g000<")
    assert "hamburg: all 2 gates; its link may be lost" in text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert "<strong>120</strong> gates" in text
    assert "1 of 3" in text
    assert "disk 12% free" in text


def test_groups_are_told_over_how_many_gates_they_are_and_since_which_release(fleet):
    text = fleet.get("/errors/gates").get_data(as_text=True)
    assert "on 3 of 120 gates since release 1.4.0" in text
    assert "only on berlin/north" in text
    assert "on 3 of 120 gates since release 1.4.0" in fleet.get("/errors/groups/v3:many").get_data(as_text=True)


def test_from_a_gate_one_gets_to_its_errors_and_from_a_site_to_its_gates(fleet):
    text = fleet.get("/errors/gates?q=PIER").get_data(as_text=True)
    assert "/errors?site=hamburg&amp;gate=pier" in text
    assert "v3:alone" not in fleet.get("/errors?site=hamburg&gate=pier").get_data(as_text=True)
    text = fleet.get("/errors/gates?site=hamburg").get_data(as_text=True)
    assert "dock" in text
    assert "g000" not in text
    assert "No such gates" in fleet.get("/errors/gates?q=nowhere").get_data(as_text=True)
    assert "/errors/gates" in fleet.get("/errors").get_data(as_text=True)


def test_without_a_collector_there_is_no_page_of_gates(tmp_path):
    store = ErrorStore(write(tmp_path / "details.jsonl", detail(1, NOW)).parent)
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(store, unprotected=True))
    client = app.test_client()
    assert client.get("/errors/gates").status_code == 404
    assert "/errors/gates" not in client.get("/errors").get_data(as_text=True)
    store.close()
