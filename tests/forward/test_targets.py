"""What is sent is what the other side's documentation asks for, decoded by its own classes where it has some."""

import importlib.util
import json
import logging
from datetime import UTC, datetime

import orjson
import pytest

from tests.forward.servers import CLOSE, HALF, HANG, Answer
from tests.records import detail
from visigate_logging import ErrorDetail, ForwardHandler
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Accepted, Later, Refused
from visigate_logging.forward.targets import OneTarget
from visigate_logging.forward.targets.sentry import event_of
from visigate_logging.options import build

pb = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
NOW = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_made = []


@pytest.fixture(autouse=True)
def close_connections():
    yield
    while _made:
        _made.pop().close()


def read_target(value):
    _made.append(build(OneTarget, value).chosen)
    return _made[-1]


def records(n=1, **fields):
    return [{**detail(i, timestamp=NOW).to_dict(), **fields} for i in range(n)]


def raised(error):
    """The record of a real exception, as the package makes it."""
    try:
        raise error
    except BaseException as caught:
        info = (type(caught), caught, caught.__traceback__)
    return ErrorDetail.from_record(logging.LogRecord("gate", logging.ERROR, "f", 1, "broken", (), info)).to_dict()


def chained():
    try:
        try:
            raise OSError(5, "cable")
        except OSError as cause:
            raise RuntimeError("no picture") from cause
    except RuntimeError as error:
        return raised(error)


# --- sentry ---


@pytest.fixture
def sentry(sink):
    return read_target({"sentry": {"dsn": f"http://k3y@127.0.0.1:{sink.port}/sub/7", "timeout": 2}})


def events(sink):
    found = []
    for request in sink.requests:
        header, item, payload = request.body.split(b"\n")[:3]
        assert json.loads(item) == {"type": "event", "content_type": "application/json", "length": len(payload)}
        event = json.loads(payload)
        assert json.loads(header)["event_id"] == event["event_id"]
        found.append(event)
    return found


def test_each_record_is_one_envelope_at_the_address_that_the_dsn_means(sink, sentry):
    assert sentry.send(records(3)) == [Accepted()] * 3
    assert {request.path for request in sink.requests} == {"/sub/api/7/envelope/"}
    assert "sentry_key=k3y" in sink.requests[0].headers["X-Sentry-Auth"]
    assert len(events(sink)) == 3
    assert sink.connections == 1


def test_an_event_says_what_the_record_says():
    event = event_of(records(release="1.4", service="gate", facets={"camera": "north"})[0], "north")
    assert (event["level"], event["server_name"], event["release"], event["environment"]) == (
        "error",
        "gate-1",
        "1.4",
        "north",
    )
    assert event["fingerprint"] == ["v1:0011223344556677"]
    assert event["tags"]["category"] == "camera"
    assert event["tags"]["camera"] == "north"
    assert event["extra"] == {"camera": "north", "attempt": 0}
    assert event["logentry"]["formatted"] == "camera does not answer"
    assert "user" not in event


def test_a_chain_comes_with_the_last_exception_last():
    values = event_of(chained())["exception"]["values"]
    assert [value["type"] for value in values] == ["OSError", "RuntimeError"]
    assert values[0]["mechanism"]["source"] == "__cause__"
    assert values[0]["mechanism"]["parent_id"] == values[1]["mechanism"]["exception_id"] == 0
    frame = values[1]["stacktrace"]["frames"][-1]
    assert frame["function"] == "chained"
    assert frame["context_line"].startswith("raise RuntimeError")
    assert frame["filename"] == "tests/forward/test_targets.py"


def test_a_group_is_an_exception_group():
    values = event_of(raised(ExceptionGroup("both", [ValueError("a"), KeyError("b")])))["exception"]["values"]
    members = [value for value in values if "parent_id" in value["mechanism"]]
    assert values[-1]["mechanism"]["is_exception_group"] is True
    assert {m["mechanism"]["source"] for m in members} == {"exceptions[0]", "exceptions[1]"}
    assert {m["type"] for m in members} == {"ValueError", "KeyError"}


