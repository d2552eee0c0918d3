"""A real NATS server gets each record once, from who may send it, and the last state of each gate."""

import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from tests.forward.servers import free_port
from tests.nats_server import Hub
from tests.records import detail
from tests.waiting import wait_until
from visigate_logging import ForwardHandler
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Accepted, Later, Refused, unreachable
from visigate_logging.forward.targets import OneTarget
from visigate_logging.forward.targets.nats import Nats
from visigate_logging.options import build


@pytest.fixture
def hub(tmp_path):
    (tmp_path / "hub").mkdir()
    server = Hub(tmp_path / "hub")
    yield server
    server.kill()


def target(hub, user="north", gate="north", **options):
    return {"nats": {"servers": hub.url(user), "site": "berlin", "gate": gate, "timeout": 2, **options}}


def ids(hub):
    return [content["event_id"] for _, content in hub.messages()]


def test_each_record_is_there_once_in_order_whoever_is_killed(gate, hub, no_rest):
    sent = gate.write(450)
    forwarder = gate.forwarder(target(hub))
    forwarder.turn()
    hub.kill()
    forwarder.turn()
    assert forwarder.books().pending == 450 - Nats.most
    assert "Error" in forwarder.books().trouble
    hub.start()
    gate.forward(forwarder)
    assert ids(hub) == sent
    assert {subject for subject, _ in hub.messages()} == {"visigate.berlin.north.errors"}


def test_what_is_sent_again_within_the_window_is_there_once(gate, hub):
    sent = gate.write(10)
    gate.forward(gate.forwarder(target(hub))).close()
    gate.state_dir.rename(gate.state_dir.with_name("lost"))  # as if it had been killed before it could book them
    gate.forward(gate.forwarder(target(hub)))
    assert ids(hub) == sent


def test_a_gate_can_send_under_its_own_name_alone(gate, hub, no_rest):
    gate.write(1)
    forwarder = gate.forwarder(target(hub, gate="south"))
    forwarder.turn()
    assert forwarder.books().pending == 1
    assert "permissions violation" in forwarder.books().trouble.lower()
    assert ids(hub) == []


def test_without_a_stream_nothing_is_taken_for_sent(gate, hub, no_rest):
    hub.ask(lambda jetstream: jetstream.delete_stream("errors"))
    gate.write(1)
    forwarder = gate.forwarder(target(hub))
    forwarder.turn()
    assert forwarder.books().pending == 1
    hub.ask(lambda jetstream: jetstream.delete_stream("states"))
    hub.make_streams()
    gate.forward(forwarder)
    assert len(ids(hub)) == 1


def made(hub, **options):
    return build(OneTarget, target(hub, **options)).chosen


def test_a_record_that_is_too_large_for_the_server_is_refused_alone(hub):
    one = made(hub)
    records = [detail(n).to_dict() for n in range(3)]
    records[1]["message"] = "x" * (2 << 20)
    assert [type(outcome) for outcome in one.send(records)] == [Accepted, Refused, Accepted]
    one.close()


def test_behind_one_that_was_not_taken_all_are_sent_again_so_that_their_order_holds(hub, monkeypatch):
    one, later = made(hub), Later("cut off")
    monkeypatch.setattr(one._link, "publish", lambda *_: [Accepted(), later, Accepted()])
    assert one.send([detail(n).to_dict() for n in range(3)]) == [Accepted(), later, later]


def test_a_wrong_password_waits_and_is_not_told(hub):
    one = build(
        OneTarget, {"nats": {"servers": hub.url().replace("n0rth", "geheim"), "site": "b", "gate": "g"}}
    ).chosen
    [outcome] = one.send([detail(1).to_dict()])
    assert isinstance(outcome, Later)
    assert "geheim" not in outcome.reason
    one.close()


@pytest.mark.timeout(60)
def test_a_hub_that_is_away_is_told_before_120_s_of_tries_are_over():
    address = f"nats://127.0.0.1:{free_port()}"
    one = build(OneTarget, {"nats": {"servers": address, "site": "b", "gate": "g"}}).chosen
    [outcome] = one.send([detail(1).to_dict()])
    assert isinstance(outcome, Later)
    assert "Connect call failed" in outcome.reason
    one.close()


