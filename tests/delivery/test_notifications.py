"""Notifications: the same promises as for mails, on services' own terms, and no secret of an address anywhere."""

import logging
import os
import queue
import shutil
import socket
import subprocess
import threading
from datetime import datetime, timedelta

import pytest

from tests.delivery.conftest import Clock, Mailing, entry, error
from tests.delivery.servers import wait_for
from tests.delivery.web_services import Answer, WebService
from visigate_logging import NotificationHandler
from visigate_logging.delivery.channels.notification import NotificationChannel
from visigate_logging.delivery.channels.services import Service
from visigate_logging.delivery.digest import Digest, Item
from visigate_logging.delivery.routes import Hours
from visigate_logging.delivery.short import compose_short, read_short, sms_of
from visigate_logging.delivery.summary import Schedule
from visigate_logging.delivery.throttle import Incident, Windows
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.present.advice import Advice

pytest.importorskip("apprise")

SECRET = "s3cr3t-t0pic"
SHEET = {"accepted": 1, "delivered": 0, "folded": 0, "dropped": {}, "pending": 0}


@pytest.fixture
def service():
    with WebService() as service:
        yield service


@pytest.fixture
def ntfy(service):
    """One push service, whose topic is its secret."""
    return Service("ntfy-1", f"ntfy://user:hunter22@127.0.0.1:{service.port}/{SECRET}")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A pipeline to services, on a clock of the test's; plugins wait for nobody."""
    monkeypatch.setattr("apprise.plugins.base.NotifyBase.request_rate_per_sec", 0)
    made = []

    def make(*services, **options):
        made.append(Mailing(tmp_path / "state", channel=NotificationChannel(services), **options))
        return made[-1]

    yield make
    for mailing in made:
        mailing.state.close()


@pytest.fixture
def sms(service, monkeypatch):
    """Twilio's plugin, whose server is ours; its account and token are secrets."""
    plugin = pytest.importorskip("apprise.plugins.twilio").NotifyTwilio
    monkeypatch.setattr(plugin, "notify_sms_url", f"http://127.0.0.1:{service.port}/sms/{{sid}}")
    return Service("porter", f"twilio://AC{'a' * 32}:{'b' * 32}@15551231234/15551234567")


def digest(n=1, **changes):
    detail = error(**changes)
    times = (detail.timestamp,) * 3
    incidents = [Incident(f"v1:{i}", detail.severity, 0, 0, *times, untold=94) for i in range(n)]
    return Digest(tuple(Item(incident, detail) for incident in incidents), SHEET)


def everything(directory, caplog):
    """All that was written or said."""
    files = b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
    return files.decode("utf-8", "replace") + caplog.text


def test_an_error_is_told_once_with_its_title_its_facts_and_its_link(make, service, ntfy):
    mailing = make(ntfy)
    mailing.errors(94)
    mailing.run(10)
    [request] = service.requests
    told = request.json
    assert told["topic"] == SECRET
    assert "CameraError: camera does not answer" in told["title"]
    assert "94 errors" in told["message"]
    assert mailing.incidents.sheet() == {"accepted": 94, "delivered": 1, "folded": 93, "dropped": {}, "pending": 0}


def test_an_sms_says_what_where_and_how_often_in_160_characters_that_need_no_second_one(make, service, sms):
    mailing = make(sms)
    mailing.errors(
        94, error_message="cannot open rtsp://camera [north] \N{EN DASH} " + "x" * 200, culprit="camera in grab"
    )
    mailing.run(10)
    [request] = service.requests
    text = request.form["Body"]
    assert len(text) == 160
    assert text.isascii()
    assert text.startswith("gate: CRITICAL CameraError: cannot open rtsp://camera (north) - ")
    assert text.endswith(" 94x in grab")