def test_breadcrumbs_values_and_the_machine_go_along():
    record = records(
        breadcrumbs=[{"timestamp": NOW, "level": "INFO", "logger": "gate", "message": "opened"}],
        machine={"model": "Pi 4"},
        exceptions=[{"type": "E", "frames": [{"file": "/a/b.py", "function": "f", "values": {"x": "1"}}]}],
    )[0]
    event = event_of(record)
    assert event["breadcrumbs"]["values"][0]["message"] == "opened"
    assert event["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"] == {"x": "1"}
    assert event["contexts"]["machine"] == {"model": "Pi 4"}


@pytest.mark.parametrize("time", ["2001-01-01T00:00:00.000000Z", "2199-01-01T00:00:00.000000Z", "", None])
def test_a_time_that_sentry_refuses_is_replaced_and_kept(time):
    event = event_of(records(timestamp=time)[0])
    assert event["timestamp"][:10] == datetime.now(UTC).isoformat()[:10]
    assert event["extra"]["original_timestamp"] == time


def test_rate_limits_are_obeyed_also_when_the_event_was_taken(sink, sentry):
    sink.answer = lambda request: Answer(200, {"X-Sentry-Rate-Limits": "60:error;transaction:organization, 5::key"})
    first, second, third = sentry.send(records(3))
    assert first == Accepted()
    assert isinstance(second, Later)
    assert 59 < second.after <= 60
    assert second == third
    assert len(sink.requests) == 1


def test_rate_limits_for_other_things_do_not_matter(sink, sentry):
    sink.answer = lambda request: Answer(200, {"X-Sentry-Rate-Limits": "60:transaction;attachment:organization"})
    assert sentry.send(records(2)) == [Accepted()] * 2


def test_of_several_events_one_that_is_too_large_is_refused_alone(sink, sentry):
    sink.script = [Answer(), Answer(413), Answer()]
    outcomes = sentry.send(records(3))
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, Accepted]


def test_an_idle_connection_that_the_server_has_closed_is_no_failure(sink, sentry):
    sink.answer = lambda request: Answer(hangs_up=True)
    for _ in range(3):
        assert sentry.send(records(1)) == [Accepted()]
    assert sink.connections == 3


# --- otlp ---


@pytest.fixture
def otlp(sink):
    return read_target({"otlp": {"url": f"{sink.url}/v1/logs", "timeout": 2}})


def decoded(request):
    assert request.headers["Content-Type"] == "application/x-protobuf"
    return pb.ExportLogsServiceRequest.FromString(request.body)


