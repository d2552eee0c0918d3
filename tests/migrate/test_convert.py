"""VisiGate's configuration as it was becomes a logging.yaml that means the same."""

import json
from pathlib import Path

import pytest
import yaml

from visigate_logging.cli import main
from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.migrate.convert import convert

PRESENT = {
    "error_handling": {
        "log_path": "/var/log/visi gate",
        "max_log_size": 5_000_000,
        "backup_count": 7,
        "email_notifications": True,
        "email_config": {
            "smtp_server": "smtp.example.org",
            "smtp_port": 587,
            "use_tls": True,
            "username": "gate",
            "password": "geheim: 'ä' #${HOME}\"\\ {x}",
            "from_addr": "gate@example.org",
            "to_addrs": ["admin@example.org", "night@example.org"],
        },
    },
    "database": {"db_path": "data/visigate.db", "backup_path": "backups/visigate.db", "pool_size": 4},
}


def with_email(**changes):
    errors = PRESENT["error_handling"]
    email = {k: v for k, v in (errors["email_config"] | changes).items() if v is not None}
    return {"error_handling": errors | {"email_config": email}}


def test_every_present_option_finds_its_place():
    done = convert(PRESENT)
    handlers = done.values["handlers"]
    assert done.told() == ["passed over: database.pool_size"]
    for name, file in (("error_log", "error.log"), ("details", "details.jsonl")):
        assert handlers[name]["filename"] == f"/var/log/visi gate/{file}"
        assert (handlers[name]["maxBytes"], handlers[name]["backupCount"]) == (5_000_000, 7)
    mail = handlers["mail"]
    assert mail["mailhost"] == ["smtp.example.org", 587]
    assert mail["credentials"] == ["gate", PRESENT["error_handling"]["email_config"]["password"]]
    assert mail["fromaddr"] == "gate@example.org"
    assert mail["toaddrs"] == ["admin@example.org", "night@example.org"]
    assert mail["secure"] == "starttls"
    assert mail["subject"] == "VisiGate Error"
    procedure = handlers["recovery"]["procedures"]["database"]
    assert procedure["steps"] == [
        {"restore_sqlite": {"database": "data/visigate.db", "backups": ["backups/visigate.db"]}}
    ]
    assert {handlers[name]["state_dir"] for name in ("mail", "recovery")} == {"/var/log/visi gate/state"}
    assert done.values["root"]["handlers"] == ["error_log", "details", "mail", "recovery"]


def test_each_option_is_named_where_it_went():
    text = convert(PRESENT).text
    for option in ("log_path", "max_log_size", "backup_count", "smtp_server", "smtp_port", "use_tls", "username"):
        assert f"# {option}" in text or f", {option}" in text


def test_what_is_not_said_has_the_defaults():
    values = convert({}).values
    assert set(values["handlers"]) == {"error_log", "details"}
    assert values["handlers"]["details"]["filename"] == "logs/errors/details.jsonl"
    assert values["handlers"]["details"]["maxBytes"] == 10_485_760


def test_the_section_alone_is_taken_too():
    assert convert(PRESENT["error_handling"]).values["handlers"]["details"]["backupCount"] == 7


def test_without_notifications_there_is_no_mail_and_the_file_says_why():
    done = convert({"error_handling": PRESENT["error_handling"] | {"email_notifications": False}})
    assert "mail" not in done.values["handlers"]
    assert "not switched on: there is no mail handler" in done.text


@pytest.mark.parametrize(
    ("changes", "secure"),
    [({}, "starttls"), ({"use_tls": None}, "starttls"), ({"use_tls": False}, None), ({"use_ssl": True}, "tls")],
)
def test_encryption_stays_as_it_was(changes, secure):
    assert convert(with_email(**changes)).values["handlers"]["mail"].get("secure") == secure


@pytest.mark.parametrize(
    ("errors", "email", "severity"),
    [
        ({}, {}, "ERROR"),
        ({"critical_errors": ["DatabaseError"]}, {}, "CRITICAL"),
        ({}, {"notification_levels": ["critical", "error"]}, "ERROR"),
        ({}, {"notification_levels": "CRITICAL"}, "CRITICAL"),
    ],
)
def test_who_is_mailed_of_what_is_carried_over_and_nothing_falls_silent(errors, email, severity):
    config = with_email(**email)
    config["error_handling"] |= errors
    values = convert(config).values
    assert values["handlers"]["mail"]["severity"] == severity
    rules = values["filters"]["classify"]["rules"]
    assert any(rule.get("exceptions") == ["DatabaseError"] for rule in rules) is bool(errors)


def test_other_spellings_are_understood():
    config = {
        "log_dir": "x",
        "email_enabled": True,
        "email": {"server": "s", "recipients": "a@b.c, d@e.f", "ssl": True},
    }
    handlers = convert(config).values["handlers"]
    assert handlers["details"]["filename"] == "x/details.jsonl"
    assert handlers["mail"]["toaddrs"] == ["a@b.c", "d@e.f"]
    assert (handlers["mail"]["mailhost"], handlers["mail"]["secure"]) == (["s"], "tls")


