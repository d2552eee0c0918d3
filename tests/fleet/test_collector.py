"""What gates have sent is in the collector's log: each record once, in order, from who has sent it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import trustme

from tests.delivery.servers import Server
from tests.forward.servers import free_port
from tests.nats_server import SERVER, Hub, accounts, nats
from tests.records import detail, uuid7
from tests.waiting import wait_until
from visigate_logging import ThrottledSMTPHandler
from visigate_logging.cli import main
from visigate_logging.fleet.arrivals import Message
from visigate_logging.fleet.consumers import Subscription, errors_of, fetch
from visigate_logging.forward.target import Accepted, Later
from visigate_logging.forward.targets import OneTarget
from visigate_logging.options import build

NOW = datetime.now(UTC).replace(microsecond=0)


def bodies(n, first=0, **fields):
    return [detail(first + k, NOW + timedelta(milliseconds=first + k), **fields).to_json() for k in range(n)]


def sent(gate, found, site="berlin"):
    return [(f"visigate.{site}.{gate}.errors", body) for body in found]


def ids(lines, gate=None):
    records = [orjson.loads(line) for line in lines]
    return [r["event_id"] for r in records if gate is None or r["facets"]["gate"] == gate]


def test_what_gates_have_sent_is_read_like_errors_of_this_host_by_site_and_gate(hub, collecting):
    hub.publish(sent("north", bodies(3)) + sent("south", bodies(2, 3, fingerprint="v3:other")))
    one = collecting().start()
    one.wait(5)
    assert one.counts() == {"accepted": 5, "delivered": 5, "folded": 0, "dropped": {}, "pending": 0}
    assert len(one.store.recent(10, gate="north")) == 3
    assert one.store.statistics()["facets"] == {"gate": {"north": 3, "south": 2}, "site": {"berlin": 5}}


def test_who_a_gate_is_comes_from_the_subject_and_never_from_what_it_says(hub, collecting):
    """Neither can north publish as south, nor does its record's word count."""
    lie = {"site": "hamburg", "gate": "south", "camera": "left"}
    hub.publish(sent("north", bodies(1, facets=lie)), user="north")
    with pytest.raises((nats.errors.Error, TimeoutError)):
        hub.publish(sent("south", bodies(1, 1)), user="north")
    one = collecting().start()
    one.wait(1)
    assert [orjson.loads(line)["facets"] for line in one.lines] == [
        {"site": "berlin", "gate": "north", "camera": "left"}
    ]


NO_RECORDS = {
    "text": b"rtsp says no",
    "bytes": b"\xff\xfe\x00",
    "an array": b"[]",
    "no id": b'{"timestamp":"2026-05-04T12:00:00Z"}',
    "an id that is none": b'{"event_id":7,"timestamp":"2026-05-04T12:00:00Z"}',
    "no time": orjson.dumps({"event_id": uuid7(NOW, 1)}),
    "a time that is none": orjson.dumps({"event_id": uuid7(NOW, 1), "timestamp": ["now"]}),
    "nested too deep": b'{"event_id":"%s","timestamp":"2026-05-04T12:00:00Z","a":%s1%s}'
    % (uuid7(NOW, 1).encode(), b"[" * 400, b"]" * 400),
    "half of a surrogate": rb'{"event_id":"\ud800"}',
    "not a number": b'{"event_id":NaN}',
}
HOSTILE = {
    "message": ["<script>"],
    "exceptions": "none",
    "severity": {"a": 1},
    "logger": 7,
    "facets": "x",
    "boot_id": [1],
    "monotonic": "soon",
    "repeats": 3,
    "traceback": None,
}


def test_what_is_no_record_is_kept_aside_and_counted_and_what_comes_behind_it_is_taken(hub, collecting, capsys):
    hostile = orjson.dumps(orjson.loads(bodies(1)[0]) | HOSTILE)
    large = bodies(1, 1, message="x" * 900_000)[0]
    found = [*NO_RECORDS.values(), hostile, large]
    hub.publish(sent("north", found))
    one = collecting().start()
    one.wait(len(found))
    n = len(NO_RECORDS)
    assert one.counts() == {"accepted": n + 2, "delivered": 2, "folded": 0, "dropped": {"refused": n}, "pending": 0}
    aside = list(one.intake.refused.read())
    assert [line["reason"].partition(":")[0] for line in aside] == ["no record"] * n
    assert {line["subject"] for line in aside} == {"visigate.berlin.north.errors"}
    assert aside[0]["body"] == "rtsp says no"
    for event_id in ids(one.lines):
        assert main(["show", event_id, "--log", str(one.log.baseFilename)]) == 0
    assert "<script>" in capsys.readouterr().out