def plain(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def test_otlp_is_what_the_official_classes_read(sink, otlp):
    record = {**chained(), "service": "gate", "release": "1.4", "host": "gate-1", "trace_id": "0af7651916cd43dd" * 2}
    record |= {"span_id": "b7ad6b7169203331", "additional_info": {"a": [1, 2.5, {"b": True}], "big": 1 << 80}}
    assert otlp.send([record]) == [Accepted()]
    [resource] = decoded(sink.requests[0]).resource_logs
    assert plain(resource.resource.attributes)["service.name"] == "gate"
    assert plain(resource.resource.attributes)["service.version"] == "1.4"
    assert plain(resource.resource.attributes)["host.name"] == "gate-1"
    [log] = resource.scope_logs[0].log_records
    found = plain(log.attributes)
    assert resource.scope_logs[0].scope.name == "gate"
    assert (log.severity_number, log.severity_text, log.body.string_value) == (17, "ERROR", "broken")
    assert (found["exception.type"], found["exception.message"]) == ("RuntimeError", "no picture")
    assert "Traceback" in found["exception.stacktrace"]
    assert found["log.record.uid"] == record["event_id"]
    assert found["code.function.name"].endswith("chained")
    assert log.trace_id.hex() == record["trace_id"]
    assert log.span_id.hex() == record["span_id"]
    assert log.time_unix_nano // 10**9 == int(datetime.fromisoformat(record["timestamp"]).timestamp())


def test_records_of_one_process_share_a_resource_and_those_of_a_logger_a_scope(sink, otlp):
    otlp.send([*records(2), *records(1, logger="other"), *records(1, pid=1)])
    request = decoded(sink.requests[0])
    assert [[len(s.log_records) for s in r.scope_logs] for r in request.resource_logs] == [[2, 1], [1]]


def partial(n, text="odd"):
    answer = pb.ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records, answer.partial_success.error_message = n, text
    return Answer(body=answer.SerializeToString())


def test_a_partial_success_is_counted_and_not_sent_again(gate):
    ids = gate.write(10)
    gate.sink.answer = lambda request: partial(3)
    forwarder = gate.forward(gate.forwarder({"otlp": {"url": gate.sink.url}}))
    gate.forward(forwarder)
    assert len(gate.sink.requests) == 1
    assert (forwarder.counts()["delivered"], forwarder.counts()["dropped"]) == (7, {"refused": 3})
    asides = [*forwarder.refused.read()]
    assert [aside["record"] for aside in asides] == [None] * 3
    assert "3 of 10 in one request: odd" in asides[0]["reason"]
    assert len(ids) == 10


@pytest.mark.parametrize("rude", [Answer(503), Answer(429, {"Retry-After": "0"}), HANG, CLOSE, HALF], ids=str)
def test_through_a_rude_server_each_record_is_decoded_once_more_and_none_is_lost(gate, no_rest, rude):
    ids = gate.write(5)
    gate.sink.script = [rude]
    forwarder = gate.forwarder({"otlp": {"url": gate.sink.url, "timeout": 2}})
    forwarder.turn()
    assert forwarder.books().pending == 5
    gate.sink.requests.clear()
    gate.forward(forwarder)
    logs = [
        log
        for request in gate.sink.requests
        for resource in decoded(request).resource_logs
        for scope in resource.scope_logs
        for log in scope.log_records
    ]
    assert [plain(log.attributes)["log.record.uid"] for log in logs] == ids


def test_a_warning_in_a_partial_success_is_a_success(sink, otlp):
    sink.answer = lambda request: partial(0, "slow down a little")
    assert otlp.send(records(2)) == [Accepted()] * 2


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_otlp_is_sent_again_where_the_specification_says_so(sink, otlp, status):
    sink.answer = lambda request: Answer(status, {"Retry-After": "7"})
    assert [outcome.after for outcome in otlp.send(records(2))] == [7.0, 7.0]


def test_without_its_library_otlp_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"visigate-logging\[otlp\]"):
        ForwardHandler({"otlp": {"url": "http://localhost:4318/v1/logs"}})


# --- http ---


def http(sink, **options):
    return read_target({"http": {"url": sink.url, "timeout": 2, **options}})


def test_json_lines_and_arrays_hold_the_records(sink):
    http(sink, headers={"X-Key": "1"}).send(records(2))
    http(sink, format="json_array", compression="none").send(records(2))
    lines, array = sink.requests
    assert lines.headers["X-Key"] == "1"
    assert lines.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in array.headers
    assert lines.lines == json.loads(array.body) == [orjson.loads(orjson.dumps(r)) for r in records(2)]


def test_loki_gets_streams_with_few_labels(sink):
    old = records(1, timestamp="2001-01-01T00:00:00.000000Z")
    http(sink, format="loki", labels={"site": "north"}).send([*records(2, service="gate"), *old])
    first, second = json.loads(sink.requests[0].body)["streams"]
    assert first["stream"] == {"service": "gate", "host": "gate-1", "level": "error", "site": "north"}
    (time, line), _ = first["values"]
    assert abs(int(time) - datetime.fromisoformat(NOW).timestamp() * 1e9) < 1e6
    assert json.loads(line)["event_id"] == detail(0).event_id or json.loads(line)["message"]
    time, line = second["values"][0]
    assert int(time) > 1.7e18  # Loki refuses old times
    assert json.loads(line)["timestamp"].startswith("2001")