@pytest.mark.parametrize("n", [1, 2, 30])
def test_texts_fit_their_medium_whatever_the_error_says(n):
    hostile = "\r\nBcc: x\n[click](http://evil) `*_ \u202e\ud800" + "\N{SNOWMAN}" * 500
    content = compose_short(digest(n, error_message=hostile, host="g" * 90), "1-a", ["ntfy-1"], "http://gate/errors")
    texts = read_short(content)
    assert len(texts.sms) <= 160
    assert len(texts.title) <= 120
    assert "\n" not in texts.title + texts.sms
    assert "[click](" not in texts.markdown
    assert "http://gate/errors/" in texts.text
    assert sms_of(digest(n)).endswith("94x in src.camera" if n == 1 else f"+{n - 1} more")


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer(429, {"Retry-After": "120"}), 120),
        (Answer(503), 15),
        (Answer(500, body="<html>oops"), 15),
        (Answer(401), 15),
    ],
)
def test_what_a_service_cannot_do_now_is_waited_for(make, service, ntfy, answer, wait):
    service.answers = [answer, Answer()]
    mailing = make(ntfy)
    mailing.errors(3)
    mailing.run(wait)
    assert len(service.requests) == 1
    mailing.run(5)
    assert len(service.requests) == 2
    assert mailing.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}


def test_what_a_service_refuses_for_good_is_set_aside_said_and_can_be_sent_again(make, service, ntfy, caplog):
    service.answers = [Answer(404, body=f'{{"error": "no topic {SECRET}"}}'), Answer()]
    mailing = make(ntfy)
    mailing.errors(3)
    mailing.run(10)
    [refused] = mailing.spool.refused.messages()
    assert "404" in refused.answers[0]
    assert "was refused for good" in caplog.text
    assert mailing.incidents.sheet()["dropped"] == {"refused by the service": 3}
    mailing.sender.retry_refused()
    mailing.run(10)
    assert len(service.requests) == 2
    assert SECRET not in everything(mailing.directory, caplog)


def test_a_service_that_hangs_up_may_have_it_and_is_asked_once_more(make, service, ntfy, caplog):
    service.answers = [Answer(hangs_up=True)]
    mailing = make(ntfy)
    mailing.errors(3)
    mailing.run(2000)
    assert len(service.requests) == 2
    assert mailing.incidents.sheet()["dropped"] == {"perhaps delivered": 3}
    assert "perhaps been delivered" in caplog.text


def test_one_service_does_not_wait_for_another_and_none_is_told_twice(make, service, ntfy, tmp_path):
    with WebService() as other:
        other.answers = [Answer(503), Answer(503), Answer()]
        mailing = make(ntfy, Service("second", f"json://127.0.0.1:{other.port}/x"))
        mailing.errors(3)
        mailing.run(200)
        assert (len(service.requests), len(other.requests)) == (1, 3)
        assert mailing.spool.waiting() == []
    assert mailing.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}


def test_what_one_refuses_another_has_and_both_are_in_the_counts_once(make, service, ntfy):
    with WebService() as other:
        other.answers = [Answer(410)]
        mailing = make(ntfy, Service("second", f"json://127.0.0.1:{other.port}/x"))
        mailing.errors(3)
        mailing.run(10)
        [refused] = mailing.spool.refused.messages()
    assert refused.recipients == ("second",)
    assert mailing.incidents.sheet() == {"accepted": 3, "delivered": 1, "folded": 2, "dropped": {}, "pending": 0}


def test_a_kill_while_one_of_many_is_told_repeats_it_for_that_one_alone(make, service, ntfy, monkeypatch):
    with WebService() as other:
        mailing = make(ntfy, Service("second", f"json://127.0.0.1:{other.port}/x"))
        mailing.errors(3)
        mailing.clock.seconds += 2
        send = Service.send

        def die(self, *given):
            outcome = send(self, *given)
            if self.name == "second":
                raise KeyboardInterrupt
            return outcome

        with monkeypatch.context() as patch:
            patch.setattr(Service, "send", die)
            with pytest.raises(KeyboardInterrupt):
                mailing.turn()
        mailing.run(100)
        assert (len(service.requests), len(other.requests)) == (1, 2)
        assert mailing.spool.waiting() == []


def test_no_secret_of_an_address_is_in_logs_states_or_files(make, service, ntfy, sms, caplog):
    logging.getLogger().setLevel(logging.DEBUG)
    mailing = make(ntfy, sms, Service("away", f"json://u:{SECRET}@127.0.0.1:9/{SECRET}"))
    service.answers = [Answer(500, body=f"failed for {SECRET} hunter22"), Answer(), Answer()]
    mailing.errors(3)
    mailing.run(300)
    written = everything(mailing.directory, caplog)
    for secret in (SECRET, "hunter22", "a" * 32, "b" * 32):
        assert secret not in written
    assert SECRET not in repr(ntfy)


