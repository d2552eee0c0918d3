"""visigate-errors notify, and what check, doctor, status and rehearse say of notifications."""

import json

import pytest
import yaml

from tests.delivery.web_services import Answer, WebService
from tests.records import detail, write
from visigate_logging import NotificationHandler
from visigate_logging.cli import main
from visigate_logging.detail.record import ErrorDetail

pytest.importorskip("apprise")

SECRET = "s3cr3t-t0pic"


@pytest.fixture
def service():
    with WebService() as service:
        yield service


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes a logging.yaml with one notification handler into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("apprise.plugins.base.NotifyBase.request_rate_per_sec", 0)

    def write(**options):
        handler = {"class": "visigate_logging.NotificationHandler", "state_dir": str(tmp_path / "state")} | options
        values = {"version": 1, "handlers": {"notify": handler}, "root": {"handlers": ["notify"], "level": "INFO"}}
        (tmp_path / "logging.yaml").write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")
        return handler

    return write


def test_a_test_goes_to_each_service_and_what_each_answered_is_told(config, service, capsys):
    service.answers = [Answer(), Answer(401, body=f"bad key {SECRET}")]
    urls = {"phone": f"ntfy://127.0.0.1:{service.port}/gate", "chat": f"json://127.0.0.1:{service.port}/{SECRET}"}
    config(routes={"a": {"urls": {"phone": urls["phone"]}}, "b": {"urls": {"chat": urls["chat"]}}})
    assert main(["notify", "test"]) == 1
    out = capsys.readouterr().out
    assert "ok      phone: the service has accepted the test" in out
    assert "FAILED  chat: login: 401 from 127.0.0.1" in out
    assert "correct them in urls" in out
    assert SECRET not in out
    assert len(service.requests) == 2


def test_the_outbox_of_all_routes_is_listed_tried_and_emptied(config, service, capsys):
    service.answers = [Answer(503)]
    routes = {name: {"urls": [f"json://127.0.0.1:{service.port}/{name}"]} for name in ("a", "b")}
    given = config(
        routes=routes | {"b": routes["b"] | {"categories": ["camera"]}, "a": routes["a"] | {"loggers": ["x"]}}
    )
    given.pop("class")
    handler = NotificationHandler(**given | {"group_wait": 0})
    handler.set_name("notify")
    for name, category in (("x", ""), ("y", "camera")):
        handler._notifier(next(r for r in handler.routes if r.name == ("a" if name == "x" else "b"))).accept(
            ErrorDetail.from_dict(
                {"fingerprint": name, "category": category, "severity": "CRITICAL", "event_id": name}
            )
        )
    handler.close()
    assert main(["notify", "outbox", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["state"], one["recipients"]) for one in listed] == [("waiting", ["json-1"])] * 2
    assert all("503" in one["reason"] for one in listed)
    service.answers = [Answer()]
    assert main(["notify", "outbox", "retry"]) == 0
    assert "no notification waits any more" in capsys.readouterr().out


def test_check_names_unknown_services_and_addresses_that_are_not_there_and_shows_none(config, capsys):
    config(urls=[f"nosuch://{SECRET}"])
    assert main(["check"]) == 78
    out = "".join(capsys.readouterr())
    assert "no address that apprise knows" in out
    assert SECRET not in out
    config(urls_file="nowhere")
    assert main(["check"]) in (0, 1)
    assert "no notification is sent: nowhere cannot be read" in "".join(capsys.readouterr())
    assert main(["notify", "test"]) == 78


def test_a_missing_extra_is_named(config, capsys, monkeypatch):
    from visigate_logging.delivery.channels import services

    services._apprise.cache_clear()
    services.plugin_of.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    config(urls=["json://127.0.0.1/x"])
    assert main(["check"]) == 78
    assert "pip install '.[notify]'" in "".join(capsys.readouterr())
    services._apprise.cache_clear()


def test_doctor_looks_whether_servers_of_ones_own_take_connections(config, service, capsys):
    config(
        urls={
            "here": f"json://127.0.0.1:{service.port}/x",
            "away": "json://127.0.0.1:1/x",
            "theirs": "tgram://1:aaaaaaaaaa/2",
        }
    )
    main(["doctor"])
    out = capsys.readouterr().out
    assert f"here: 127.0.0.1:{service.port} answers" in out
    assert "away: 127.0.0.1:1 cannot be reached" in out
    assert "theirs: a service whose state only a message shows" in out


def test_rehearse_tells_how_many_would_have_gone_which_way(config, capsys, tmp_path):
    config(
        routes={
            "sms": {"urls": ["json://a.example/x"]},
            "rest": {"urls": ["json://a.example/y"], "severity": "ERROR"},
        }
    )
    severities = enumerate(["CRITICAL", "ERROR", "ERROR"])
    errors = [detail(n, severity=severity, level=severity, fingerprint=f"v1:{n}") for n, severity in severities]
    log = write(tmp_path / "details.jsonl", *errors)
    assert main(["rehearse", "--log", str(log), "--since", "2026-05-01"]) == 0
    out = capsys.readouterr().out
    assert "notify-sms: 2 notifications" in out  # the first, and the end
    assert "notify-rest: 2 notifications" in out
    assert "0 mails with logging.yaml" in out