def items(*statuses):
    found = [{"create": {"status": s, "error": {"type": "t", "reason": "r"}}} for s in statuses]
    return Answer(body=json.dumps({"errors": True, "items": found}).encode())


def test_elasticsearch_takes_each_record_once_and_says_of_each_what_became_of_it(sink):
    sink.answer = lambda request: items(201, 409, 429, 400)
    outcomes = http(sink, format="elasticsearch").send(records(4))
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Later, Refused]
    action, document = sink.requests[0].lines[:2]
    assert action == {"create": {"_id": document["event_id"]}}
    assert document["@timestamp"] == document["timestamp"]


def test_of_a_bulk_only_what_was_not_taken_is_sent_again(gate, no_rest):
    ids = gate.write(6)
    gate.sink.script = [items(201, 503, 201, 400, 503, 201), items(201, 503), items(201)]
    forwarder = gate.forwarder({"http": {"url": gate.sink.url, "format": "elasticsearch"}})
    for _ in range(5):
        forwarder.turn()
    sent = [[line["event_id"] for line in request.lines[1::2]] for request in gate.sink.requests]
    assert sent == [ids, [ids[1], ids[4]], [ids[4]]]
    assert forwarder.counts() == {
        "accepted": 6,
        "delivered": 5,
        "folded": 0,
        "dropped": {"refused": 1},
        "pending": 0,
    }


def test_of_a_bulk_what_was_taken_is_known_after_a_restart(gate, no_rest):
    ids = gate.write(4)
    gate.sink.script = [items(201, 503, 201, 201), items(201)]
    target = {"http": {"url": gate.sink.url, "format": "elasticsearch"}}
    first = gate.forwarder(target)
    first.turn()
    first.close()
    gate.forwarder(target).turn()
    assert [line["event_id"] for line in gate.sink.requests[1].lines[1::2]] == [ids[1]]


def test_an_answer_that_is_not_elasticsearchs_is_no_success(sink):
    sink.answer = lambda request: Answer(body=b"<html>login</html>")
    [outcome] = http(sink, format="elasticsearch").send(records(1))
    assert isinstance(outcome, Later)


def test_a_server_that_knows_no_gzip_gets_plain_text(sink):
    sink.answer = lambda request: Answer(415 if "Content-Encoding" in request.headers else 200)
    target = http(sink)
    assert target.send(records(1)) == [Accepted()]
    assert target.send(records(1)) == [Accepted()]
    assert [("Content-Encoding" in request.headers) for request in sink.requests] == [True, False, False]


def test_user_and_password_of_an_address_become_a_header(sink):
    http(sink, url=sink.url.replace("//", "//gate:p%40ss@")).send(records(1))
    assert sink.requests[0].headers["Authorization"] == "Basic Z2F0ZTpwQHNz"
    assert "p@ss" not in sink.requests[0].path


# --- options ---


@pytest.mark.parametrize(
    ("target", "key", "words"),
    [
        ({"sentri": {}}, "target.sentri", "did you mean sentry"),
        ({"sentry": {"dsn": "https://sentry.example.org/1"}}, "target.sentry.dsn", "is no DSN"),
        ({"sentry": {}}, "target.sentry.dsn", "missing"),
        ({"http": {"url": "ftp://x"}}, "target.http.url", "is no address"),
        ({"http": {"url": "http://x", "format": "lok"}}, "target.http.format", "loki"),
        ({"http": {"url": "http://x", "timeout": 0}}, "target.http.timeout", "above 0"),
        ({"http": {"url": "http://x"}, "otlp": {"url": "http://x"}}, "target", "is not one target"),
        ("sentry", "target", "is not a mapping"),
        ({}, "target", "is not one target"),
    ],
)
def test_what_is_wrong_with_a_target_is_said_where_it_stands(target, key, words):
    with pytest.raises(ConfigurationError) as caught:
        ForwardHandler(target)
    assert caught.value.key == key
    assert words in str(caught.value)