def test_what_is_passed_over_is_named_once_in_one_line_there_and_in_the_file():
    config = {"error_handling": {"log_pth": "x", "a\nhandlers: {}": 1}, "camera": {}, "database": {"pool": 4}}
    done = convert(config | {"notifications": {"sms": {}}})
    (told,) = done.told()
    assert told == (
        "passed over: error_handling.log_pth (did you mean log_path?), error_handling.a handlers: {}, "
        "database.pool, notifications.sms, camera"
    )
    assert f"# Not carried over: {told}\n" in done.text
    assert set(done.values["handlers"]) == {"error_log", "details"}


WHOLE = {
    "camera": {"url": "rtsp://10.0.0.7/1"},
    "logging": {"level": "debug", "file": "/var/log/visigate/app.log", "max_size": 5242880, "backup_count": 3},
    "notifications": {
        "email": {
            "enabled": True,
            "smtp_server": "smtp.example.org",
            "smtp_port": 465,
            "use_tls": False,
            "use_ssl": True,
            "username": "gate",
            "password": "geheim",
            "from_address": "gate@example.org",
            "to_addresses": ["admin@example.org"],
        },
    },
    "database": {"path": "data/visigate.db", "backup_path": "backups/visigate.db"},
}


def test_the_whole_of_config_json_is_understood():
    done = convert(WHOLE)
    values, handlers = done.values, done.values["handlers"]
    assert done.told() == ["passed over: camera"]
    names = ["console", "app_log", "error_log", "details", "mail", "recovery"]
    assert values["root"] == {"level": "DEBUG", "handlers": names}
    assert handlers["console"] == {"class": "logging.StreamHandler", "formatter": "text"}
    assert handlers["app_log"]["filename"] == "/var/log/visigate/app.log"
    assert (handlers["app_log"]["maxBytes"], handlers["app_log"]["backupCount"]) == (5242880, 3)
    assert (handlers["mail"]["mailhost"], handlers["mail"]["secure"]) == (["smtp.example.org", 465], "tls")
    assert (handlers["mail"]["fromaddr"], handlers["mail"]["toaddrs"]) == ("gate@example.org", ["admin@example.org"])
    (step,) = handlers["recovery"]["procedures"]["database"]["steps"]
    assert step["restore_sqlite"]["database"] == "data/visigate.db"


@pytest.mark.parametrize(
    ("change", "mails"),
    [
        ({}, True),
        ({"notifications": {"enabled": False, "email": WHOLE["notifications"]["email"]}}, False),
        ({"notifications": {"email": WHOLE["notifications"]["email"] | {"enabled": False}}}, False),
        ({"error_handling": {"email_notifications": False}}, False),
        ({"error_handling": {"email_notifications": True}}, True),
    ],
)
def test_mail_is_sent_where_it_is_switched_on(change, mails):
    assert ("mail" in convert(WHOLE | change).values["handlers"]) is mails


def test_the_rules_are_those_of_the_shipped_file():
    shipped = yaml.safe_load((Path(__file__).parents[2] / "logging.yaml").read_text("utf-8"))
    assert convert({}).values["filters"]["classify"]["rules"] == shipped["filters"]["classify"]["rules"]


def test_a_database_without_a_backup_gets_no_procedure_and_a_warning():
    done = convert({"database": {"db_path": "x.db"}, "error_handling": {}})
    assert "recovery" not in done.values["handlers"]
    assert "backup_path" in done.warnings[0]


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"error_handling": []}, ""),
        ({"error_handling": [1]}, "error_handling"),
        ({"max_log_size": "10 MB"}, "error_handling.max_log_size"),
        ({"backup_count": -1}, "error_handling.backup_count"),
        ({"backup_count": True}, "error_handling.backup_count"),
        ({"logging": {"file": "x", "max_size": "10 MB"}}, "logging.max_size"),
        ({"notifications": {"email": {"smtp_server": "x"}}}, "notifications.email.to_addrs"),
        (with_email(smtp_server=None), "error_handling.email_config.smtp_server"),
        (with_email(to_addrs=[]), "error_handling.email_config.to_addrs"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_key(config, key):
    if not key:
        assert convert(config).warnings == []
        return
    with pytest.raises(ConfigurationError) as refused:
        convert(config)
    assert refused.value.key == key


def test_the_command_writes_a_file_that_configure_reads_and_only_its_owner(tmp_path, capsys):
    source, target = tmp_path / "config.json", tmp_path / "logging.yaml"
    source.write_text(json.dumps(PRESENT | {"error_handling": PRESENT["error_handling"] | {"odd": 1}}))
    assert main(["convert-config", str(source), "--output", str(target)]) == 0
    assert "odd" in capsys.readouterr().err
    assert read(target).problems == []
    assert target.stat().st_mode & 0o777 == 0o600
    assert main(["convert-config", str(source), "--output", str(target)]) == 78
    assert main(["convert-config", str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["handlers"]["details"]["backupCount"] == 7


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_file_that_is_no_configuration_is_said_so(tmp_path, capsys, text):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    assert main(["convert-config", str(path)]) == 78
    assert capsys.readouterr().err.count("config.json") == 1