def test_a_message_that_comes_late_says_so(make, service, ntfy):
    service.answers = [Answer(503, {"Retry-After": "900"}), Answer()]
    mailing = make(ntfy)
    mailing.errors()
    mailing.run(1000)
    assert service.requests[1].json["message"].startswith("This notification was made at ")


def test_a_digest_is_told_once_at_its_time(make, service, ntfy):
    begun = datetime(2026, 3, 1, 12, 0).astimezone()
    clock = Clock()
    mailing = make(
        ntfy, clock=clock, digest=Schedule(None, 7, 0), today=lambda: begun + timedelta(seconds=clock.seconds - 1000)
    )
    for _ in range(20):
        mailing.errors(2, timestamp=mailing.incidents._today().isoformat())
        mailing.run(1800)
    assert service.requests == []
    mailing.run(9 * 3600 + 60)  # 07:01
    assert len(service.requests) == 1
    assert "40 errors" in service.requests[0].json["message"]
    mailing.errors(5, fingerprint="v1:later", timestamp=mailing.incidents._today().isoformat())
    mailing.run(3600)
    assert len(service.requests) == 1
    mailing.run(24 * 3600)
    assert len(service.requests) == 2


# The handler: where errors go.


def handler(tmp_path, **options):
    return NotificationHandler(state_dir=tmp_path / "state", **options)


def record(level=logging.ERROR, name="app", **values):
    made = logging.LogRecord(name, level, __file__, 1, "away", None, None)
    vars(made).update(values)
    return made


def test_an_error_goes_the_first_route_that_takes_it(tmp_path):
    routes = {
        "night": {"urls": ["json://a/1"], "severity": "CRITICAL", "hours": "22:00-07:00"},
        "barrier": {"urls": ["json://a/2"], "severity": "ERROR", "loggers": ["VisiGate.barrier"]},
        "camera": {"urls": ["json://a/3"], "severity": "ERROR", "categories": ["camera"], "max_per_hour": 2},
        "rest": {"urls": ["json://a/4"], "severity": "ERROR", "digest": "daily 07:00"},
    }
    made = handler(tmp_path, routes=routes)
    night, noon = (datetime(2026, 3, 1, hour).timestamp() for hour in (23, 12))

    def goes(**given):
        route = made.route_of(record(**given))
        return route and route.name

    assert goes(level=logging.CRITICAL, created=night) == "night"
    assert goes(level=logging.CRITICAL, created=noon) == "rest"
    assert goes(name="VisiGate.barrier.motor", created=noon) == "barrier"
    assert goes(name="VisiGate.barriers", created=noon) == "rest"
    assert goes(category="camera", created=night) == "camera"
    assert goes(level=logging.WARNING, created=noon) is None
    assert goes(level=logging.WARNING, name="visigate_logging.recovery", created=noon) == "rest"
    assert goes(name="visigate_logging", created=noon) is None
    assert [route.delivery.windows.max_per_hour for route in made.routes] == [12, 12, 2, 12]
    made.close()


@pytest.mark.parametrize(("hours", "inside"), [("22:00-07:00", [22, 23, 0, 6]), ("07:00-22:00", [7, 12, 21])])
def test_a_part_of_the_day_may_pass_midnight(tmp_path, hours, inside):
    made = handler(tmp_path, routes={"a": {"urls": ["json://a/1"], "hours": hours}})
    found = made.routes[0].hours
    assert isinstance(found, Hours)
    assert [hour for hour in range(24) if found.holds(datetime(2026, 3, 1, hour))] == sorted(inside) or all(
        found.holds(datetime(2026, 3, 1, hour)) for hour in inside
    )


def test_addresses_come_from_yaml_the_environment_or_a_file_of_ones_own(tmp_path, monkeypatch):
    text = "# the porter's phone\nporter = ntfy://ntfy.sh/a\n\njson://127.0.0.1/b\njson://127.0.0.1/c\n"
    path = tmp_path / "urls"
    path.write_text(text)
    path.chmod(0o640)
    monkeypatch.setenv("NOTIFY", text)
    given = [
        {"urls": text},
        {"urls": ["porter = ntfy://ntfy.sh/a", "json://127.0.0.1/b", "json://127.0.0.1/c"]},
        {"urls_env": "NOTIFY"},
        {"urls_file": str(path)},
    ]
    for options in given:
        [route] = handler(tmp_path, **options).routes
        assert route.delivery.channel.recipients == ("porter", "json-1", "json-2")
    [route] = handler(tmp_path, urls={"a": "json://127.0.0.1/b"}).routes
    assert route.delivery.channel.recipients == ("a",)