ODD = (None, True, -1, 1e300, "", "\x00\u202e", [], [[1]], {}, {"a": [None]}, "x" * 5000, 10**30)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_whatever_stands_in_a_field_a_record_is_taken_or_refused_and_stops_nothing(collecting, tmp_path):
    """One that stopped the collector would be handed over again and again."""
    mail = ThrottledSMTPHandler(["localhost", 9], "c@example.org", ["a@example.org"], state_dir=tmp_path / "state")
    one = collecting(people=[mail])
    fields = [name for name in orjson.loads(bodies(1)[0]) if name != "event_id"]
    records = [(name, value) for name in fields for value in ODD]
    one.intake.take(
        [
            Message("visigate.b.g.errors", json.dumps(orjson.loads(body) | {name: value}).encode(), NOW.timestamp())
            for (name, value), body in zip(records, bodies(len(records)), strict=True)
        ]
    )
    counts = one.counts()
    assert counts["accepted"] == counts["delivered"] + counts["dropped"]["refused"] == len(records)
    texts = sum(isinstance(value, str) for value in ODD)
    assert counts["dropped"]["refused"] == 2 * len(ODD) - texts  # those without a time or a type
    assert len(one.store.recent(1000)) == counts["delivered"] == len(one.lines)
    mail.close()


def test_a_double_after_any_time_is_dropped_by_its_id(hub, collecting):
    """The hub knows a message again for two minutes only; here it is published without its id."""
    hub.publish(sent("north", bodies(3) + bodies(2)))
    one = collecting().start()
    one.wait(5)
    hub.publish(sent("north", bodies(1)))
    one.wait(6)
    assert ids(one.lines) == ids(bodies(3))
    assert one.counts()["folded"] == 3


def test_a_double_is_known_though_its_clock_has_been_put_right_since(hub, collecting):
    wrong = bodies(1, boot_id="b", monotonic=10.0)
    right = [detail(9, NOW + timedelta(days=400), boot_id="b", monotonic=20.0).to_json()]
    one = collecting().start()
    for n, found in enumerate((wrong, right, wrong), 1):
        hub.publish(sent("north", found))
        one.wait(n)
    assert len(one.lines) == 2


KILLED = """
import os, signal, sys
from nats.aio.msg import Msg
async def killed(*_): os.kill(os.getpid(), signal.SIGKILL)
Msg.ack_sync = killed
from visigate_logging.cli import main
sys.exit(main(["collect", "--config", "logging.yaml"]))
"""
CONFIG = """
version: 1
handlers:
  details: {class: visigate_logging.JsonFileHandler, filename: collected/details.jsonl}
root: {handlers: [details]}
"""