def test_of_the_state_the_last_is_kept(hub):
    one = made(hub)
    assert unreachable(one) == ""
    for n in range(3):
        assert one.tell(b'{"n": %d}' % n) == Accepted()
    one.close()
    assert hub.messages("states") == [("visigate.berlin.north.state", {"n": 2})]


CONFIG = """
version: 1
handlers:
  details: {{class: visigate_logging.JsonFileHandler, filename: details.jsonl}}
  hub:
    class: visigate_logging.ForwardHandler
    log: details.jsonl
    state_dir: state
    backfill: all
    target: {{nats: {{servers: "{url}", site: berlin, gate: north}}}}
root: {{handlers: [details, hub]}}
"""


def test_the_service_tells_records_and_the_state_of_the_gate(gate, hub, tmp_path):
    gate.write(3, timestamp=datetime.now(UTC).isoformat().replace("+00:00", "Z"))
    (tmp_path / "logging.yaml").write_text(CONFIG.format(url=hub.url()))
    command = [sys.executable, "-m", "visigate_logging", "forward"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as service:
        try:
            wait_until(lambda: len(ids(hub)) == 3)
            wait_until(lambda: hub.ask(lambda jetstream: jetstream.stream_info("states")).state.messages)
        finally:
            service.terminate()
    [(subject, state)] = hub.messages("states")
    assert subject == "visigate.berlin.north.state"
    counts = {metric["name"]: metric["value"] for metric in state["metrics"]}
    assert counts["visigate_errors"] == 3
    assert state["groups"]["open"] == 1
    assert state["worst"][0]["title"].startswith("ConnectionRefusedError")
    assert {"version", "boot_id", "booted_at", "host", "time"} <= state.keys()


def test_the_handler_tells_the_state_of_the_gate_beside_its_records(gate, hub, monkeypatch):
    monkeypatch.setattr("visigate_logging.forward.telling._FIRST", 0.0)
    sent = gate.write(2)
    handler = ForwardHandler(target(hub), gate.log, state_dir=gate.state_dir, backfill="all")
    handler.set_name("hub")
    try:
        wait_until(lambda: hub.ask(lambda jetstream: jetstream.stream_info("states")).state.messages)
    finally:
        handler.close()
    assert ids(hub) == sent
    [(_, state)] = hub.messages("states")
    assert {"visigate_errors", "visigate_forward_pending_records"} <= {one["name"] for one in state["metrics"]}


def test_a_hub_that_was_away_while_nothing_was_sent_costs_no_wait(gate, hub):
    """The connection that it has ended is made anew, and nothing is told to wait."""
    one = made(hub, timeout=60)
    assert one.send([detail(1).to_dict()]) == [Accepted()]
    hub.kill()
    hub.start()
    assert one.send([detail(2).to_dict()]) == [Accepted()]
    one.close()


@pytest.mark.timeout(60)
def test_a_connection_that_is_lost_while_answers_are_waited_for_ends_the_wait(hub):
    one = made(hub, timeout=600)
    assert one.send([detail(1).to_dict()]) == [Accepted()]
    hub.stop_still()  # it takes what is sent, and answers nothing
    killer = threading.Timer(0.5, hub.kill)
    killer.start()
    outcome = one.send([detail(2).to_dict()])
    killer.join()
    assert isinstance(outcome[0], Later)
    one.close()


@pytest.mark.parametrize(
    ("options", "key", "words"),
    [
        ({"servers": "http://hub"}, "servers", "is no address"),
        ({"site": "a.b"}, "site", "letters, digits"),
        ({"gate": ">"}, "gate", "letters, digits"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(options, key, words):
    given = {"servers": "nats://hub", "site": "s", "gate": "g"} | options
    with pytest.raises(ConfigurationError) as caught:
        ForwardHandler({"nats": given})
    assert caught.value.key == f"target.nats.{key}"
    assert words in str(caught.value)