@pytest.mark.parametrize(
    "options", [{}, {"urls_env": "NOT_THERE"}, {"urls_file": "not-there"}, {"urls_file": "open"}]
)
def test_without_addresses_it_is_off_and_says_why(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "open").write_text("json://127.0.0.1/b")
    (tmp_path / "open").chmod(0o644)
    made = handler(tmp_path, **options)
    made.addFilter(lambda _: pytest.fail("a filter was asked of what is told to nobody"))
    assert not made.handle(record(logging.CRITICAL))
    assert made.counts()["accepted"] == 0
    assert made.off.startswith("no notification is sent")
    assert all(str(value) in made.off for value in options.values())


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"urls": [f"nosuch://{SECRET}"]}, "urls"),
        ({"urls": [SECRET]}, "urls"),
        ({"urls": {"a b": "json://127.0.0.1/b"}}, "urls"),
        ({"urls": ["a = json://127.0.0.1/b", "a = json://127.0.0.1/b"]}, "urls"),
        ({"urls": ["json://a/b"], "routes": {"x": {"urls": ["json://a/b"]}}}, "routes"),
        ({"routes": {"x": {"severity": "ERROR"}}}, "routes.x.urls"),
        ({"routes": {"x": {"urls": ["json://a/b"], "hours": "25:00-7"}}}, "routes.x.hours"),
        ({"routes": {"x": {"urls": ["json://a/b"], "severity": "BAD"}}}, "routes.x.severity"),
        ({"routes": {"x": {"urls": ["json://a/b"], "when": "always"}}}, "routes.x.when"),
        ({"routes": {"x": {"urls": ["json://a/b"], "urls_env": "X"}}}, "routes.x"),
        ({"urls": ["json://a/b"], "digest": "sometimes"}, "digest"),
        ({"urls": ["json://a/b"], "max_interval": 1}, "max_interval"),
    ],
)
def test_a_wrong_option_is_refused_by_its_key_and_shows_no_address(tmp_path, options, key):
    with pytest.raises(ConfigurationError) as caught:
        handler(tmp_path, **options)
    assert caught.value.key == key
    assert SECRET not in str(caught.value)


def test_advice_and_recoveries_are_told_in_few_lines():
    told = digest(1)
    content = compose_short(told, "1-a", ["x"], advice=(Advice("Second breaker.", types=frozenset({"CameraError"})),))
    assert "To do: Second breaker." in read_short(content).text
    assert Windows().max_per_hour == 12
    assert entry(error()).count == 1


@pytest.fixture
def broker(tmp_path):
    """A mosquitto of the test's own (Debian's package), and what its subscriber got."""
    mqtt = pytest.importorskip("paho.mqtt.client")
    if shutil.which("mosquitto") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-qq", "--yes", "mosquitto"]
        subprocess.run(
            command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=False, capture_output=True
        )
    if shutil.which("mosquitto") is None:
        pytest.skip("there is no mosquitto, and it could not be installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    server = subprocess.Popen(["mosquitto", "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL)

    def is_up():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(is_up)
    got = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    subscribed = threading.Event()
    client.on_message = lambda client, data, message: got.put(message.payload.decode())
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.subscribe("gate/errors", qos=1)
    client.loop_start()
    assert subscribed.wait(10)
    yield port, got
    client.loop_stop()
    server.terminate()
    server.wait()


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_broker_gets_each_message_once(make, broker):
    port, got = broker
    mailing = make(Service("broker", f"mqtt://127.0.0.1:{port}/gate/errors?qos=1"))
    for name in "abc":
        mailing.errors(7, fingerprint=f"v1:{name}")
        mailing.run(10)
    told = [got.get(timeout=20) for _ in range(3)]
    assert all("CameraError: camera does not answer" in text and "7 errors" in text for text in told)
    assert got.empty()
    assert mailing.incidents.sheet() == {"accepted": 21, "delivered": 3, "folded": 18, "dropped": {}, "pending": 0}