@pytest.fixture
def service(hub, tmp_path):
    """Start `visigate-errors collect`, or another program, with its configuration."""
    (tmp_path / "logging.yaml").write_text(CONFIG)
    environment = os.environ | {"VISIGATE_HUB": hub.url("collector")}
    started = []

    def start(*command):
        given = command or ("-m", "visigate_logging", "collect", "--config", "logging.yaml")
        started.append(
            subprocess.Popen([sys.executable, *given], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_each_record_is_there_once_and_in_order_whoever_is_killed(hub, service, collecting, tmp_path):
    """The collector between disk and acknowledgement, then the hub in the middle."""
    written = {"north": bodies(700), "south": bodies(700, 700)}
    both = [m for pair in zip(*(sent(*of) for of in written.items()), strict=True) for m in pair]
    hub.publish(both)
    assert service("-c", KILLED).wait(20) == -signal.SIGKILL
    assert 0 < len((tmp_path / "collected" / "details.jsonl").read_bytes().splitlines()) < 1400
    later = bodies(50, 1400)
    hub.publish(sent("north", later))
    one = collecting().start()
    wait_until(lambda: len(one.lines) >= 1450)
    hub.kill()
    wait_until(lambda: one.collector._told.startswith("waits"))
    hub.start()
    latest = bodies(50, 1450)
    hub.publish(sent("south", latest))
    wait_until(lambda: len(one.lines) >= 1500)
    assert ids(one.lines, "north") == ids([*written["north"], *later])
    assert ids(one.lines, "south") == ids([*written["south"], *latest])


def test_what_was_fetched_and_not_taken_comes_first_and_in_order(hub, collecting):
    """By one that died with it; JetStream would bring it again only after a minute, behind what is newer."""

    async def fetch_and_die(stream):
        assert len(await fetch(await errors_of(stream, Subscription(servers=hub.url("collector"))), 5)) == 5

    hub.publish(sent("north", bodies(5)))
    hub.ask(fetch_and_die)
    hub.publish(sent("north", bodies(5, 5)))
    one = collecting().start()
    wait_until(lambda: len(one.lines) >= 10)
    assert ids(one.lines) == ids(bodies(10))


def test_a_hub_that_is_away_for_long_is_an_error_each_time_it_goes_and_once(hub, collecting, caplog, monkeypatch):
    def told():
        return [record.getMessage() for record in caplog.records if record.name == "visigate.fleet"]

    monkeypatch.setattr("visigate_logging.fleet.collector._LOST", 0.0)
    one = collecting().start()
    for n in (1, 2):
        begun = time.monotonic()
        wait_until(lambda begun=begun: one.collector._worked > begun)
        hub.kill()
        wait_until(lambda n=n: len(told()) == n)
        tries = one.collector._backoff.tries
        wait_until(lambda tries=tries: one.collector._backoff.tries >= tries + 2)
        hub.start()
    assert all(text.startswith("what gates send cannot be collected: 127.0.0.1") for text in told())
    assert caplog.text.count("HubLostError: ") == 2


def test_told_to_end_it_ends_though_the_hub_says_nothing(hub, collecting):
    """It would wait a minute for the server's first word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = collecting(servers=f"nats://127.0.0.1:{silent.getsockname()[1]}", timeout=60).start()
        silent.accept()[0].detach()
        one.ended.set()
        one.thread.join(20)
        assert not one.thread.is_alive()


def test_what_cannot_be_written_waits_at_the_hub(hub, collecting, tmp_path):
    hub.publish(sent("north", bodies(3)))
    one = collecting()
    (tmp_path / "collected").rename(tmp_path / "away")
    (tmp_path / "collected").write_text("no directory")
    one.start()
    wait_until(lambda: one.collector._told.startswith("waits"))
    (tmp_path / "collected").unlink()
    (tmp_path / "away").rename(tmp_path / "collected")
    wait_until(lambda: len(one.lines) == 3)
    assert ids(one.lines) == ids(bodies(3))
    wait_until(lambda: not hub.ask(lambda js: js.consumer_info("errors", "collector")).num_ack_pending)


def test_collectors_of_different_names_each_get_everything_or_their_sites(hub, collecting):
    hub.publish(sent("north", bodies(2)) + sent("pier", bodies(3, 2), site="hamburg"))
    every, one = collecting("all", name="all").start(), collecting("hamburg", name="h", sites=["hamburg"]).start()
    every.wait(5)
    one.wait(3)
    assert ids(every.lines) == ids(bodies(5))
    assert ids(one.lines) == ids(bodies(3, 2))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
def test_people_are_told_of_errors_of_gates_as_of_those_of_this_host(hub, collecting, tmp_path):
    with Server() as server:
        mail = ThrottledSMTPHandler(
            server.address, "c@example.org", ["a@example.org"], state_dir=tmp_path / "state", group_wait=0.1
        )
        mail.set_name("mail")
        try:
            collecting(people=[mail]).start()
            hub.publish(sent("north", bodies(1, severity="CRITICAL", host="gate-north")))
            wait_until(lambda: server.inbox.mails)
            assert "ConnectionRefusedError" in server.inbox.mails[0][1]["Subject"]
        finally:
            mail.close()


def test_the_command_collects_until_it_is_told_to_end_and_one_of_a_name_at_a_time(hub, service, tmp_path):
    hub.publish(sent("north", bodies(2)))
    first = service()
    log = tmp_path / "collected" / "details.jsonl"
    wait_until(lambda: log.exists() and len(log.read_bytes().splitlines()) == 2)
    assert service().wait(20) == 78
    first.terminate()
    assert first.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "VISIGATE_HUB"),
        (["--server", "http://hub"], "is no address"),
        (["--server", "nats://hub", "--name", "a.b"], "letters, digits"),
        (["--server", "nats://hub", "--site", ">"], "letters, digits"),
    ],
)
def test_what_is_wrong_is_said(arguments, words, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("VISIGATE_HUB", raising=False)
    (tmp_path / "logging.yaml").write_text(CONFIG)
    assert main(["collect", "--config", str(tmp_path / "logging.yaml"), *arguments]) == 78
    assert words in capsys.readouterr().err


LEAF_USER = (
    '{ user: berlin, password: l3af, permissions: { publish: { allow: ["visigate.berlin.>"] }, '
    'subscribe: { allow: ["_INBOX.berlin.>"] } } }'
)
LEAF = """
listen: "127.0.0.1:{port}"
leafnodes {{ remotes: [ {{ url: "nats://berlin:l3af@127.0.0.1:{hub}" }} ] }}
"""


def test_over_a_leaf_node_gates_of_its_site_are_heard_and_no_others(hub, collecting, tmp_path):
    """A site's server has no streams of its own, and the hub's user for it can publish below the site's name."""
    port, leaf_port = free_port(), free_port()
    hub.kill()
    hub.add(f'leafnodes {{ listen: "127.0.0.1:{port}" }}', LEAF_USER)
    hub.start()
    (tmp_path / "leaf.conf").write_text(LEAF.format(port=leaf_port, hub=port))
    leaf = subprocess.Popen([SERVER, "-c", tmp_path / "leaf.conf", "-l", tmp_path / "leaf.log"])
    try:
        log = tmp_path / "leaf.log"
        wait_until(lambda: log.exists() and "Leafnode connection created" in log.read_text())
        records = [detail(n, NOW).to_dict() for n in range(3)]
        for name, outcome in (("berlin/north", Accepted), ("berlin/pier", Accepted), ("bonn/north", Later)):
            site, gate = name.split("/")
            given = {"servers": f"nats://127.0.0.1:{leaf_port}", "site": site, "gate": gate, "timeout": 2}
            target = build(OneTarget, {"nats": given}).chosen
            record = records.pop(0)
            wait_until(lambda target=target, record=record, outcome=outcome: type(*target.send([record])) is outcome)
            target.close()
        one = collecting().start()
        one.wait(2)
        assert one.store.statistics()["facets"]["gate"] == {"north": 1, "pier": 1}
    finally:
        leaf.kill()
        leaf.wait()


def test_tls_and_credentials_of_accounts_let_in_who_has_them(tmp_path, collecting):
    """An operator's server: a gate's JWT lets it publish below its own name alone."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pem = tmp_path / "hub.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    config, credentials = accounts()
    (tmp_path / "secure").mkdir()
    hub = Hub(tmp_path / "secure", config + f'tls {{ cert_file: "{pem}", key_file: "{pem}" }}\n')
    own = {"pub": ["visigate.berlin.north.>"], "sub": ["_INBOX.berlin.north.>"]}
    secure = {"servers": f"tls://127.0.0.1:{hub.port}", "tls": {"ca_file": str(tmp_path / "ca.pem")}}

    def outcomes(records, gate="north", **given):
        options = {**secure, "site": "berlin", "timeout": 1, "gate": gate, **given}
        target = build(OneTarget, {"nats": options}).chosen
        try:
            return list(target.send(records))
        finally:
            target.close()

    try:
        one = collecting(**secure, credentials_file=credentials(tmp_path / "collector.creds")).start()
        wait_until(lambda: one.collector._told == "collects")
        north = credentials(tmp_path / "north.creds", **own)
        records = [detail(n, NOW).to_dict() for n in range(3)]
        assert outcomes(records[:2], credentials_file=north) == [Accepted(), Accepted()]
        [forged] = outcomes(records[2:], "south", credentials_file=north)
        assert "permissions violation" in forged.reason.lower()
        [stranger] = outcomes(records[2:])
        assert "authorization violation" in stranger.reason.lower()
        [trusting] = outcomes(records[2:], credentials_file=north, tls={})
        assert "certificate verify failed" in trusting.reason.lower()
        one.wait(2)
        assert ids(one.lines) == [record["event_id"] for record in records[:2]]
    finally:
        hub.kill()
